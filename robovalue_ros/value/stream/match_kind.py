"""The kind `matching`: clips compared with segments of the demonstrations, for any encoder.

Every `stride_s` the clip of the last frames is embedded. Its distances to the centres of all
segments, in one unit, feed a forward filter; the mean of the belief is the value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.ports import FrameEncoder
from robovalue_ros.contracts.validate import describe, frozen_array, require
from robovalue_ros.value.match import CostTable, cost_table, squared_segment_distances
from robovalue_ros.value.reference import Group, GroupInfo
from robovalue_ros.value.scaling import Scaler, norm_stats
from robovalue_ros.value.stream.arrays import Arrays, take, take_numbers, take_texts
from robovalue_ros.value.stream.clips import ClipRing, Pace, Sampling
from robovalue_ros.value.stream.core import Answer, Encoders
from robovalue_ros.value.stream.filter import SegmentFilter, starting_belief, transitions

Floats = NDArray[np.float32]
Values = NDArray[np.float64]

ALMOST_DONE = 0.93  # segments beyond count as the end of the task
MOST_LOGIT = 6.0
STRANGE = 2.0  # novelty from which nothing is believed

_BANK = "bank"
_BANK_ARRAYS = ("centres_MD", "counts_N", "std_D")
_BANK_NUMBERS = ("l2", "typical", "limit")


@dataclass(frozen=True, slots=True, eq=False)
class SegmentBank:
    """What one camera's clips look like in each of N segments.

    centres_MD: centres of all segments in order, counts_N of them each. std_D: the unit of every
    distance. l2: whether embeddings are brought to unit length. typical: squared distance of an
    ordinary clip to its own segment. limit: distance to the nearest centre beyond which a clip is
    unknown.
    """

    centres_MD: Floats
    counts_N: NDArray[np.int64]
    std_D: Floats
    l2: bool
    typical: float
    limit: float

    def __post_init__(self) -> None:
        for name, kind, ndim in (
            ("centres_MD", np.float32, 2), ("counts_N", np.int64, 1), ("std_D", np.float32, 1),
        ):  # fmt: skip
            frozen = frozen_array(name, getattr(self, name), dtype=kind, ndim=ndim)
            object.__setattr__(self, name, frozen)
        fits = len(self.counts_N) > 0 and bool((self.counts_N > 0).all())
        require(fits, "counts_N", "at least one centre in each segment", describe(self.counts_N))
        shape = (int(self.counts_N.sum()), len(self.std_D))
        require(
            self.centres_MD.shape == shape, "centres_MD", f"shape {shape}",
            describe(self.centres_MD),
        )  # fmt: skip
        usable = np.isfinite(self.centres_MD).all() and np.isfinite(self.std_D).all()
        require(bool(usable), "centres_MD, std_D", "finite numbers", "others")
        require(bool((self.std_D > 0).all()), "std_D", "positive numbers", "others")
        for name in ("typical", "limit"):
            value = getattr(self, name)
            require(bool(np.isfinite(value)) and value > 0, name, "a positive number", value)

    def table(self) -> CostTable:
        """Prepare distances to all segments."""
        ends = np.cumsum(self.counts_N)
        scaler = Scaler(np.zeros_like(self.std_D), self.std_D, self.l2)
        groups = []
        for end, count in zip(ends.tolist(), self.counts_N.tolist(), strict=True):
            centres = self.centres_MD[end - count : end]
            info = GroupInfo("dbscan_numpy", count, count, norm_stats(centres), self.l2)
            groups.append(Group(centres, scaler, self.std_D, info))
        return cost_table(groups)


@dataclass(frozen=True, slots=True)
class MatchNumbers:
    """frame_s: time between frames of a clip. stride_s: time between looks. radius, jump: see
    `filter.transitions`. temperature: how much a difference of costs says. bottom: mean of the
    belief when demonstrations begin.
    """

    frame_s: float
    stride_s: float
    radius: float
    jump: float
    temperature: float
    bottom: float

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            require(bool(np.isfinite(value)), item.name, "a finite number", value)
        for name in ("frame_s", "stride_s", "temperature"):
            require(getattr(self, name) > 0, name, "a positive number", getattr(self, name))
        require(
            self.bottom < 0.8, "bottom", "less than 0.8: demonstrations look alike", self.bottom
        )


@dataclass(frozen=True, slots=True, eq=False)
class MatchKnowledge:
    """Segments of demonstrations as encoders see them, one bank per camera.

    encoder_ids: of each camera. value_N: progress of each segment.
    """

    cameras: tuple[str, ...]
    encoder_ids: tuple[str, ...]
    sampling: Sampling
    numbers: MatchNumbers
    value_N: Values
    banks: tuple[SegmentBank, ...]

    def __post_init__(self) -> None:
        value = frozen_array("value_N", self.value_N, dtype=np.float64, ndim=1)
        object.__setattr__(self, "value_N", value)
        inside = bool(((value >= 0) & (value <= 1)).all())
        require(inside, "value_N", "numbers in 0..1", "others")
        known = get_args(Sampling)
        require(self.sampling in known, "sampling", f"one of {', '.join(known)}", self.sampling)
        for name in ("banks", "encoder_ids"):
            count = len(getattr(self, name))
            require(count == len(self.cameras) > 0, name, "one per camera", count)
        for bank in self.banks:
            count = len(bank.counts_N)
            require(count == len(value), "counts_N", f"{len(value)} segments", count)

    def core(self, encoders: Encoders | None = None) -> MatchCore:
        """Return what follows one try. Raises ContractError unless the encoders are those of the fit."""
        chosen = []
        for camera, wanted in zip(self.cameras, self.encoder_ids, strict=True):
            encoder = None if encoders is None else encoders.get(camera)
            found = "none" if encoder is None else encoder.encoder_id
            if encoder is None or found != wanted:
                raise ContractError(
                    f"the encoder of camera {camera}", f"{wanted}, with which the model was fitted",
                    found, "Use the same weights, size and precision, or fit again.",
                )  # fmt: skip
            chosen.append(encoder)
        return MatchCore(self, dict(enumerate(chosen)))

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return everything but the cameras' names."""
        arrays: dict[str, NDArray[np.generic]] = {
            "encoder_ids": np.array(self.encoder_ids),
            "sampling": np.array(self.sampling),
            "numbers": np.array([getattr(self.numbers, name) for name in _NUMBERS]),
            "value_N": self.value_N,
        }
        for index, bank in enumerate(self.banks):
            for name in _BANK_ARRAYS:
                arrays[f"{_BANK}{index}.{name}"] = getattr(bank, name)
            numbers = [float(getattr(bank, name)) for name in _BANK_NUMBERS]
            arrays[f"{_BANK}{index}.numbers"] = np.array(numbers)
        return arrays

    @classmethod
    def from_arrays(cls, cameras: tuple[str, ...], arrays: Arrays) -> MatchKnowledge:
        """Build it from what `to_arrays` gave; raises ContractError."""
        banks = []
        for index in range(len(cameras)):
            parts = {name: take(arrays, f"{_BANK}{index}.{name}", "if") for name in _BANK_ARRAYS}
            numbers = take_numbers(arrays, f"{_BANK}{index}.numbers", _BANK_NUMBERS)
            l2 = bool(numbers.pop("l2"))
            banks.append(SegmentBank(**parts, l2=l2, **numbers))  # type: ignore[arg-type]
        return cls(
            cameras, take_texts(arrays, "encoder_ids"),
            str(take(arrays, "sampling", "U")),  # type: ignore[arg-type]
            MatchNumbers(**take_numbers(arrays, "numbers", _NUMBERS)),
            take(arrays, "value_N", "f"),  # type: ignore[arg-type]
            tuple(banks),
        )  # fmt: skip


_NUMBERS = tuple(item.name for item in fields(MatchNumbers))


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one look says. cost_N: of each segment. novelty: 1 at the limit of what is known."""

    cost_N: Values
    novelty: float


class Matcher:
    """Turns one clip's vectors, by camera index, into a look; keeps nothing."""

    def __init__(self, banks: Sequence[SegmentBank]) -> None:
        self._banks = banks
        self._tables = [bank.table() for bank in banks]

    def __call__(self, vectors: Mapping[int, Floats]) -> Look:
        return fused_look(
            {
                index: squared_segment_distances(vector[None], self._tables[index])[0]
                for index, vector in vectors.items()
            },
            self._banks,
        )


def fused_look(squared: Mapping[int, Floats], banks: Sequence[SegmentBank]) -> Look:
    """Join squared distances (N,) by camera: their mean as shares of what is typical."""
    costs = [part.astype(np.float64) / banks[index].typical for index, part in squared.items()]
    novelty = max(
        float(np.sqrt(part.min())) / banks[index].limit for index, part in squared.items()
    )
    return Look(np.mean(costs, axis=0), novelty)


class Follower:
    """Turns looks into answers with the forward filter."""

    def __init__(self, numbers: MatchNumbers, value_N: Values) -> None:
        self._numbers, self._value_N = numbers, value_N
        moves = transitions(len(value_N), int(numbers.radius), numbers.jump)
        self._filter = SegmentFilter(moves, starting_belief(len(value_N)))
        self._last = value_N >= min(ALMOST_DONE, float(value_N.max()))

    def reset(self) -> None:
        self._filter.reset()

    def __call__(self, look: Look, elapsed_s: float) -> Answer:
        """Take a look, `elapsed_s` after the one before."""
        numbers = self._numbers
        steps = max(1, round(elapsed_s / numbers.stride_s))
        belief_N = self._filter.push(-look.cost_N / numbers.temperature, steps)
        gate = float(np.clip((STRANGE - look.novelty) / (STRANGE - 1.0), 0.0, 1.0))
        raw = (float(belief_N @ self._value_N) - numbers.bottom) / (1.0 - numbers.bottom)
        return Answer(gate * raw, _logit(gate * float(belief_N[self._last].sum())), gate < 1.0)


def _logit(share: float) -> float:
    share = min(max(share, 1e-12), 1.0 - 1e-12)
    return float(np.clip(np.log(share / (1.0 - share)), -MOST_LOGIT, MOST_LOGIT))


class MatchCore:
    """Keeps one ring of frames per camera, and looks when it is time."""

    def __init__(self, knowledge: MatchKnowledge, encoders: Mapping[int, FrameEncoder]) -> None:
        self._knowledge, self._encoders = knowledge, encoders
        self._matcher = Matcher(knowledge.banks)
        self._follower = Follower(knowledge.numbers, knowledge.value_N)
        self.reset()

    def reset(self) -> None:
        numbers, sampling = self._knowledge.numbers, self._knowledge.sampling
        self._rings = {i: ClipRing(encoder, sampling) for i, encoder in self._encoders.items()}
        self._frame, self._stride = Pace(numbers.frame_s), Pace(numbers.stride_s)
        self._follower.reset()
        self._looked_s = 0.0
        self._look: tuple[Look, float] | None = None

    def look(
        self, now_s: float, images: Mapping[int, Image], pictures: Mapping[int, Floats]
    ) -> None:
        self._look = None
        if not self._frame(now_s):
            return
        for index, image in images.items():
            self._rings[index].push(image)
        if self._stride(now_s):
            rings = {index: self._rings[index] for index in images}
            vectors = {i: ring.vectors(ring.clip()[None])[0] for i, ring in rings.items()}
            self._look = (self._matcher(vectors), now_s - self._looked_s)
            self._looked_s = now_s

    def answer(self) -> Answer | None:
        return None if self._look is None else self._follower(*self._look)

"""From demonstrations and encoders to a value model of the kind `matching`.

What the model must know about new episodes is learned on demonstrations that are compared with the
other demonstrations only: how far an ordinary clip lies from its segment, when a clip is unlike
anything, how much a difference says, and what done looks like.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.contracts.frames import FrameSource, Image
from robovalue_ros.contracts.validate import require
from robovalue_ros.value.match import squared_segment_distances
from robovalue_ros.value.one_thread import one_thread_products
from robovalue_ros.value.pixels.labels import elapsed_labels
from robovalue_ros.value.pixels.shrink import SIDE, shrunk
from robovalue_ros.value.reference import ClusterOptions, Group, cluster_means, fit_segment_groups
from robovalue_ros.value.stream.clips import ClipRing, Pace, Sampling
from robovalue_ros.value.stream.core import Answer, Encoders
from robovalue_ros.value.stream.fitting import (
    FEWEST_DEMOS,
    NOT_DONE_QUANTILE,
    NOT_YET,
    Given,
    Pictures,
    checked_demonstration,
    done_limit,
)
from robovalue_ros.value.stream.match_kind import (
    Floats,
    Follower,
    Look,
    MatchKnowledge,
    MatchNumbers,
    SegmentBank,
    fused_look,
)
from robovalue_ros.value.stream.match_options import MatchOptions
from robovalue_ros.value.stream.model import Rules, ValueModel
from robovalue_ros.value.stream.options import FitOptions
from robovalue_ros.value.stream.stillness import picture_changes, still_limit

SMOOTH_S = 0.05
CHUNK = 8  # clips that are embedded at once; they are large
FEWEST_LOOKS = 4
TEMPERATURES = np.geomspace(0.01, 3.0, 16)
NOVEL_QUANTILE, NOVEL_MARGIN = 0.995, 1.25
SMALLEST = 1e-9
LARGEST_ERROR = 0.18  # one who always says "half" is wrong by 0.25
Clusters = ClusterOptions()


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedDemonstration:
    """One demonstration as a live stream would have looked at it.

    vectors: camera -> (K, D) of K looks. times_s, labels: (K,) when they were, since the first
    frame, and how far the demonstration had come. frame_s: usual time between frames. changes: of
    its pictures, see `stillness`.
    """

    vectors: dict[str, Floats]
    times_s: NDArray[np.float64]
    labels: NDArray[np.float64]
    frame_s: float
    changes: list[float]


def embed_demonstration(
    given: Given, encoders: Encoders, sampling: Sampling, options: MatchOptions,
    where: str = "demonstration", tick: Callable[[int], None] | None = None,
) -> EmbeddedDemonstration:  # fmt: skip
    """Look at one demonstration every `stride_s`; its frames are read once and not kept.

    tick: hears the number of frames done. Raises ContractError for what cannot teach.
    """
    cameras = tuple(encoders)
    stamps = checked_demonstration(given, cameras, where)
    times = (stamps - stamps[0]) * 1e-9
    frame_s = float(np.median(np.diff(times)))
    keep, due = Pace(frame_s), Pace(options.stride_s)
    looks = {name: _Looks(ClipRing(encoders[name], sampling)) for name in cameras}
    small = np.empty((len(stamps), len(cameras), SIDE, SIDE, 3), np.uint8)
    looked = []
    for row, images in enumerate(_rows(given[0], cameras)):
        for index, image in enumerate(images):
            small[row, index] = shrunk(image)
        if keep(float(times[row])):
            for name, image in zip(cameras, images, strict=True):
                looks[name].ring.push(image)
            if due(float(times[row])):
                looked.append(row)
                for name in cameras:
                    looks[name].take()
        if tick is not None:
            tick(1)
    labels = elapsed_labels(small, stamps)
    return EmbeddedDemonstration(
        {name: part.vectors() for name, part in looks.items()}, times[looked], labels[looked],
        frame_s, picture_changes(small, stamps),
    )  # fmt: skip


class _Looks:
    """Collects the clips of one camera and embeds them a few at a time."""

    def __init__(self, ring: ClipRing) -> None:
        self.ring = ring
        self._waiting: list[Image] = []
        self._done: list[Floats] = []

    def take(self) -> None:
        self._waiting.append(self.ring.clip())
        if len(self._waiting) == CHUNK:
            self._embed()

    def vectors(self) -> Floats:
        self._embed()
        return np.concatenate(self._done)

    def _embed(self) -> None:
        if self._waiting:
            self._done.append(self.ring.vectors(np.stack(self._waiting)))
            self._waiting = []


def _rows(pictures: Pictures, cameras: Sequence[str]) -> Iterator[tuple[Image, ...]]:
    sources = [pictures[name] for name in cameras]
    every = [s.iterate() if isinstance(s, FrameSource) else iter(s) for s in sources]
    return zip(*every, strict=True)


@one_thread_products()
def fit_matching_model(
    demos: Sequence[EmbeddedDemonstration],
    encoders: Encoders,
    sampling: Sampling,
    options: FitOptions,
    matching: MatchOptions,
) -> ValueModel:
    """Return a model of successful demonstrations of one task; nothing in it is drawn at random.

    Raises ContractError for too few, for short ones and for encoders that see no difference.
    """
    require(len(demos) >= FEWEST_DEMOS, "demonstrations", f"at least {FEWEST_DEMOS}", len(demos))
    usual = int(np.median([len(demo.labels) for demo in demos]))
    if usual < FEWEST_LOOKS:
        raise ContractError(
            "demonstrations", f"at least {FEWEST_LOOKS} looks at each", usual,
            "Choose a smaller --stride-s.",
        )  # fmt: skip
    segments = min(matching.segments, usual)
    cameras = tuple(encoders)
    references = {name: _references(demos, name, segments) for name in cameras}
    groups = {name: fit_segment_groups(list(x), Clusters) for name, x in references.items()}
    squared = [
        {
            index: _left_out(references[name], groups[name], left, demo.vectors[name])
            for index, name in enumerate(cameras)
        }
        for left, demo in enumerate(demos)
    ]
    banks = tuple(
        _bank(groups[name], *_scales([part[index] for part in squared], demos))
        for index, name in enumerate(cameras)
    )
    value_N = (np.arange(segments) + 0.5) / segments
    looks = [_looks(part, banks) for part in squared]
    numbers = _numbers(demos, looks, value_N, usual, matching)
    knowledge = MatchKnowledge(
        cameras, tuple(encoders[name].encoder_id for name in cameras), sampling, numbers,
        value_N, banks,
    )  # fmt: skip
    answers = [
        _followed(part, demo, numbers, value_N) for part, demo in zip(looks, demos, strict=True)
    ]
    return ValueModel(knowledge, _rules(demos, answers, options))


def _references(demos: Sequence[EmbeddedDemonstration], camera: str, segments: int) -> Floats:
    """Return (N, demonstrations, D): of each segment the look nearest to its middle."""
    middles = (np.arange(segments) + 0.5) / segments
    rows = [np.abs(demo.labels[None] - middles[:, None]).argmin(axis=1) for demo in demos]
    return np.stack([d.vectors[camera][row] for d, row in zip(demos, rows, strict=True)], axis=1)


def _left_out(x_NRD: Floats, groups: Sequence[Group], left: int, x_KD: Floats) -> Floats:
    """Return squared distances (K, N) of one demonstration's looks to centres of the others."""
    kept = np.arange(x_NRD.shape[1]) != left
    centres = []
    for x_RD, group in zip(x_NRD, groups, strict=True):
        found = group.info.labels
        labels = np.full(len(kept), -1) if found is None else np.array(found)
        rest = labels[kept]
        used = np.unique(rest[rest >= 0])
        renamed = np.where(rest >= 0, np.searchsorted(used, rest), -1)
        centres.append(cluster_means(group.scaler.lengthen(x_RD[kept]), renamed))
    table = _unscaled_bank(centres, groups[0]).table()
    return squared_segment_distances(x_KD, table)


def _unscaled_bank(centres: Sequence[Floats], group: Group) -> SegmentBank:
    counts = np.array([len(part) for part in centres], np.int64)
    scaler = group.scaler
    return SegmentBank(np.concatenate(centres), counts, scaler.std, scaler.l2, 1.0, 1.0)


def _bank(groups: Sequence[Group], typical: float, limit: float) -> SegmentBank:
    counts = np.array([len(group.centres_CD) for group in groups], np.int64)
    centres = np.concatenate([group.centres_CD for group in groups])
    scaler = groups[0].scaler
    return SegmentBank(centres, counts, scaler.std, scaler.l2, typical, limit)


def _scales(
    squared: Sequence[Floats], demos: Sequence[EmbeddedDemonstration]
) -> tuple[float, float]:
    """Return the squared distance of an ordinary look to its segment, and the limit of the known."""
    own, nearest = [], []
    for part_KN, demo in zip(squared, demos, strict=True):
        count = part_KN.shape[1]
        segment = np.minimum((demo.labels * count).astype(np.int64), count - 1)
        own.append(part_KN[np.arange(len(part_KN)), segment])
        nearest.append(np.sqrt(part_KN.min(axis=1)))
    limit = NOVEL_MARGIN * float(np.quantile(np.concatenate(nearest), NOVEL_QUANTILE))
    return max(float(np.median(np.concatenate(own))), SMALLEST), max(limit, SMALLEST)


def _looks(squared: dict[int, Floats], banks: Sequence[SegmentBank]) -> list[Look]:
    return [
        fused_look({index: part[row] for index, part in squared.items()}, banks)
        for row in range(len(squared[0]))
    ]


def _numbers(
    demos: Sequence[EmbeddedDemonstration],
    looks: Sequence[Sequence[Look]],
    value_N: NDArray[np.float64],
    usual: int,
    matching: MatchOptions,
) -> MatchNumbers:
    """Choose the temperature whose filtered beliefs are nearest to how far demonstrations were."""
    segments = len(value_N)
    radius = max(2, math.ceil(2.0 * segments / usual))
    frame_s = float(np.median([demo.frame_s for demo in demos]))
    best: tuple[float, MatchNumbers] | None = None
    for temperature in TEMPERATURES:
        numbers = MatchNumbers(
            frame_s, matching.stride_s, float(radius), matching.jump, float(temperature), 0.0
        )
        errors, begins = [], []
        for part, demo in zip(looks, demos, strict=True):
            raw = np.array([a.raw for a in _followed(part, demo, numbers, value_N)])
            errors.append(float(np.abs(raw - demo.labels).mean()))
            begins.append(float(raw[0]))
        error = float(np.mean(errors))
        if best is None or error < best[0]:
            bottom = float(np.median(begins))
            best = (
                error,
                MatchNumbers(
                    frame_s,
                    matching.stride_s,
                    float(radius),
                    matching.jump,
                    float(temperature),
                    bottom,
                ),
            )
    assert best is not None
    if best[0] > LARGEST_ERROR:
        raise ContractError(
            "the error of progress on demonstrations", f"at most {LARGEST_ERROR}",
            f"{best[0]:.3f}", "The encoder sees too little of this task: try another one.",
        )  # fmt: skip
    return best[1]


def _followed(
    looks: Sequence[Look], demo: EmbeddedDemonstration, numbers: MatchNumbers,
    value_N: NDArray[np.float64],
) -> list[Answer]:  # fmt: skip
    follower = Follower(numbers, value_N)
    elapsed = np.diff(demo.times_s, prepend=0.0)
    return [follower(look, float(s)) for look, s in zip(looks, elapsed, strict=True)]


def _rules(
    demos: Sequence[EmbeddedDemonstration], answers: Sequence[Sequence[Answer]], options: FitOptions
) -> Rules:
    ends, others = [], []
    for demo, part in zip(demos, answers, strict=True):
        done = np.array([answer.done for answer in part])
        ends.append(float(done[-1]))
        others.append(float(done[demo.labels < NOT_YET].max()))
    return Rules(
        top=float(np.median([max(answer.raw for answer in part[-3:]) for part in answers])),
        still=still_limit(value for demo in demos for value in demo.changes),
        done_above=_done_above(ends, others),
        smooth_s=SMOOTH_S if options.smooth_s is None else options.smooth_s, stall_s=options.stall_s,
        fall=options.fall, dwell_s=options.dwell_s,
    )  # fmt: skip


def _done_above(ends: Sequence[float], others: Sequence[float]) -> float:
    """Return the logit from which a task is done: above what is not, and rather likely."""
    undone = float(np.quantile(others, NOT_DONE_QUANTILE))
    return max(done_limit(ends, others), undone, min(0.0, float(np.median(ends))))

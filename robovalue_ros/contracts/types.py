"""What flows through the house: frozen, validated at birth, arrays read-only.

Time is integer nanoseconds; intervals are half-open [start, stop). A constructor raises
`ContractError` naming the field, what was expected and what came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.frames import FrameSource, Image
from robovalue_ros.contracts.validate import FrozenMapping, describe, frozen_array, require

Array = NDArray[Any]
Scalar = str | int | float | bool
Level = Literal["ok", "note", "warning", "error"]


def _set(target: object, name: str, value: object) -> None:
    object.__setattr__(target, name, value)


def _frozen_stamps(name: str, stamps: object) -> NDArray[np.int64]:
    array: NDArray[np.int64] = frozen_array(name, stamps, dtype=np.int64, ndim=1)
    late = np.flatnonzero(np.diff(array) <= 0)
    if late.size:
        at = int(late[0])
        require(
            False, name, "strictly increasing nanoseconds",
            f"{array[at]} then {array[at + 1]} at index {at}",
        )  # fmt: skip
    return array


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing noticed about data or a machine, and what to do about it."""

    level: Level
    subject: str
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One moment: the images of every camera and, where known, the robot's state.

    images: camera name -> (H, W, 3) uint8 RGB. state: (D,) float or None.
    """

    stamp_ns: int
    images: Mapping[str, Image]
    state: Array | None = None

    def __post_init__(self) -> None:
        _set(self, "stamp_ns", int(self.stamp_ns))
        for name, image in self.images.items():
            require(
                isinstance(image, np.ndarray) and image.ndim == 3 and image.shape[2] == 3
                and image.dtype == np.uint8,
                f"images[{name!r}]", "a uint8 array (H, W, 3)", describe(image),
            )  # fmt: skip
        _set(self, "images", FrozenMapping(self.images))
        if self.state is not None:
            _set(self, "state", frozen_array("state", self.state, ndim=1))


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """One recorded try at a task; frames are read lazily.

    stamps_ns: (T,) int64, strictly increasing. cameras: name -> T frames. states: (T, D) and
    actions: (T, A), floats of the precision they were recorded in; D or A may be 0. success:
    None when nobody said. signals: further per-frame arrays (T,) or (T, k), such as the
    simulator's true progress. meta: scalars about the whole episode.
    """

    id: str
    task: str
    stamps_ns: NDArray[np.int64]
    cameras: Mapping[str, FrameSource]
    states: Array
    actions: Array
    success: bool | None = None
    signals: Mapping[str, Array] = field(default_factory=dict)
    state_names: tuple[str, ...] = ()
    action_names: tuple[str, ...] = ()
    meta: Mapping[str, Scalar] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require(bool(self.id), "id", "a non-empty text", repr(self.id))
        stamps = _frozen_stamps("stamps_ns", self.stamps_ns)
        length = len(stamps)
        require(length > 0, "stamps_ns", "at least one frame", "empty")
        _set(self, "stamps_ns", stamps)
        for name in ("states", "actions"):
            array = frozen_array(name, getattr(self, name), ndim=2)
            require(array.dtype.kind == "f", name, "a floating-point array", describe(array))
            require(len(array) == length, name, f"{length} rows, one per stamp", describe(array))
            _set(self, name, array)
        for name, source in self.cameras.items():
            require(
                len(source) == length, f"cameras[{name!r}]", f"{length} frames, one per stamp",
                f"a source of {len(source)} frames",
            )  # fmt: skip
        _set(self, "cameras", FrozenMapping(self.cameras))
        signals = {}
        for name, value in self.signals.items():
            array = frozen_array(f"signals[{name!r}]", value)
            require(
                array.ndim in (1, 2) and len(array) == length,
                f"signals[{name!r}]", f"shape ({length},) or ({length}, k)", describe(array),
            )  # fmt: skip
            signals[name] = array
        _set(self, "signals", FrozenMapping(signals))
        for name, width in (
            ("state_names", self.states.shape[1]),
            ("action_names", self.actions.shape[1]),
        ):
            names = tuple(str(part) for part in getattr(self, name))
            require(len(names) in (0, width), name, f"{width} names or none", f"{len(names)} names")
            _set(self, name, names)
        _set(self, "meta", FrozenMapping(self.meta))

    def __len__(self) -> int:
        return len(self.stamps_ns)

    @property
    def rate_hz(self) -> float:
        """Frames per second from the median step; 0 for a single frame."""
        if len(self) < 2:
            return 0.0
        return float(1e9 / np.median(np.diff(self.stamps_ns)))

    def close(self) -> None:
        """Let go of every file that the cameras hold open."""
        for source in self.cameras.values():
            source.close()


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingTrack:
    """What an encoder made of an episode: vectors (N, D) float32 at stamps_ns (N,)."""

    vectors: Array
    stamps_ns: NDArray[np.int64]
    encoder_id: str

    def __post_init__(self) -> None:
        vectors = frozen_array("vectors", self.vectors, dtype=np.float32, ndim=2)
        stamps = _frozen_stamps("stamps_ns", self.stamps_ns)
        require(len(vectors) == len(stamps), "vectors", f"{len(stamps)} rows", describe(vectors))
        require(bool(self.encoder_id), "encoder_id", "a non-empty text", repr(self.encoder_id))
        _set(self, "vectors", vectors)
        _set(self, "stamps_ns", stamps)


@dataclass(frozen=True, slots=True, eq=False)
class ValueCurve:
    """How far the task has come at each stamp: values (N,) in 0..1.

    causal: True when value i used nothing recorded after stamp i. unknown: (N,) bool, True where
    the frame looked like nothing in the demonstrations.
    """

    values: Array
    stamps_ns: NDArray[np.int64]
    causal: bool
    unknown: NDArray[np.bool_]

    def __post_init__(self) -> None:
        values = frozen_array("values", self.values, ndim=1)
        stamps = _frozen_stamps("stamps_ns", self.stamps_ns)
        unknown = frozen_array("unknown", self.unknown, dtype=np.bool_, ndim=1)
        require(len(values) == len(stamps), "values", f"{len(stamps)} entries", describe(values))
        require(len(unknown) == len(stamps), "unknown", f"{len(stamps)} entries", describe(unknown))
        inside = bool(np.all((values >= 0) & (values <= 1)))
        require(inside, "values", "numbers in 0..1", "values outside, or NaN")
        _set(self, "values", values)
        _set(self, "stamps_ns", stamps)
        _set(self, "unknown", unknown)


@dataclass(frozen=True, slots=True, eq=False)
class PointTracks:
    """Points followed through a window: xy (N, T, 2) pixels, visible (N, T) bool."""

    xy: Array
    visible: NDArray[np.bool_]
    stamps_ns: NDArray[np.int64]

    def __post_init__(self) -> None:
        xy = frozen_array("xy", self.xy, ndim=3)
        stamps = _frozen_stamps("stamps_ns", self.stamps_ns)
        visible = frozen_array("visible", self.visible, dtype=np.bool_, ndim=2)
        require(
            xy.shape[1:] == (len(stamps), 2), "xy", f"shape (N, {len(stamps)}, 2)", describe(xy)
        )
        require(
            visible.shape == xy.shape[:2], "visible", f"shape {xy.shape[:2]}", describe(visible)
        )
        _set(self, "xy", xy)
        _set(self, "visible", visible)
        _set(self, "stamps_ns", stamps)


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """One action: frames [start, stop) of an episode and the motion codes inside, (K,) int64."""

    start: int
    stop: int
    codes: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def __post_init__(self) -> None:
        require(
            0 <= self.start < self.stop,
            "start, stop",
            "0 <= start < stop",
            f"{self.start}, {self.stop}",
        )
        _set(self, "codes", frozen_array("codes", self.codes, dtype=np.int64, ndim=1))


@dataclass(frozen=True, slots=True)
class SubstepPlan:
    """A task and the short instructions that it falls into, in order."""

    task: str
    substeps: tuple[str, ...]

    def __post_init__(self) -> None:
        require(bool(self.task.strip()), "task", "a non-empty text", repr(self.task))
        substeps = tuple(str(text) for text in self.substeps)
        require(len(substeps) > 0, "substeps", "at least one instruction", "none")
        require(
            all(text.strip() for text in substeps),
            "substeps",
            "non-empty texts",
            describe(substeps),
        )
        _set(self, "substeps", substeps)


@dataclass(frozen=True, slots=True, eq=False)
class ActionChunk:
    """What a policy wants to do next: actions (H, A) at stamps_ns (H,), in a named space.

    eos_prob: (H,) probability that the current substep is done at each step, or None.
    """

    actions: Array
    stamps_ns: NDArray[np.int64]
    space: str
    eos_prob: Array | None = None

    def __post_init__(self) -> None:
        actions = frozen_array("actions", self.actions, ndim=2)
        stamps = _frozen_stamps("stamps_ns", self.stamps_ns)
        require(len(actions) == len(stamps), "actions", f"{len(stamps)} rows", describe(actions))
        require(
            bool(np.isfinite(actions).all()), "actions", "finite numbers", "NaN or infinite values"
        )
        require(bool(self.space), "space", "the name of an action space", repr(self.space))
        _set(self, "actions", actions)
        _set(self, "stamps_ns", stamps)
        if self.eos_prob is not None:
            prob = frozen_array("eos_prob", self.eos_prob, ndim=1)
            require(len(prob) == len(stamps), "eos_prob", f"{len(stamps)} entries", describe(prob))
            require(
                bool(np.all((prob >= 0) & (prob <= 1))),
                "eos_prob",
                "numbers in 0..1",
                "values outside",
            )
            _set(self, "eos_prob", prob)


@dataclass(frozen=True, slots=True, eq=False)
class SamplingPlan:
    """Which samples training sees and how often: anchors, weights and stages, all (N,).

    meta: what the plan says about itself, nested, as it is stored.
    """

    anchors: NDArray[np.int64]
    weights: Array
    stages: NDArray[np.int64]
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        anchors = frozen_array("anchors", self.anchors, dtype=np.int64, ndim=1)
        weights = frozen_array("weights", self.weights, ndim=1)
        stages = frozen_array("stages", self.stages, dtype=np.int64, ndim=1)
        require(len(anchors) > 0, "anchors", "at least one sample", "none")
        require(
            len(weights) == len(anchors), "weights", f"{len(anchors)} entries", describe(weights)
        )
        require(len(stages) == len(anchors), "stages", f"{len(anchors)} entries", describe(stages))
        usable = bool(np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0)
        require(usable, "weights", "finite, non-negative numbers, not all zero", "others")
        _set(self, "anchors", anchors)
        _set(self, "weights", weights)
        _set(self, "stages", stages)
        _set(self, "meta", FrozenMapping(self.meta))


@dataclass(frozen=True, slots=True, eq=False)
class NormStats:
    """Mean, deviation and outer quantiles of one signal, each (D,)."""

    mean: Array
    std: Array
    q01: Array
    q99: Array

    def __post_init__(self) -> None:
        for name in ("mean", "std", "q01", "q99"):
            array = frozen_array(name, getattr(self, name), ndim=1)
            require(
                bool(np.isfinite(array).all()), name, "finite numbers", "NaN or infinite values"
            )
            _set(self, name, array)
            require(
                array.shape == self.mean.shape, name, f"shape {self.mean.shape}", describe(array)
            )
        require(bool((self.std >= 0).all()), "std", "non-negative numbers", "negative values")

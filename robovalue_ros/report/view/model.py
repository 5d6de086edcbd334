"""What a view of one episode shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.validate import FrozenMapping, describe, frozen_array, require

CurveKind = Literal["hindsight", "causal"]
KINDS: dict[CurveKind, str] = {
    "hindsight": "hindsight (knows outcome and length)",
    "causal": "causal (what a live stream would say)",
}
OUTCOMES = {True: "success", False: "failure", None: "outcome not told"}


@dataclass(frozen=True, slots=True, eq=False)
class ViewCurve:
    """A value curve: values (T,) of raw frames from `first` on."""

    kind: CurveKind
    values: NDArray[np.float64]
    first: int

    def __post_init__(self) -> None:
        values = np.asarray(self.values, np.float64)
        values = frozen_array("values", values, dtype=np.float64, ndim=1)
        require(len(values) > 0, "values", "at least one frame", "none")
        object.__setattr__(self, "values", values)

    @property
    def stop(self) -> int:
        return self.first + len(self.values)

    def at(self, frame: int) -> float | None:
        """Return the value at a raw frame, None outside the curve."""
        inside = self.first <= frame < self.stop
        return float(self.values[frame - self.first]) if inside else None

    def ahead(self, frames: int) -> ViewCurve | None:
        """Return the curve of what the value will be `frames` later, None when none is left."""
        later = self.values[frames:]
        return ViewCurve(self.kind, later, self.first) if len(later) else None


@dataclass(frozen=True, slots=True)
class ViewAction:
    """What the segmenter took for one action: raw frames [first, stop)."""

    first: int
    stop: int
    label: str

    def __post_init__(self) -> None:
        require(0 <= self.first < self.stop, "frames", "at least one", f"{self.first}..{self.stop}")


@dataclass(frozen=True, slots=True, eq=False)
class EpisodeView:
    """One episode as it is shown.

    first, stop: raw frames [first, stop) that are shown. origin: raw frame that is called 0.
    curves: the first one is the main one. flags: name -> (stop - first,) bool. threshold: values
    below are red, others green. lookahead: a dashed curve tells the value so many frames later.
    actions: in order; None where nobody asked for them, which leaves their row out.
    """

    task: str
    name: str
    success: bool | None
    first: int
    stop: int
    origin: int
    rate_hz: float
    curves: tuple[ViewCurve, ...]
    flags: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    threshold: float | None = None
    lookahead: int = 0
    actions: tuple[ViewAction, ...] | None = None

    def __post_init__(self) -> None:
        require(0 <= self.first < self.stop, "frames", "at least one", f"{self.first}..{self.stop}")
        require(len(self.curves) > 0, "curves", "at least one", "none")
        flags = {}
        for name, value in self.flags.items():
            flag = frozen_array(name, value, dtype=np.bool_, ndim=1)
            require(len(flag) == len(self), name, f"{len(self)} entries", describe(flag))
            flags[name] = flag
        object.__setattr__(self, "flags", FrozenMapping(flags))

    def __len__(self) -> int:
        return self.stop - self.first

    @property
    def raised(self) -> tuple[str, ...]:
        """Flags that are ever raised."""
        return tuple(name for name, flag in self.flags.items() if flag.any())

    @property
    def rows(self) -> int:
        """How many rows stand below the curves: one of actions, one for each raised flag."""
        return len(self.raised) + (self.actions is not None)

    def action_at(self, frame: int) -> ViewAction | None:
        """Return the action that a raw frame belongs to, None at rest."""
        found = (one for one in self.actions or () if one.first <= frame < one.stop)
        return next(found, None)

    def clamp(self, frame: int) -> int:
        """Return the raw frame that is shown nearest to `frame`."""
        return min(max(frame, self.first), self.stop - 1)


def runs(flag_T: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where a flag is raised, as half-open ranges."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flag_T, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]

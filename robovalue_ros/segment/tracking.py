"""What the segmenter asks of a tracker and of a tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.types import PointTracks

Floats = NDArray[np.float32]


@runtime_checkable
class StepTracker(Protocol):
    """Follows points from one frame to the next, so that frames are looked at once.

    Points do not influence each other: a point ends up in the same place, whoever else is asked
    for. A tracker that leaves a point exactly where it is when it does not move saves work: windows
    share such points.
    """

    def prepare(self, image: Image) -> Any:
        """Return what `step` needs of a frame (H, W, 3); it is made once and kept a window long."""
        ...

    def step(self, before: Any, after: Any, points_xy: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Return where points (M, 2) of one prepared frame are in the next, and which were found."""
        ...


class Tokens(Protocol):
    """What is left of a window's motion: prequant, quantized (d, D) float32 and codes (d,)."""

    @property
    def prequant(self) -> Floats: ...

    @property
    def quantized(self) -> Floats: ...

    @property
    def codes(self) -> NDArray[np.int64]: ...


@runtime_checkable
class WindowEncoder(Protocol):
    """Turns the motion of a window into tokens."""

    def encode(self, velocity: Floats) -> Tokens:
        """Return the tokens of velocities (T-1, N, 2) as (row, column), in half pictures."""
        ...


def follow(
    tracker: StepTracker, prepared: Sequence[Any], points_xy: Floats, stamps_ns: NDArray[np.int64]
) -> PointTracks:
    """Follow points (N, 2) of the first prepared frame through all; lost ones stay where they
    were seen last."""
    xy = np.repeat(np.asarray(points_xy, np.float32)[:, None, :], len(prepared), axis=1)
    visible = np.ones(xy.shape[:2], np.bool_)
    for at, (before, after) in enumerate(pairwise(prepared)):
        alive = np.flatnonzero(visible[:, at])
        xy[:, at + 1] = xy[:, at]
        visible[:, at + 1] = False
        if alive.size:
            moved, found = tracker.step(before, after, xy[alive, at])
            xy[alive[found], at + 1] = moved[found]
            visible[alive[found], at + 1] = True
    return PointTracks(xy, visible, stamps_ns)


class WindowTracker:
    """A `PointTracker` made of steps: works up the frames of every window anew."""

    def __init__(self, steps: StepTracker) -> None:
        self._steps = steps

    def track(self, frames: Image, points_xy: Floats, stamps_ns: NDArray[np.int64]) -> PointTracks:
        """Follow (N, 2) pixel positions of the first frame through frames (T, H, W, 3)."""
        prepared = [self._steps.prepare(frame) for frame in frames]
        return follow(self._steps, prepared, points_xy, stamps_ns)

"""Tracks of overlapping windows, with every pair of frames looked at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.types import PointTracks
from robovalue_ros.segment.feed import HeldFrame, Window
from robovalue_ros.segment.tracking import Floats, StepTracker


@dataclass(slots=True, eq=False)
class _Begun:
    """A window whose points are being followed. start: its first frame."""

    start: int
    xy: list[Floats]
    visible: list[NDArray[np.bool_]]


@dataclass(slots=True, eq=False)
class SharedSteps:
    """Follows the points of a window, and on the way those of all windows that begin in it.

    Later windows then only need the frames that are new. Nothing is followed before a window is
    asked for, so frames in which nothing happens cost nothing. Points of several windows that
    stand in the same place, as all do that have not moved, are asked for once.
    """

    tracker: StepTracker
    stride: int
    _begun: list[_Begun] = field(default_factory=list)
    _at: int = 0

    def tracks(self, window: Window, points_xy: Floats) -> PointTracks:
        """Return the tracks of `points_xy` (N, 2) through a window; windows come in order."""
        start, stop = window.start, window.start + len(window.frames)
        self._begun = [begun for begun in self._begun if begun.start >= start]
        if not self._begun or self._begun[0].start > start:
            self._begun, self._at = [], start
        frames = window.frames
        while self._at < stop - 1:
            if (self._at - start) % self.stride == 0:
                self._begin(points_xy)
            self._step(frames[self._at - start], frames[self._at - start + 1])
            self._at += 1
        done = self._begun.pop(0)
        return PointTracks(
            np.stack(done.xy, axis=1), np.stack(done.visible, axis=1), window.times.stamps_ns
        )

    def _begin(self, points_xy: Floats) -> None:
        points = np.asarray(points_xy, np.float32)
        self._begun.append(_Begun(self._at, [points], [np.ones(len(points), np.bool_)]))

    def _step(self, before: HeldFrame, after: HeldFrame) -> None:
        """Take all points that are still seen one frame further; lost ones stay."""
        alive = np.flatnonzero(np.concatenate([begun.visible[-1] for begun in self._begun]))
        xy = np.concatenate([begun.xy[-1] for begun in self._begun])
        found = np.zeros(len(xy), np.bool_)
        if alive.size:
            places, same = _distinct(xy[alive])
            moved, seen = self.tracker.step(self._prepared(before), self._prepared(after), places)
            there = seen[same]
            found[alive] = there
            xy[alive[there]] = moved[same[there]]
        ends = np.cumsum([len(begun.xy[-1]) for begun in self._begun])[:-1]
        for begun, here, visible in zip(
            self._begun, np.split(xy, ends), np.split(found, ends), strict=True
        ):
            begun.xy.append(here)
            begun.visible.append(visible)

    def _prepared(self, frame: HeldFrame) -> object:
        if not frame.prepared:
            frame.prepared.append(self.tracker.prepare(frame.image))
        return frame.prepared[0]


def _distinct(xy: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return the different places among (M, 2), and which of them each point is at.

    Both numbers of a place are compared as one of 64 bits: sorting rows takes ten times as long.
    """
    whole = np.ascontiguousarray(xy, np.float32).view(np.int64)[:, 0]
    places, same = np.unique(whole, return_inverse=True)
    return places.view(np.float32).reshape(-1, 2), same

"""Points followed by one dense flow per pair of frames, and put exactly in place by their square."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from robovalue_ros.backends.trackers.choice import STILL_PX, TRACK_SHORTER
from robovalue_ros.backends.trackers.gray import (
    Flags,
    Floats,
    Gray,
    at,
    detail,
    inside,
    scale_of,
    smaller,
    still_points,
)
from robovalue_ros.backends.trackers.one_thread_vision import one_thread_vision
from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.types import PointTracks
from robovalue_ros.segment.tracking import WindowTracker

SIDE = 9
STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 4, 0.05)
RETURN_PX = 2.0
RETURN_SHARE = 0.2  # of the way that it went


@dataclass(slots=True, eq=False)
class FlowFrame:
    """A frame to follow flows from. onwards: the flows to and from the next frame, once asked for."""

    gray: Gray
    small: Gray
    detail: Floats
    onwards: list[tuple[Any, Floats, Floats]] = field(default_factory=list)


class DisFlow:
    """Looks at every pair of frames once, however many points are asked for; a `StepTracker`.

    Each point begins at where the dense flow (DIS, ultrafast) takes it and is put in place by Lucas
    and Kanade's method. It is found when the flow back leads to where it came from. Where nothing
    around it changed but noise it stays exactly where it is.
    """

    def __init__(self, still_px: float = STILL_PX, shorter: int = TRACK_SHORTER) -> None:
        self._still_px = still_px
        self._shorter = shorter
        self._dense: Any = None

    def prepare(self, image: Image) -> FlowFrame:
        """Make a frame (H, W, 3) grey."""
        gray: Gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        small = smaller(gray, self._shorter)
        return FlowFrame(gray, small, detail(small))

    def step(self, before: FlowFrame, after: FlowFrame, points_xy: Floats) -> tuple[Floats, Flags]:
        """Return where points (M, 2) are one frame later, and which were found."""
        xy = np.asarray(points_xy, np.float32).copy()
        found = np.ones(len(xy), np.bool_)
        scale = scale_of(before.small, before.gray.shape)
        here = (xy + 0.5) * scale - 0.5
        still = still_points(before.small, after.small, before.detail, here, self._still_px * scale)
        moving = np.flatnonzero(~still)
        if moving.size:
            there, found[moving] = self._followed(before, after, xy[moving], here[moving], scale)
            far = np.linalg.norm(there - xy[moving], axis=1) >= self._still_px
            taken = found[moving] & far
            xy[moving[taken]] = there[taken]
        return xy, found

    def track(self, frames: Image, points_xy: Floats, stamps_ns: NDArray[np.int64]) -> PointTracks:
        """Follow points (N, 2) of the first frame through frames (T, H, W, 3); lost ones hold."""
        return WindowTracker(self).track(frames, points_xy, stamps_ns)

    def _followed(
        self, before: FlowFrame, after: FlowFrame, xy: Floats, here: Floats, scale: Floats
    ) -> tuple[Floats, Flags]:
        """Follow points (M, 2); here: the same in pixels of the small pictures."""
        onward, backward = self._flows(before, after)
        start = np.ascontiguousarray(xy, np.float32).reshape(-1, 1, 2)
        guess = np.ascontiguousarray(xy + at(onward, here) / scale, np.float32).reshape(-1, 1, 2)
        there, went, _ = cv2.calcOpticalFlowPyrLK(
            before.gray, after.gray, start, guess, winSize=(SIDE, SIDE), maxLevel=0,
            criteria=STOP, flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        )  # fmt: skip
        there = there[:, 0]
        way = there - xy
        back = at(backward, (there + 0.5) * scale - 0.5) / scale
        allowed = np.maximum(RETURN_PX, RETURN_SHARE * np.linalg.norm(way, axis=1))
        near = np.linalg.norm(way + back, axis=1) < allowed
        found: Flags = (went[:, 0] == 1) & near & inside(there, after.gray.shape)
        return there, found

    def _flows(self, before: FlowFrame, after: FlowFrame) -> tuple[Floats, Floats]:
        if not before.onwards or before.onwards[0][0] is not after:
            if self._dense is None:
                self._dense = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
            with one_thread_vision():
                onward = self._dense.calc(before.small, after.small, None)
                backward = self._dense.calc(after.small, before.small, None)
            before.onwards[:] = [(after, onward, backward)]
        _, onward, backward = before.onwards[0]
        return onward, backward

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_dense": None}  # made again where it is used

"""Points followed by Lucas and Kanade's method, through pyramids, each on its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from robovalue_ros.backends.trackers.choice import STILL_PX, TRACK_SHORTER
from robovalue_ros.backends.trackers.gray import (
    Flags,
    Floats,
    Gray,
    detail,
    inside,
    scale_of,
    smaller,
    still_points,
)
from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.types import PointTracks
from robovalue_ros.segment.tracking import WindowTracker

SIDE = 9  # of the square that is compared, at the size that is tracked in
LEVELS = 3
STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 5, 0.05)
RETURN_PX = 1.0  # how far from its start a point may come out when it is followed back


@dataclass(frozen=True, slots=True, eq=False)
class SmallFrame:
    """A frame to track in. size: height and width of the picture that it was made of."""

    gray: Gray
    detail: Floats
    size: tuple[int, int]


class LucasKanade:
    """Follows each point by the square around it; a `StepTracker` and a `PointTracker`.

    A point is found when following it back leads to where it came from. Where nothing around it
    changed but noise, or no more than a shift by `still_px` would change, it is not looked for: it
    stays exactly where it is. shorter: pictures are made this small along their shorter side.
    """

    def __init__(self, still_px: float = STILL_PX, shorter: int = TRACK_SHORTER) -> None:
        self._still_px = still_px
        self._shorter = shorter

    def prepare(self, image: Image) -> SmallFrame:
        """Make a frame (H, W, 3) small and grey."""
        gray = smaller(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), self._shorter)
        return SmallFrame(gray, detail(gray), (image.shape[0], image.shape[1]))

    def step(
        self, before: SmallFrame, after: SmallFrame, points_xy: Floats
    ) -> tuple[Floats, Flags]:
        """Return where points (M, 2) are one frame later, and which were found."""
        xy = np.asarray(points_xy, np.float32).copy()
        found = np.ones(len(xy), np.bool_)
        scale = scale_of(before.gray, before.size)
        here = (xy + 0.5) * scale - 0.5
        still = still_points(before.gray, after.gray, before.detail, here, self._still_px * scale)
        moving = np.flatnonzero(~still)
        if moving.size:
            there, found[moving] = _followed(before.gray, after.gray, here[moving], scale)
            there = (there + 0.5) / scale - 0.5
            found[moving] &= inside(there, after.size)
            far = np.linalg.norm(there - xy[moving], axis=1) >= self._still_px
            taken = found[moving] & far
            xy[moving[taken]] = there[taken]
        return xy, found

    def track(self, frames: Image, points_xy: Floats, stamps_ns: NDArray[np.int64]) -> PointTracks:
        """Follow points (N, 2) of the first frame through frames (T, H, W, 3); lost ones hold."""
        return WindowTracker(self).track(frames, points_xy, stamps_ns)


def _followed(before: Gray, after: Gray, here: Floats, scale: Floats) -> tuple[Floats, Flags]:
    """Follow points forward and back, in pixels of the small pictures."""
    start = np.ascontiguousarray(here, np.float32).reshape(-1, 1, 2)
    how: dict[str, Any] = {"winSize": (SIDE, SIDE), "maxLevel": LEVELS - 1, "criteria": STOP}
    there, went, _ = cv2.calcOpticalFlowPyrLK(before, after, start, None, **how)
    back, came, _ = cv2.calcOpticalFlowPyrLK(after, before, there, None, **how)
    apart = np.linalg.norm((back - start)[:, 0] / scale, axis=1)
    found: Flags = (went[:, 0] == 1) & (came[:, 0] == 1) & (apart < RETURN_PX)
    return there[:, 0], found

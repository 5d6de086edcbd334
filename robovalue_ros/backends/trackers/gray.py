"""What trackers of single points look at: small grey pictures, and which parts of them stood still."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Gray = NDArray[np.uint8]

AROUND = 11  # pixels around a point that have to stand still
NOISE_LIMIT = 2.0  # levels; what is above cannot be told from motion
NOISE_MARGIN = 1.3
LEAST_DETAIL = 4.0  # levels over two pixels; plainer parts do not tell whether they move
SPARSE = 4  # every so many pixels are enough to judge a whole picture


def smaller(gray: Gray, shorter: int) -> Gray:
    """Return a picture (H, W) at most `shorter` pixels along its shorter side."""
    height, width = gray.shape
    if min(height, width) <= shorter:
        return gray
    scale = shorter / min(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small: Gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return small


def scale_of(small: Gray, size: tuple[int, ...]) -> Floats:
    """Return how many pixels of a small picture one of the whole picture is, as (x, y)."""
    return np.array([small.shape[1] / size[1], small.shape[0] / size[0]], np.float32)


def detail(gray: Gray) -> Floats:
    """Return how much brightness changes over two pixels around each pixel, in levels."""
    across = cv2.convertScaleAbs(cv2.Sobel(gray, cv2.CV_16S, 1, 0, ksize=1))
    down = cv2.convertScaleAbs(cv2.Sobel(gray, cv2.CV_16S, 0, 1, ksize=1))
    mean: Floats = cv2.boxFilter(cv2.add(across, down), cv2.CV_32F, (AROUND, AROUND))
    return mean


def still_points(
    before: Gray, after: Gray, detail_before: Floats, here: Floats, still: Floats
) -> Flags:
    """Say which points (M, 2) have nothing around them that changed, but for noise and tiny shifts.

    still: the largest shift, (x, y) pixels of these pictures, that counts as none; 0 asks nothing.
    """
    allowed_shift = float(still.min())
    if allowed_shift <= 0.0:
        return np.zeros(len(here), np.bool_)
    around: Floats = cv2.boxFilter(cv2.absdiff(before, after), cv2.CV_32F, (AROUND, AROUND))
    noise = _noise(around)
    if _everything_moves(around, detail_before, noise):
        return np.zeros(len(here), np.bool_)
    allowed: Floats = NOISE_MARGIN * noise + allowed_shift * at(detail_before, here) / 2.0
    return np.less_equal(at(around, here), allowed)


def inside(xy: Floats, size: tuple[int, ...]) -> Flags:
    """Say which points (M, 2) as (x, y) lie on a picture of (height, width)."""
    height, width = size
    on: Flags = (
        (xy[:, 0] >= -0.5) & (xy[:, 1] >= -0.5)
        & (xy[:, 0] < width - 0.5) & (xy[:, 1] < height - 0.5)
    )  # fmt: skip
    return on


def at(picture: Any, xy: Floats) -> Floats:
    """Return a picture's values at positions (M, 2) as (x, y), between pixels and held outside."""
    places = np.ascontiguousarray(xy, np.float32).reshape(-1, 1, 2)
    values: Floats = cv2.remap(
        picture, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return values[:, 0]


def _noise(around: Floats) -> float:
    """Return the change in levels that is there without motion: that of the calmest parts."""
    some = around[::SPARSE, ::SPARSE].ravel()
    place = some.size // 10
    return min(float(np.partition(some, place)[place]), NOISE_LIMIT)


def _everything_moves(around: Floats, detail_before: Floats, noise: float) -> bool:
    """Say whether most of what would show a shift by a pixel has changed: the camera moves.

    Plain parts look the same then although they move, so that nothing may be taken for still.
    """
    changed, shows = around[::SPARSE, ::SPARSE], detail_before[::SPARSE, ::SPARSE]
    telling = shows >= 4.0 * noise + LEAST_DETAIL
    moved = changed[telling] > NOISE_MARGIN * noise + shows[telling] / 8.0
    return moved.size > 0 and float(moved.mean()) > 0.5

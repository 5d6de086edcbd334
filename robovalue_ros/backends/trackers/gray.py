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
    """Return how much brightness changes per pixel around each pixel, in levels."""
    across = cv2.convertScaleAbs(cv2.Sobel(gray, cv2.CV_16S, 1, 0, ksize=1))
    down = cv2.convertScaleAbs(cv2.Sobel(gray, cv2.CV_16S, 0, 1, ksize=1))
    mean: Floats = cv2.boxFilter(cv2.add(across, down), cv2.CV_32F, (AROUND, AROUND))
    return mean / 2.0


def still_points(
    before: Gray, after: Gray, detail_before: Floats, here: Floats, still: Floats
) -> Flags:
    """Say which points (M, 2) have nothing around them that changed, but for noise and tiny shifts.

    still: the largest shift, (x, y) pixels of these pictures, that counts as none; 0 asks nothing.
    """
    allowed_shift = float(still.min())
    if allowed_shift <= 0.0:
        return np.zeros(len(here), np.bool_)
    around, noise = _change(before, after)
    allowed: Floats = NOISE_MARGIN * noise + allowed_shift * at(detail_before, here)
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


def _change(before: Gray, after: Gray) -> tuple[Floats, float]:
    """Return the mean change around each pixel in levels, and how much of it is noise.

    The noise is what most of the picture changes by: the median, as long as that is small. In the
    picture of a camera that moves it is not, and then the limit counts.
    """
    difference = cv2.absdiff(before, after)
    counts = cv2.calcHist([difference], [0], None, [256], [0, 256]).ravel()
    median = float(np.searchsorted(np.cumsum(counts), difference.size / 2.0))
    around: Floats = cv2.boxFilter(difference, cv2.CV_32F, (AROUND, AROUND))
    return around, min(median, NOISE_LIMIT)

"""Pictures made smaller by OpenCV, for every door that cuts streams: fast, the same on every machine."""

from __future__ import annotations

import cv2

from robovalue_ros.contracts.frames import Image
from robovalue_ros.segment.pictures import Gray, Imaging


def fast_imaging() -> Imaging:
    """Return how OpenCV makes pictures smaller; it pickles."""
    return Imaging(resize=_resize, gray=_gray)


def _resize(image: Image, shape: tuple[int, int]) -> Image:
    small: Image = cv2.resize(image, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return small


def _gray(image: Image, shape: tuple[int, int]) -> Gray:
    gray: Gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if gray.shape != shape:
        gray = cv2.resize(gray, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return gray

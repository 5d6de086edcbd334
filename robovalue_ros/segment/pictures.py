"""Pictures made smaller by area averaging, and their grey version."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.validate import describe, require

Gray = NDArray[np.uint8]


def area_resized(image: Image, shape: tuple[int, int]) -> Image:
    """Return an (H, W, C) uint8 picture with the given height and width; each pixel averages
    the area that it covers."""
    require(
        image.ndim == 3 and image.dtype == np.uint8 and image.size > 0,
        "image", "a uint8 array (H, W, C)", describe(image),
    )  # fmt: skip
    if image.shape[:2] == shape:
        return image
    return _averaged(image, shape)


def area_gray(image: Image, shape: tuple[int, int]) -> Gray:
    """Return the brightness of an RGB picture, averaged like `area_resized`, as (h, w) uint8."""
    bright = gray(image)
    return bright if bright.shape == shape else _averaged(bright[..., None], shape)[..., 0]


@dataclass(frozen=True, slots=True)
class Imaging:
    """How pictures are made smaller: (picture, (height, width)) to a picture or its brightness.

    A faster library may stand in; its rounding may differ by one level.
    """

    resize: Callable[[Image, tuple[int, int]], Image] = area_resized
    gray: Callable[[Image, tuple[int, int]], Gray] = area_gray


def _averaged(image: Image, shape: tuple[int, int]) -> Image:
    height, width, channels = image.shape
    rows = _area_weights(height, shape[0]) @ image.reshape(height, -1).astype(np.float32)
    across = rows.reshape(shape[0], width, channels).swapaxes(0, 1).reshape(width, -1)
    columns = _area_weights(width, shape[1]) @ across
    mean = columns.reshape(shape[1], shape[0], channels).swapaxes(0, 1)
    small: Image = np.ascontiguousarray(np.rint(mean).clip(0, 255)).astype(np.uint8)
    return small


def gray(image: Image) -> Gray:
    """Return the brightness (H, W) uint8 of an RGB picture (H, W, 3).

    Integer weights of 15 bits, as the usual imaging libraries use them.
    """
    weights = np.array([9798, 19235, 3735], np.float32)  # exact: sums stay below 2 ** 24
    total = image.astype(np.float32) @ weights
    small: Gray = ((total.astype(np.int32) + (1 << 14)) >> 15).astype(np.uint8)
    return small


@functools.lru_cache(maxsize=32)
def _area_weights(length: int, side: int) -> Any:
    """Return sparse (side, length) weights: row i averages the i-th part of `length` pixels."""
    edges = np.linspace(0.0, length, side + 1)
    rows, columns, shares = [], [], []
    for row in range(side):
        low, high = edges[row], edges[row + 1]
        for pixel in range(int(low), min(length, int(np.ceil(high)))):
            share = min(high, pixel + 1) - max(low, pixel)
            if share > 0.0:
                rows.append(row)
                columns.append(pixel)
                shares.append(share / (high - low))
    return sparse.csr_array(
        (np.array(shares, np.float32), (rows, columns)), shape=(side, length), dtype=np.float32
    )

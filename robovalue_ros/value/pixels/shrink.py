"""Pictures of any size, made small by area averaging."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.frames import FrameSource, Image
from robovalue_ros.contracts.validate import describe, require
from robovalue_ros.value.one_thread import one_thread_products

SIDE = 64


@functools.lru_cache(maxsize=64)
def area_weights(length: int, side: int) -> NDArray[np.float32]:
    """Return (side, length) weights: row i averages the i-th part of `length` pixels."""
    edges = np.linspace(0.0, length, side + 1)
    low, high = edges[:-1, None], edges[1:, None]
    pixel = np.arange(length)[None, :]
    overlap = np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0.0, None)
    weights: NDArray[np.float32] = (overlap / (high - low)).astype(np.float32)
    weights.flags.writeable = False
    return weights


def shrink(image: Image) -> NDArray[np.float32]:
    """Return a picture (H, W, 3) uint8 as (SIDE, SIDE, 3) float32 in 0..1.

    Raises ContractError for anything that is no picture.
    """
    require(
        image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8 and image.size > 0,
        "image", "a uint8 array (H, W, 3)", describe(image),
    )  # fmt: skip
    height, width = image.shape[:2]
    if height % SIDE == 0 and width % SIDE == 0:
        return _whole_blocks(image, height // SIDE, width // SIDE)
    with one_thread_products():
        if width % SIDE == 0:
            columns = _whole_blocks_across(image, width // SIDE)
        else:
            columns = area_weights(width, SIDE) @ image.astype(np.float32)
        rows = area_weights(height, SIDE) @ columns.reshape(height, -1)
    small: NDArray[np.float32] = rows.reshape(SIDE, SIDE, 3) * np.float32(1 / 255)
    return small


def shrunk(image: Image) -> Image:
    """Return a picture as fitting and caches keep it: (SIDE, SIDE, 3) uint8, rounded."""
    small: Image = np.rint(shrink(image) * np.float32(255.0)).astype(np.uint8)
    return small


def shrunk_frames(source: FrameSource) -> Image:
    """Read all frames of a camera in one pass as small pictures (T, SIDE, SIDE, 3) uint8."""
    small = np.empty((len(source), SIDE, SIDE, 3), np.uint8)
    for row, image in enumerate(source.iterate()):
        small[row] = shrunk(image)
    return small


def _whole_blocks(image: Image, down: int, across: int) -> NDArray[np.float32]:
    """Average blocks of whole pixels; sums of integers, so much faster than two products."""
    total = np.zeros((SIDE, SIDE, 3), np.uint32 if down * across > 256 else np.uint16)
    for row in range(down):
        for column in range(across):
            total += image[row::down, column::across]
    small: NDArray[np.float32] = total * np.float32(1.0 / (255.0 * down * across))
    return small


def _whole_blocks_across(image: Image, across: int) -> NDArray[np.float32]:
    """Average whole pixels of each row: the cheap half of the work for pictures such as 640x480.

    Turned first, so that sums run along the memory; sums of integers, so the order is free.
    """
    height = len(image)
    turned = np.ascontiguousarray(image.reshape(height * SIDE, across * 3).T)
    kind = np.uint32 if across > 256 else np.uint16
    total = np.add.reduce(turned.reshape(across, 3, height * SIDE), axis=0, dtype=kind)
    averaged: NDArray[np.float32] = np.ascontiguousarray(total.T).reshape(
        height, SIDE, 3
    ) * np.float32(1.0 / across)
    return averaged

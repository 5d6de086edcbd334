"""The points that are followed: the centres of a square grid of cells over the whole picture."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.validate import require

Points = NDArray[np.float32]

TRACKS = 400


def cells_per_side(tracks: int) -> int:
    """Return how many cells stand along a side, for at most `tracks` points."""
    require(tracks >= 1, "tracks", "at least one point", tracks)
    return math.isqrt(tracks)


def grid_points(tracks: int, height: int, width: int) -> Points:
    """Return pixel positions (N, 2) as (x, y), N = cells_per_side ** 2, row after row.

    Training and streaming both follow exactly these points.
    """
    centres = (_centres(cells_per_side(tracks)) + 1.0) / 2.0
    x, y = np.meshgrid(centres * width, centres * height)
    points: Points = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)
    return points


def reference_grid(tracks: int) -> NDArray[np.float64]:
    """Return the normalised (row, column) points (N, 2) of older training data.

    Column after column: the row varies fastest.
    """
    centres = _centres(cells_per_side(tracks))
    column, row = np.meshgrid(centres, centres, indexing="ij")
    return np.stack([row.ravel(), column.ravel()], axis=1)


def reference_grid_points(tracks: int, height: int) -> Points:
    """Return pixel positions (N, 2) as (x, y) of older training data.

    Both axes are scaled by the height, so a wide picture is only covered on its left.
    """
    pixels = (reference_grid(tracks)[:, ::-1] + 1.0) * height / 2.0
    points: Points = pixels.astype(np.float32)
    return points


def _centres(cells: int) -> NDArray[np.float64]:
    return -1.0 + (2.0 * np.arange(cells) + 1.0) / cells

"""From followed points to velocities: one rule for training and for streaming.

Lengths are in half pictures: a picture reaches from -1 to 1 along each axis, rows by its height
and columns by its width. The axis order is (row, column).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from robovalue_ros.contracts.types import Array
from robovalue_ros.contracts.validate import describe, require

Floats = NDArray[np.float32]
Interpolation = Literal["linear", "cubic"]


def normalised(points_rc: Array, size: tuple[int, int]) -> Floats:
    """Return pixel positions (..., 2) as (row, column) in -1..1; outside counts as the border.

    size: height and width of the picture that the pixels belong to.
    """
    half = np.array(size, np.float64) / 2.0
    unit: Floats = np.clip((points_rc - half) / half, -1.0, 1.0).astype(np.float32)
    return unit


def velocities(xy_NT2: Array, size: tuple[int, int], *, compat: bool = False) -> Floats:
    """Return the velocities (T-1, N, 2) of points (N, T, 2) in pixels (x, y).

    A position that is not a number is where the point was last (or first) seen; compat puts it at
    pixel 0, as older tools did.
    """
    require(
        xy_NT2.ndim == 3 and xy_NT2.shape[2] == 2 and xy_NT2.shape[1] >= 2,
        "tracks", "shape (N, T, 2) with at least two frames", describe(xy_NT2),
    )  # fmt: skip
    return np.diff(track_points(xy_NT2, size, compat=compat), axis=0)


def track_points(xy_NT2: Array, size: tuple[int, int], *, compat: bool = False) -> Floats:
    """Return normalised positions (T, N, 2) as (row, column) of points (N, T, 2) in pixels."""
    known = np.logical_and.reduce(np.isfinite(xy_NT2), axis=2, dtype=np.bool_)
    if known.all():
        xy = xy_NT2
    elif compat:
        xy = np.where(np.isfinite(xy_NT2), xy_NT2, 0.0)
    else:
        xy = _held(xy_NT2, known)
    return normalised(xy[..., ::-1].swapaxes(0, 1), size)


def in_time(points_T: Array, length: int, how: Interpolation = "linear") -> Floats:
    """Return positions (T, ...) spread over `length` moments, end points kept."""
    count = len(points_T)
    if count == length:
        return np.asarray(points_T, np.float32)
    require(count >= 2, "points", "at least two moments", count)
    have, want = np.linspace(0.0, 1.0, count), np.linspace(0.0, 1.0, length)
    if how == "cubic":
        return np.asarray(CubicSpline(have, points_T, axis=0)(want), np.float32)
    place = want * (count - 1)
    low = np.minimum(place.astype(np.int64), count - 2)
    share = (place - low).reshape(-1, *[1] * (points_T.ndim - 1))
    mixed: Floats = ((1.0 - share) * points_T[low] + share * points_T[low + 1]).astype(np.float32)
    return mixed


def reference_velocities(xy_NT2: Array, window_size: int = 480) -> Floats:
    """Return velocities (T-1, N, 2) as older streams had them: (x, y), one scale for both axes."""
    speed: Floats = (np.diff(xy_NT2, axis=1).swapaxes(0, 1) / (window_size / 2.0)).astype(
        np.float32
    )
    return speed


def _held(xy_NT2: Array, known_NT: NDArray[np.bool_]) -> Array:
    """Fill unknown moments with the last known position, leading ones with the first."""
    frames = np.arange(xy_NT2.shape[1])
    last = np.maximum.accumulate(np.where(known_NT, frames, -1), axis=1)
    first = np.where(known_NT.any(axis=1), known_NT.argmax(axis=1), 0)
    source = np.where(last < 0, first[:, None], last)
    filled = np.take_along_axis(xy_NT2, source[..., None], axis=1)
    return np.where(np.isfinite(filled), filled, 0.0)  # never seen: a point that does not move

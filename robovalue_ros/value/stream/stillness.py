"""From demonstrations: how little the pictures change while nothing moves."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.frames import Image
from robovalue_ros.value.pixels.looking import unit
from robovalue_ros.value.stream.flags import change, coarse

WINDOW_S = 0.5
STILL_SHARE = 0.3
STILL_QUANTILE = 0.2
LEAST_STILL = 0.5  # grey levels


def picture_changes(pictures: Image, stamps_ns: NDArray[np.int64]) -> list[float]:
    """Return by how much the coarse pictures change within half a second, every second frame.

    pictures: (T, cameras, S, S, 3), small.
    """
    changes = []
    shown = [[coarse(unit(picture)) for picture in row] for row in pictures]
    later = np.searchsorted(stamps_ns, stamps_ns + int(WINDOW_S * 1e9))
    for row in range(0, len(stamps_ns), 2):
        if later[row] < len(stamps_ns):
            pairs = zip(shown[row], shown[later[row]], strict=True)
            changes.append(max(change(before, now) for before, now in pairs))
    return changes


def still_limit(changes: Iterable[float]) -> float:
    """Return the change of the coarse picture below which nothing moves, grey levels.

    A share of what quiet movement changes within half a second, so that it lies above sensor noise
    and below the slowest motion that demonstrations show.
    """
    moved = [value for value in changes if value > LEAST_STILL]  # the rest are pauses
    if not moved:
        return LEAST_STILL
    return max(LEAST_STILL, STILL_SHARE * float(np.quantile(moved, STILL_QUANTILE)))

"""From segments with rests between them to moments at which one ends and the next begins."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.segment.boundaries import Interval


def cuts(segments: Sequence[Interval]) -> NDArray[np.float64]:
    """Return the middle between each segment's end and the beginning of the next, in order.

    A rest between two actions is one boundary, not two. Rests before the first and after the last
    segment are none: whoever waits has not changed what he does.
    """
    ordered = sorted(segments)
    return np.array([(before[1] + after[0]) / 2.0 for before, after in pairwise(ordered)])


def pieces(cut_times: Sequence[float] | NDArray[np.float64], duration: float) -> list[Interval]:
    """Return the segments without rests that cuts inside 0..duration make."""
    inside = sorted({float(time) for time in cut_times if 0.0 < time < duration})
    return list(pairwise([0.0, *inside, duration]))

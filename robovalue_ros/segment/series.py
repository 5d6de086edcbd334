"""Actions of a whole series of energies at once, as the threshold tools find them.

The rules differ from the stream's in small ways that stored thresholds were fitted with: the
window that begins an action cannot end it, the length counts from the window after it, and a
fall counts before the longest duration.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robovalue_ros.contracts.types import Array
from robovalue_ros.contracts.validate import require
from robovalue_ros.segment.hysteresis import HysteresisOptions

Span = tuple[int, int]


def series_segments(series_T: Array | Sequence[float], options: HysteresisOptions) -> list[Span]:
    """Return the windows [start, stop) of every action of a series (T,).

    max_duration_windows alone limits the duration; `step_limit` turns seconds into it.
    """
    on = options.threshold
    off = on * options.hysteresis_ratio
    up, down = max(1, options.up_count), max(1, options.down_count)
    longest = options.max_duration_windows
    found: list[Span] = []
    start: int | None = None
    high = low = cool = length = 0
    values = np.asarray(series_T, np.float64).tolist()
    for window, energy in enumerate(values):
        cool = max(0, cool - 1)
        if start is None:
            high = high + 1 if energy >= on else 0
            if cool == 0 and high >= up:
                start, length, low = window, 0, 0
            continue
        length += 1
        low = low + 1 if energy < off else 0
        if low >= down or 0 < longest <= length:
            found.append((start, window + 1))
            start, high, low, cool = None, 0, 0, options.cooldown_windows
    if start is not None:
        found.append((start, len(values)))
    return found


def step_limit(seconds: float, step_s: float) -> int:
    """Return a longest duration in windows `step_s` apart; may be 0, which is no limit."""
    require(step_s > 0.0, "step_s", "a positive number", step_s)
    return round(seconds / step_s)


def span_seconds(span: Span, step_s: float) -> tuple[float, float]:
    """Return when windows [start, stop), `step_s` apart, begin and end."""
    return span[0] * step_s, span[1] * step_s


def grouped(values_T: Array | Sequence[float], stride: int) -> Array:
    """Return the means of `stride` values each; the last group may be shorter.

    For energies per frame, such as those of optical flow; energies per window are strided already.
    """
    require(stride >= 1, "stride", "at least 1", stride)
    values = np.asarray(values_T, np.float64)
    return np.array([values[at : at + stride].mean() for at in range(0, len(values), stride)])

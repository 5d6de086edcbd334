"""Which frames are looked at, when a source is faster than the rate that is asked for."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.validate import require

SECOND = 1_000_000_000
ROUNDING_NS = 1_000  # stamps of recordings are rounded; a microsecond is far below any period


class SlotClock:
    """Keeps the first frame of every period; periods without a frame are skipped, not made up.

    The first frame starts the first period. Periods are counted, not summed up, so that nothing
    drifts. early: share of a period that a frame may come before its time, for cameras
    that run about as fast as `target_fps` and are not quite even. target_fps <= 0 keeps everything.
    """

    def __init__(self, target_fps: float, early: float = 0.0) -> None:
        require(0.0 <= early < 1.0, "early", "a share in [0, 1)", early)
        self._fps = float(target_fps)
        self._slack_ns = ROUNDING_NS + (early * SECOND / self._fps if self._fps > 0.0 else 0.0)
        self._first_ns: int | None = None
        self._slot = 0

    def keep(self, stamp_ns: int) -> bool:
        """Say whether the frame at `stamp_ns` is one to look at."""
        if self._fps <= 0.0:
            return True
        if self._first_ns is None:
            self._first_ns = stamp_ns
            return True
        slot = math.floor((stamp_ns - self._first_ns + self._slack_ns) * self._fps / SECOND)
        if slot <= self._slot:
            return False
        self._slot = slot
        return True


class DoubleStartClock:
    """The slot clock that stored live recordings were made with: its first two polls both count.

    now_s: seconds of a monotonic clock.
    """

    def __init__(self, target_fps: float) -> None:
        self._period = 1.0 / target_fps if target_fps > 0.0 else 0.0
        self._next: float | None = None

    def keep(self, now_s: float) -> bool:
        """Say whether the poll at `now_s` takes a frame."""
        if self._period <= 0.0:
            return True
        if self._next is None:
            self._next = now_s
            return True
        if now_s + 1e-9 < self._next:
            return False
        while self._next <= now_s:
            self._next += self._period
        return True


def time_driven_indices(count: int, fps_in: float, target_fps: float) -> NDArray[np.int64]:
    """Return which of `count` evenly recorded frames are kept for `target_fps`.

    A frame is kept when its time reaches the next due time; a due time follows each kept frame.
    """
    require(fps_in > 0.0, "fps_in", "a positive rate", fps_in)
    if target_fps <= 0.0:
        return np.arange(count, dtype=np.int64)
    kept: list[int] = []
    for index in range(count):
        if index / fps_in + 1e-6 >= len(kept) / target_fps:
            kept.append(index)
    return np.array(kept, np.int64)


def decimation_step(fps_in: float, target_fps: float) -> int:
    """Return the whole step n of "keep every n-th frame"; 1 where a rate is unknown."""
    if fps_in <= 0.0 or target_fps <= 0.0:
        return 1
    return max(1, round(fps_in / target_fps))

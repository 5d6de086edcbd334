"""A node's clock as the port `Clock`: the wall's, or a simulator's that may stand still."""

from __future__ import annotations

import threading
import time
from typing import Any

POLL_S = 0.002
LONGEST_NAP_S = 0.05


class RosClock:
    """Time of a ROS clock. Works from any thread, while somebody spins the node.

    A simulator's clock that stands for longer than `stalled_s` is taken to be lost, and time runs on
    by the wall until it is heard again: otherwise the sensors of a simulator that is gone would stay
    fresh for ever. limit_s: `sleep_until` never takes longer than this by the wall; None: no limit.
    """

    def __init__(self, clock: Any, stalled_s: float = 0.5, limit_s: float | None = None) -> None:
        self._clock, self._stalled_s, self._limit_s = clock, stalled_s, limit_s
        self._lock = threading.Lock()
        self._last_ns = -1
        self._since_s = 0.0

    @property
    def simulated(self) -> bool:
        """Whether /clock tells the time."""
        return bool(self._clock.ros_time_is_active)

    def now_ns(self) -> int:
        told_ns = int(self._clock.now().nanoseconds)
        if not self.simulated:
            return told_ns
        with self._lock:
            now_s = time.monotonic()
            if told_ns != self._last_ns:
                self._last_ns, self._since_s = told_ns, now_s
            beyond_s = now_s - self._since_s - self._stalled_s
            return told_ns + max(0, round(beyond_s * 1e9))

    def sleep_until(self, stamp_ns: int) -> None:
        end_s = None if self._limit_s is None else time.monotonic() + self._limit_s
        while (left_ns := stamp_ns - self.now_ns()) > 0:
            nap_s = POLL_S if self.simulated else min(left_ns / 1e9, LONGEST_NAP_S)
            if end_s is not None:
                nap_s = min(nap_s, end_s - time.monotonic())
                if nap_s <= 0:
                    return
            time.sleep(nap_s)

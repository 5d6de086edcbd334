"""The clock of this machine."""

from __future__ import annotations

import time


class WallClock:
    """Time since 1970, the clock that a robot's stamps are of unless it is simulated."""

    def now_ns(self) -> int:
        return time.time_ns()

    def sleep_until(self, stamp_ns: int) -> None:
        # Clocks are set and sleeps may end early: look again, and never sleep long at once.
        while (left_ns := stamp_ns - time.time_ns()) > 0:
            time.sleep(min(left_ns / 1e9, 0.05))

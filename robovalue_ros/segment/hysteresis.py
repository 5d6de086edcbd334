"""When an action begins and ends, decided from one energy after the other."""

from __future__ import annotations

from dataclasses import dataclass

from robovalue_ros.contracts.config import option
from robovalue_ros.contracts.validate import require


@dataclass(frozen=True, slots=True)
class HysteresisOptions:
    """The guards of the state machine. Counts are in windows.

    A cooldown of c blocks the c - 1 windows after a segment, so that 0 and 1 are the same.
    """

    threshold: float = option(
        0.002, "energy from which an action begins; depends on the source of the energy: the "
        "default is about what parts motion from stillness in velocities of robot videos",
        live=True,
    )  # fmt: skip
    hysteresis_ratio: float = option(
        0.95, "an action ends below threshold times this", low=0.0, high=1.0, live=True
    )
    up_count: int = option(
        2, "windows in a row above the threshold that begin an action", low=0, live=True
    )
    down_count: int = option(2, "windows in a row below it that end an action", low=0, live=True)
    cooldown_windows: int = option(
        1, "windows after an action before the next may begin", low=0, live=True
    )
    max_duration_seconds: float = option(
        2.0, "longest action, seconds; 0: no limit", low=0.0, live=True
    )
    max_duration_windows: int = option(
        0, "longest action, windows; 0: by seconds", low=0, live=True
    )

    def longest(self, windows_per_second: float) -> int:
        """Return the most windows an action may have; 0: no limit."""
        if self.max_duration_windows > 0:
            return self.max_duration_windows
        if self.max_duration_seconds > 0.0:
            return max(1, round(self.max_duration_seconds * max(1.0, windows_per_second)))
        return 0


@dataclass(frozen=True, slots=True)
class Step:
    """What one window did. active: it belongs to an action. began, ended: it is its first, last."""

    active: bool
    began: bool
    ended: bool


IDLE = Step(active=False, began=False, ended=False)


class Hysteresis:
    """The state machine. Windows are named, so that one that was left out only lets time pass.

    longest: most windows of an action, 0 for no limit.
    """

    def __init__(self, options: HysteresisOptions, longest: int) -> None:
        self._options = options
        self._longest = longest
        self._last: int | None = None
        self._first: int | None = None
        self._high = self._low = self._cool = 0

    @property
    def active(self) -> bool:
        """Whether an action is open."""
        return self._first is not None

    def tune(self, options: HysteresisOptions, longest: int) -> None:
        """Use other guards from the next window on."""
        self._options, self._longest = options, longest

    def push(self, window: int, energy: float) -> Step:
        """Take the energy of a window; raises ContractError unless windows come in order."""
        require(
            self._last is None or window > self._last,
            "window", f"a number above {self._last}", window,
        )  # fmt: skip
        passed = 1 if self._last is None else window - self._last
        self._last = window
        self._cool = max(0, self._cool - passed)
        began = self._first is None and self._begins(energy)
        if began:
            self._first = window
            self._high = self._low = 0
        if self._first is None:
            return IDLE
        ended = self._ends(window - self._first + 1, energy)
        if ended:
            self._cool = max(self._cool, self._options.cooldown_windows)
            self._first = None
        return Step(True, began, ended)

    def close(self) -> None:
        """Close an open action: nothing more will come."""
        self._first = None

    def _begins(self, energy: float) -> bool:
        """Count high windows, also while cooling down."""
        self._high = self._high + 1 if energy >= self._options.threshold else 0
        return self._cool == 0 and self._high >= max(1, self._options.up_count)

    def _ends(self, length: int, energy: float) -> bool:
        if 0 < self._longest <= length:
            return True
        below = energy < self._options.threshold * self._options.hysteresis_ratio
        self._low = self._low + 1 if below else 0
        return self._low >= max(1, self._options.down_count)

"""Which keys step where, and when a key that is held down steps again."""

from __future__ import annotations

STEPS = {
    "a": -1, "left": -1, "d": 1, "right": 1, "w": -10, "up": -10, "s": 10, "down": 10,
}  # fmt: skip
QUIT = ("q", "escape")
HELP = "A / ←  back 1     D / →  on 1     W / ↑  back 10     S / ↓  on 10     click: go there     Q / Esc  quit"
FIRST_REPEAT_S = 0.35
GRACE_S = 0.04


class HeldKey:
    """Turns presses, releases and ticks of a clock into steps; times in seconds.

    A keyboard that repeats by itself sends pairs of release and press while a key is down. A
    release therefore counts only when no press follows at once, and the pace is ours.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval = interval_s
        self._key: str | None = None
        self._due = 0.0
        self._released: float | None = None

    @property
    def down(self) -> bool:
        return self._key is not None

    def press(self, key: str, now_s: float) -> int:
        """Return the step of a press, 0 for a key that does not step or is down already."""
        self._settle(now_s)
        self._released = None
        key = key.lower()
        if key not in STEPS or key == self._key:
            return 0
        self._key, self._due = key, now_s + max(FIRST_REPEAT_S, self._interval)
        return STEPS[key]

    def release(self, key: str, now_s: float) -> None:
        if key.lower() == self._key:
            self._released = now_s

    def tick(self, now_s: float) -> int:
        """Return the step of a key that is still down and whose time has come, else 0."""
        self._settle(now_s)
        if self._key is None or now_s < self._due:
            return 0
        # Late ticks do not pile up: where painting is slow, fewer frames are shown.
        self._due = now_s + self._interval
        return STEPS[self._key]

    def _settle(self, now_s: float) -> None:
        if self._released is not None and now_s - self._released > GRACE_S:
            self._key = self._released = None

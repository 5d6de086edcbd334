"""What a node noticed lately and tells in its diagnostics."""

from __future__ import annotations

import threading

NOTE_S = 5.0


class Notes:
    """What was noticed lately, the newest of each place; any thread may add."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notes: dict[str, tuple[str, float]] = {}

    def add(self, where: str, what: str, now_s: float) -> None:
        with self._lock:
            self._notes[where] = (what, now_s)

    def recent(self, now_s: float) -> dict[str, str]:
        """Return what is not older than a few seconds, by place."""
        with self._lock:
            return {
                where: what for where, (what, at) in self._notes.items() if now_s - at <= NOTE_S
            }

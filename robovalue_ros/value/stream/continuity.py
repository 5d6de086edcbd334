"""Does the next frame continue the try, begin a new one, or come too late to count?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from robovalue_ros.value.stream.pairing import LATE_NS

Kind = Literal["first", "next", "gap", "again", "late", "back", "jump"]
"""again: the same stamp. late: slightly older than the last. back: much older, as when a bag begins
again or a clock is set back. gap: a pause. jump: so far ahead that nobody knows what happened."""

GAP_NS = 1_000_000_000
JUMP_NS = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with a frame. accept: push it. reset: begin a new try before that."""

    kind: Kind
    accept: bool
    reset: bool
    step_ns: int


class Continuity:
    """Judges the stamps of frames, one after the other; frames it accepts increase in stamp.

    late_ns: what is at most that much older than the last frame only came late. gap_ns: a longer
    pause is told. jump_ns: after a longer one a new try begins.
    """

    def __init__(
        self, late_ns: int = LATE_NS, gap_ns: int = GAP_NS, jump_ns: int = JUMP_NS
    ) -> None:
        self._late, self._gap, self._jump = late_ns, gap_ns, jump_ns
        self._last: int | None = None
        self.counts: dict[Kind, int] = dict.fromkeys(
            ("first", "next", "gap", "again", "late", "back", "jump"), 0
        )

    def reset(self) -> None:
        """Forget the last frame: any stamp may follow."""
        self._last = None

    def judge(self, stamp_ns: int) -> Verdict:
        """Return what to do with a frame of this stamp."""
        if self._last is None:
            verdict = Verdict("first", True, False, 0)
        else:
            verdict = self._compare(stamp_ns - self._last)
        if verdict.accept:
            self._last = stamp_ns
        self.counts[verdict.kind] += 1
        return verdict

    def _compare(self, step_ns: int) -> Verdict:
        if step_ns == 0:
            return Verdict("again", False, False, step_ns)
        if step_ns < -self._late:
            return Verdict("back", True, True, step_ns)
        if step_ns < 0:
            return Verdict("late", False, False, step_ns)
        if step_ns > self._jump:
            return Verdict("jump", True, True, step_ns)
        return Verdict("gap" if step_ns > self._gap else "next", True, False, step_ns)

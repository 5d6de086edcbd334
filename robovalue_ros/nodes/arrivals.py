"""What comes from the cameras, matched to moments, also when their stamps begin again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from robovalue_ros.nodes.continuity import LATE_NS
from robovalue_ros.value.stream.pairing import Matched, Pairing, Tally

T = TypeVar("T")


class Arrivals(Generic[T]):
    """Matches pictures by stamp as the bag scorer does, and starts over when stamps go back.

    A camera whose stamps go back by more than `LATE_NS` (a bag that begins again, a clock that was
    set) starts over for all: what waited for partners is given up and counted as unused.
    """

    def __init__(
        self, cameras: Sequence[str], tolerance_ns: int, wait_ns: int, lost_ns: int
    ) -> None:
        self._cameras = tuple(cameras)
        self._pairing: Pairing[T] = Pairing(self._cameras, tolerance_ns, wait_ns, lost_ns)
        self._last: dict[str, int] = {}
        self._before = {name: Tally() for name in self._cameras}
        self.restarts = 0

    def adjust(self, tolerance_ns: int, wait_ns: int, lost_ns: int) -> list[Matched[T]]:
        """Change the limits; return what was waiting, as the old limits leave it."""
        waiting = self._pairing.flush()
        self._before = self.tallies
        self._pairing = Pairing(self._cameras, tolerance_ns, wait_ns, lost_ns)
        return waiting

    def add(self, camera: str, stamp_ns: int, item: T) -> list[Matched[T]]:
        """Take a picture; return the moments that are certain now, oldest first."""
        last = self._last.get(camera)
        if last is not None and last - stamp_ns > LATE_NS:
            self._pairing.reset()
            self._last.clear()
            self.restarts += 1
        if last is None or stamp_ns > last or last - stamp_ns > LATE_NS:
            self._last[camera] = stamp_ns
        return self._pairing.add(camera, stamp_ns, item)

    def flush(self) -> list[Matched[T]]:
        """Return the moments that still wait, with what is there."""
        return self._pairing.flush()

    @property
    def tallies(self) -> dict[str, Tally]:
        """What became of the pictures of each camera since the beginning."""
        return {
            name: Tally(
                seen=old.seen + new.seen,
                used=old.used + new.used,
                unused=old.unused + new.unused,
                late=old.late + new.late,
                missed=old.missed + new.missed,
            )
            for name, old in self._before.items()
            for new in (self._pairing.tallies[name],)
        }

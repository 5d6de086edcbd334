"""Pictures of several cameras that belong to one moment, matched by their stamps.

Only stamps decide, never the time of arrival, so the same pictures in the same order always give
the same moments.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from robovalue_ros.contracts.validate import require
from robovalue_ros.nodes.continuity import LATE_NS

T = TypeVar("T")
MOST_WAITING = 64  # pictures of one camera


@dataclass(frozen=True, slots=True)
class Moment(Generic[T]):
    """Pictures that belong together. stamp_ns: of the first listed camera that is there."""

    stamp_ns: int
    pictures: Mapping[str, T]


@dataclass(slots=True)
class _Lane(Generic[T]):
    """What one camera has brought and nobody has taken yet, stamps increasing."""

    last_ns: int | None
    waiting: deque[tuple[int, T]]


class Pairing(Generic[T]):
    """Collects pictures into moments, oldest first.

    tolerance_ns: largest distance of stamps within a moment. wait_ns: a moment goes out without a
    camera when the stamps of others are so much further on. lost_ns: nobody waits for a camera
    that is silent for longer.

    Every picture pushed is part of a moment, waiting, or counted: in `late` (older than the last
    of its camera, or as old) or in `overrun` (too many waited, or the stamps began again before
    its partners came). `missed` counts, by camera, moments without it. When the stamps of a camera
    go back by more than `LATE_NS`, everything begins anew.
    """

    def __init__(
        self, cameras: Sequence[str], tolerance_ns: int, wait_ns: int, lost_ns: int
    ) -> None:
        require(len(set(cameras)) == len(cameras) > 0, "cameras", "different names", list(cameras))
        self._lanes: dict[str, _Lane[T]] = {name: _Lane(None, deque()) for name in cameras}
        self.missed = dict.fromkeys(cameras, 0)
        self.late = self.overrun = 0
        self._begun_ns: int | None = None
        self.adjust(tolerance_ns, wait_ns, lost_ns)

    def adjust(self, tolerance_ns: int, wait_ns: int, lost_ns: int) -> None:
        """Change the limits."""
        require(min(tolerance_ns, wait_ns, lost_ns) >= 0, "limits", "numbers >= 0", "less")
        self._tolerance, self._wait, self._lost = tolerance_ns, wait_ns, lost_ns

    @property
    def waiting(self) -> int:
        """How many pictures wait for their partners."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    def push(self, camera: str, stamp_ns: int, picture: T) -> list[Moment[T]]:
        """Take a picture; return the moments that are complete, or wait no longer."""
        lane = self._lanes[camera]
        if lane.last_ns is not None and stamp_ns <= lane.last_ns:
            if lane.last_ns - stamp_ns <= LATE_NS:
                self.late += 1
                return []
            self._begin_anew()
        lane.last_ns = stamp_ns
        if self._begun_ns is None:
            self._begun_ns = stamp_ns
        lane.waiting.append((stamp_ns, picture))
        if len(lane.waiting) > MOST_WAITING:
            lane.waiting.popleft()
            self.overrun += 1
        moments = []
        while (oldest := self._ready()) is not None:
            moments.append(self._take(oldest))
        return moments

    def flush(self) -> list[Moment[T]]:
        """Return everything that waits, complete or not."""
        moments = []
        while (oldest := self._oldest()) is not None:
            moments.append(self._take(oldest))
        return moments

    def _begin_anew(self) -> None:
        self.overrun += self.waiting
        self._begun_ns = None
        for lane in self._lanes.values():
            lane.last_ns = None
            lane.waiting.clear()

    def _oldest(self) -> int | None:
        heads = (lane.waiting[0][0] for lane in self._lanes.values() if lane.waiting)
        return min(heads, default=None)

    def _ready(self) -> int | None:
        """Return the stamp of the oldest moment if nothing better can come for it."""
        oldest = self._oldest()
        if oldest is None:
            return None
        newest = max(lane.last_ns for lane in self._lanes.values() if lane.last_ns is not None)
        if newest - oldest > self._wait:
            return oldest
        for lane in self._lanes.values():
            # A camera with something waiting is part of the moment, or already further on.
            if not lane.waiting and not self._silent(lane, newest):
                return None
        return oldest

    def _silent(self, lane: _Lane[T], newest_ns: int) -> bool:
        last = self._begun_ns if lane.last_ns is None else lane.last_ns
        return last is not None and newest_ns - last > self._lost

    def _take(self, oldest_ns: int) -> Moment[T]:
        stamps: list[int] = []
        pictures: dict[str, T] = {}
        for name, lane in self._lanes.items():
            if lane.waiting and lane.waiting[0][0] - oldest_ns <= self._tolerance:
                stamp, picture = lane.waiting.popleft()
                stamps.append(stamp)
                pictures[name] = picture
            else:
                self.missed[name] += 1
        return Moment(stamps[0], pictures)

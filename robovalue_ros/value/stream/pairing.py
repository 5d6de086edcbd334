"""Which pictures of several cameras belong to one moment? Decided from stamps alone.

The live node and the bag scorer match cameras by this one rule, so that they agree:

* The timeline is the first camera. Each of its stamps makes one moment.
* Every other camera gives the picture nearest to that stamp, of two equally near ones the earlier,
  within the tolerance. A camera without one is missing from the moment: an old picture is never
  passed off as a new one.
* A moment leaves as soon as its pictures are certain: a camera has sent one after the stamp, or its
  latest is no further away than half of that camera's own step. It waits for no camera beyond
  `wait_ns` of the timeline's clock, and not at all for one that has been silent for `lost_ns`.
* When the timeline itself is silent for `lost_ns`, the next camera takes its place until it
  returns.

No clock of the computer is asked and pictures of different cameras may arrive in any order, as long
as they arrive within the waiting time; so a replay gives the moments of the live run. When the
stamps of a camera go back (a bag that begins again, a clock that was set), a new round begins, and
pictures of different rounds never meet. All stamps are nanoseconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from robovalue_ros.contracts.validate import require

T = TypeVar("T")
MS = 1_000_000
# Half of the step of 10 Hz, the slowest usual camera.
TOLERANCE_NS = 50 * MS
WAIT_NS = 100 * MS
LOST_NS = 500 * MS
# What is at most that much older than the newest of its camera came late; the rest is a new round.
LATE_NS = 500 * MS
MOST_WAITING = 64  # moments


@dataclass(frozen=True, slots=True, eq=False)
class Matched(Generic[T]):
    """One moment: pictures by camera. stamp_ns: of the camera that is the timeline."""

    stamp_ns: int
    items: Mapping[str, T]


@dataclass(slots=True)
class Tally:
    """What became of the pictures of one camera; seen = used + unused + late + those that wait.

    used: in a moment at least once. unused: given up, because no moment was near. late: not newer
    than another of the same camera, or left over from a round that has ended. missed: moments that
    lack this camera.
    """

    seen: int = 0
    used: int = 0
    unused: int = 0
    late: int = 0
    missed: int = 0


@dataclass(slots=True, eq=False)
class _Picture(Generic[T]):
    stamp_ns: int
    item: T
    half_step_ns: int
    used: bool = False


@dataclass(slots=True, eq=False)
class _Lane(Generic[T]):
    """The pictures of one camera that may still be chosen. before_ns: newest of the last round."""

    newest_ns: int | None = None
    step_ns: int = 0
    before_ns: int | None = None
    pictures: deque[_Picture[T]] = field(default_factory=deque)


class Pairing(Generic[T]):
    """Collects the pictures of one robot's cameras into moments; bounded, whatever comes.

    cameras: in order of preference as the timeline. Raises ContractError for none, a repeated one,
    or a limit below zero.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        tolerance_ns: int = TOLERANCE_NS,
        wait_ns: int = WAIT_NS,
        lost_ns: int = LOST_NS,
    ) -> None:
        require(len(set(cameras)) == len(cameras) > 0, "cameras", "different names", list(cameras))
        self._names = tuple(cameras)
        self.tallies = {name: Tally() for name in self._names}
        self._lanes: dict[str, _Lane[T]] = {name: _Lane() for name in self._names}
        self._waiting: deque[tuple[str, _Picture[T]]] = deque()
        self._first_ns: int | None = None
        self._last_ns: int | None = None
        self._newest_ns: int | None = None
        self.adjust(tolerance_ns, wait_ns, lost_ns)

    def adjust(self, tolerance_ns: int, wait_ns: int, lost_ns: int) -> None:
        """Change the limits."""
        require(min(tolerance_ns, wait_ns, lost_ns) >= 0, "limits", "numbers >= 0", "less")
        self._tolerance_ns, self._wait_ns, self._lost_ns = tolerance_ns, wait_ns, lost_ns

    @property
    def waiting(self) -> int:
        """How many pictures no moment has used yet."""
        return sum(not one.used for lane in self._lanes.values() for one in lane.pictures)

    @property
    def missed(self) -> dict[str, int]:
        """Moments that lacked a camera, by camera."""
        return {name: tally.missed for name, tally in self.tallies.items()}

    def add(self, camera: str, stamp_ns: int, item: T) -> list[Matched[T]]:
        """Take a picture; return the moments that are certain now, in the order of their stamps."""
        lane, tally = self._lanes[camera], self.tallies[camera]
        tally.seen += 1
        moments: list[Matched[T]] = []
        if lane.newest_ns is not None and stamp_ns <= lane.newest_ns:
            if lane.newest_ns - stamp_ns <= LATE_NS:
                tally.late += 1
                return moments
            moments = self._next_round()
        elif self._left_over(lane, stamp_ns):
            tally.late += 1
            return moments
        self._enter(camera, stamp_ns, item)
        return moments + self._leave(certain_only=True)

    def flush(self) -> list[Matched[T]]:
        """Return the moments that still wait, with what is there: nothing else will come."""
        moments = self._leave(certain_only=False)
        for name, lane in self._lanes.items():
            self._give_up(name, len(lane.pictures))
        return moments

    def reset(self) -> None:
        """Forget all pictures and stamps, not the tallies."""
        for name, lane in self._lanes.items():
            self._give_up(name, len(lane.pictures))
        self._waiting.clear()
        self._lanes = {name: _Lane() for name in self._names}
        self._first_ns = self._last_ns = self._newest_ns = None

    def _next_round(self) -> list[Matched[T]]:
        moments = self.flush()
        before = {
            name: lane.before_ns if lane.newest_ns is None else lane.newest_ns
            for name, lane in self._lanes.items()
        }
        self.reset()
        for name, lane in self._lanes.items():
            lane.before_ns = before[name]
        return moments

    def _left_over(self, lane: _Lane[T], stamp_ns: int) -> bool:
        """Tell whether a camera's picture still belongs to the round before this one."""
        if lane.newest_ns is not None or lane.before_ns is None or self._first_ns is None:
            return False
        step = stamp_ns - lane.before_ns
        return 0 <= step < abs(stamp_ns - self._first_ns)

    def _enter(self, camera: str, stamp_ns: int, item: T) -> None:
        lane = self._lanes[camera]
        if self._first_ns is None:
            self._first_ns = stamp_ns
        step = 0 if lane.newest_ns is None else stamp_ns - lane.newest_ns
        # After a pause the step before it tells more about the next one.
        picture = _Picture(stamp_ns, item, min(step, lane.step_ns or step) // 2)
        lane.step_ns = step
        timeline = self._timeline(camera)
        lane.newest_ns = stamp_ns
        self._newest_ns = max(stamp_ns, self._newest_ns or stamp_ns)
        lane.pictures.append(picture)
        if len(lane.pictures) > 2 * MOST_WAITING:
            self._give_up(camera, 1)
        last = self._waiting[-1][1].stamp_ns if self._waiting else self._last_ns
        if camera == timeline and (last is None or stamp_ns > last):
            self._waiting.append((camera, picture))

    def _timeline(self, arriving: str) -> str:
        """Return whose pictures make moments when `arriving` sends one.

        Only what came before that picture counts: after a pause of all cameras none is lost.
        """
        return next(
            name
            for name in self._names
            if name == arriving or not self._silent(name, self._newest_ns)
        )

    def _silent(self, name: str, now_ns: int | None) -> bool:
        """Tell whether a camera was lost at a stamp that another one has reached."""
        newest = self._lanes[name].newest_ns
        since = self._first_ns if newest is None else newest
        return since is not None and now_ns is not None and now_ns - since > self._lost_ns

    def _leave(self, *, certain_only: bool) -> list[Matched[T]]:
        moments: list[Matched[T]] = []
        while self._waiting:
            timeline, head = self._waiting[0]
            full = len(self._waiting) > MOST_WAITING
            over = full or not certain_only or self._waited(timeline, head.stamp_ns)
            chosen: dict[str, _Picture[T]] = {timeline: head}
            for name in self._names:
                if name == timeline:
                    continue
                certain, picture = self._nearest(name, head.stamp_ns)
                if not (certain or over):
                    return moments
                if picture is not None:
                    chosen[name] = picture
            self._waiting.popleft()
            self._last_ns = head.stamp_ns
            moments.append(self._match(head.stamp_ns, chosen))
        return moments

    def _waited(self, timeline: str, stamp_ns: int) -> bool:
        newest = self._lanes[timeline].newest_ns
        return newest is not None and newest - stamp_ns >= self._wait_ns

    def _nearest(self, name: str, stamp_ns: int) -> tuple[bool, _Picture[T] | None]:
        """Return whether the choice is certain, and the picture within tolerance, if any."""
        before: _Picture[T] | None = None
        after: _Picture[T] | None = None
        for picture in self._lanes[name].pictures:
            if picture.stamp_ns > stamp_ns:
                after = picture
                break
            before = picture
        best = before
        if after is not None and (
            before is None or after.stamp_ns - stamp_ns < stamp_ns - before.stamp_ns
        ):
            best = after
        # One that is too far away anyhow leaves room for a later one that is not.
        near = 0 if before is None else min(before.half_step_ns, self._tolerance_ns)
        certain = (
            after is not None
            or (before is not None and stamp_ns - before.stamp_ns <= near)
            or self._silent(name, self._last_ns)
        )
        if best is not None and abs(best.stamp_ns - stamp_ns) > self._tolerance_ns:
            best = None
        return certain, best

    def _match(self, stamp_ns: int, chosen: Mapping[str, _Picture[T]]) -> Matched[T]:
        for name, lane in self._lanes.items():
            tally, picture = self.tallies[name], chosen.get(name)
            if picture is None:
                tally.missed += 1
            elif not picture.used:
                picture.used = True
                tally.used += 1
            # A later moment is never nearer to anything before the picture chosen now.
            limit = stamp_ns - self._tolerance_ns if picture is None else picture.stamp_ns
            while lane.pictures and lane.pictures[0].stamp_ns < limit:
                self._give_up(name, 1)
        return Matched(stamp_ns, {n: chosen[n].item for n in self._names if n in chosen})

    def _give_up(self, name: str, count: int) -> None:
        """Drop the oldest pictures of a camera."""
        pictures = self._lanes[name].pictures
        for _ in range(count):
            self.tallies[name].unused += not pictures.popleft().used

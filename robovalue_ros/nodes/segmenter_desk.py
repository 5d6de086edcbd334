"""What waits between the thread that gets pictures and the one that reads windows."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from robovalue_ros.segment.feed import Window
from robovalue_ros.segment.streamer import SegmentStream


@dataclass(frozen=True, slots=True, eq=False)
class Try:
    """One recording of a live camera: from its first picture, or a reset, to the next."""

    number: int
    stream: SegmentStream


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A window that is due, or the end of a try where there is none."""

    of: Try
    window: Window | None = None
    arrived_s: float = 0.0


class Desk:
    """Holds the newest window of each try, and the ends of tries, in the order they came.

    A window that a newer one replaces is left out and counted; an end never is. Memory is that of
    one window and of the tries that ended meanwhile.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: deque[Job] = deque()
        self.put = 0
        self.taken = 0
        self.skipped = 0

    def add(self, job: Job) -> bool:
        """Add a job; return whether it replaced a window."""
        with self._lock:
            late = (
                job.window is not None
                and bool(self._jobs)
                and self._jobs[-1].of is job.of
                and self._jobs[-1].window is not None
            )
            if late:
                self._jobs.pop()
            self._jobs.append(job)
            self.put += job.window is not None
            self.skipped += late
            return late

    def take(self) -> Job | None:
        """Return the oldest job, None when there is none."""
        with self._lock:
            if not self._jobs:
                return None
            job = self._jobs.popleft()
            self.taken += job.window is not None
            return job

    @property
    def idle(self) -> bool:
        """Whether nothing waits."""
        with self._lock:
            return not self._jobs

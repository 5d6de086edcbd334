"""Writes finished episodes beside the simulation, one after the other, into one data set."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable
from pathlib import Path

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.ports import EpisodeRecord, EpisodeWriter
from robovalue_ros.contracts.types import Episode
from robovalue_ros.nodes.caught import Caught

MOST_WAITING = 2
_NUMBER = re.compile(r"episode_(\d+)\.")


class SimRecorder:
    """A thread that writes each episode into a folder that can be read at any time.

    writer: one file per episode, which appears there whole or not at all. Episodes are numbered on
    from those that are there. tell: called from the thread with what was written, or with what
    prevented it. A bug ends the thread and is kept in `failure`.
    """

    def __init__(
        self,
        folder: Path,
        writer: EpisodeWriter,
        tell: Callable[[EpisodeRecord | DataError], None],
    ) -> None:
        self._folder, self._writer, self._tell = folder, writer, tell
        self._next = 1 + max(map(_number, folder.rglob("episode_*")), default=-1)
        self._waiting: queue.Queue[Episode | None] = queue.Queue(MOST_WAITING)
        self._caught = Caught()
        self._thread = threading.Thread(target=self._run, name="sim-recorder", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> Exception | None:
        return self._caught.error

    @property
    def busy(self) -> bool:
        """Whether episodes still wait or are being written."""
        return self._thread.is_alive() and self._waiting.unfinished_tasks > 0

    def put(self, episode: Episode) -> None:
        """Hand over an episode; waits while too many are waiting, so that memory is bounded."""
        while self._thread.is_alive():
            try:
                self._waiting.put(episode, timeout=0.1)
            except queue.Full:
                continue
            return

    def close(self, timeout_s: float) -> bool:
        """Give up what waits and end after the episode on its way; False if that takes longer."""
        while True:
            try:
                self._waiting.get_nowait()
            except queue.Empty:
                break
        self._waiting.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        with self._caught:
            while (episode := self._waiting.get()) is not None:
                try:
                    record = self._writer.write(self._folder, self._next, episode, lambda _: None)
                except DataError as problem:
                    self._tell(problem)
                else:
                    self._next += 1
                    self._tell(record)
                self._waiting.task_done()


def _number(path: Path) -> int:
    found = _NUMBER.match(path.name)
    return int(found[1]) if found else -1

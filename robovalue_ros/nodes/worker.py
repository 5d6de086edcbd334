"""A thread that works through a mailbox, so that callbacks never wait for a network."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from robovalue_ros.nodes.caught import Caught
from robovalue_ros.nodes.mailbox import Mailbox

T = TypeVar("T")
STOP_S = 2.0


class Worker(Generic[T]):
    """Calls `work` with every item of its mailbox, in order, in one thread of its own.

    An error that `work` lets out ends the thread and is kept in `failure` for whoever watches.
    """

    def __init__(self, work: Callable[[T], None], name: str) -> None:
        self.mailbox: Mailbox[T] = Mailbox()
        self._work = work
        self._failure = Caught()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """Close the mailbox and wait for the thread; False when it is still busy by then."""
        self.mailbox.close()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def failure(self) -> Exception | None:
        return self._failure.error

    def _run(self) -> None:
        with self._failure:
            while True:
                item = self.mailbox.take()
                if item is not None:
                    self._work(item)
                elif self.mailbox.closed:
                    return

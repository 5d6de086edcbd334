"""Being asked to stop: a training finishes its step, keeps everything and ends."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interruption:
    """While it is entered, the first SIGTERM or Ctrl-C only sets `asked`; a second one ends at once.

    Does nothing outside the main thread, where Python takes no signals.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._before: dict[signal.Signals, Any] = {}

    @property
    def asked(self) -> bool:
        return self._number is not None

    @property
    def exit_code(self) -> int:
        """Return what a shell expects of a process that a signal ended; 0 without one."""
        return 0 if self._number is None else 128 + self._number

    def ask(self, number: int = signal.SIGTERM) -> None:
        """Ask for an end, as a signal would."""
        self._number = number

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.ask(number)
        self._restore()

    def _restore(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before = {}

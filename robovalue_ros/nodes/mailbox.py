"""One place for the newest item: whoever is slow sees what is new, never a queue of what was."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar, cast

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Hands items from one thread to another; holds one, and a newer one replaces it.

    Every item put is counted once: taken, dropped, or still waiting.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: T | None = None
        self._full = False
        self._closed = False
        self._put = self._taken = self._dropped = 0

    def put(self, item: T) -> tuple[T, ...]:
        """Store an item; return what was lost: an older one, or this one when the box is closed."""
        with self._changed:
            self._put += 1
            if self._closed:
                self._dropped += 1
                return (item,)
            lost = (cast(T, self._item),) if self._full else ()
            self._dropped += len(lost)
            self._item, self._full = item, True
            self._changed.notify()
            return lost

    def take(self, timeout_s: float | None = None) -> T | None:
        """Return the item, waiting for one; None when the time is over or the box is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._full or self._closed, timeout_s)
            if not self._full:
                return None
            item, self._item, self._full = self._item, None, False
            self._taken += 1
            return item

    def close(self) -> None:
        """Wake everybody who waits; what still lies there counts as dropped."""
        with self._changed:
            self._closed = True
            self._dropped += self._full
            self._item, self._full = None, False
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many items were put, taken and dropped, at one moment."""
        with self._changed:
            return self._put, self._taken, self._dropped

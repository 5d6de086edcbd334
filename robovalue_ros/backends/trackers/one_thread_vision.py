"""One thread for OpenCV: a dense flow is cut into one stripe per thread, and changes with them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

_LOCK = threading.Lock()
_inside: list[int] = []  # how many threads there were, once for everyone who is inside


@contextmanager
def one_thread_vision() -> Iterator[None]:
    """Let OpenCV use one thread meanwhile; the first to come sets it, the last gives it back."""
    with _LOCK:
        _inside.append(_inside[-1] if _inside else cv2.getNumThreads())
        cv2.setNumThreads(1)
    try:
        yield
    finally:
        with _LOCK:
            before = _inside.pop()
            if not _inside:
                cv2.setNumThreads(before)

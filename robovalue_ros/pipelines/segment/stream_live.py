"""Live sources: a camera or a network stream through OpenCV, read by a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.types import Frame
from robovalue_ros.pipelines.segment.stream_sources import CAMERA
from robovalue_ros.segment.resample import SlotClock

MOST_WAITING = 64  # frames; what is older is let go
POLL_S = 0.02
OpenCapture = Callable[[str], Any]
"""Opens a source: what it returns has `read() -> (ok, BGR image)` and `release()`."""


class LiveFrames:
    """Frames of a live source, kept for `target_fps` as they come; a context manager.

    The thread that reads never waits for whoever works. When that one is slow, the oldest frames
    that wait are let go and counted in `lost`. Stamps are of a clock that never goes back, from 0.
    """

    def __init__(
        self, place: str, target_fps: float, early: float, timeout_s: float,
        open_capture: OpenCapture | None = None,
    ) -> None:  # fmt: skip
        self.lost = 0
        self._capture = (open_capture or _open_capture)(place)
        self._clock = SlotClock(target_fps, early)
        self._timeout = timeout_s
        self._waiting: deque[tuple[int, Image]] = deque()
        self._wake = threading.Condition()
        self._ended = False
        self._begun = time.monotonic_ns()
        self._thread = threading.Thread(target=self._read, name="live source", daemon=True)

    def __enter__(self) -> LiveFrames:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._thread.join(self._timeout + 1.0)
        self._capture.release()

    @property
    def waiting(self) -> int:
        """How many frames wait to be looked at."""
        return len(self._waiting)

    def now_ns(self) -> int:
        """Return the time by the clock of the stamps."""
        return time.monotonic_ns() - self._begun

    def frames(self) -> Iterator[Frame]:
        """Yield frames until the source is silent for too long, or is left."""
        while True:
            with self._wake:
                if not self._waiting:
                    self._wake.wait_for(lambda: self._waiting or self._ended, self._timeout)
                if not self._waiting:
                    return
                stamp, image = self._waiting.popleft()
            yield Frame(stamp, {CAMERA: image})

    def _read(self) -> None:
        silent_since = time.monotonic()
        while not self._ended:
            there, picture = self._capture.read()
            if not there or picture is None:
                if time.monotonic() - silent_since > self._timeout:
                    break
                time.sleep(POLL_S)
                continue
            silent_since = time.monotonic()
            stamp = self.now_ns()
            if self._clock.keep(stamp):
                self._put(stamp, picture[..., ::-1].copy())
        with self._wake:
            self._ended = True
            self._wake.notify_all()

    def _put(self, stamp: int, image: Image) -> None:
        with self._wake:
            if len(self._waiting) >= MOST_WAITING:
                self._waiting.popleft()
                self.lost += 1
            self._waiting.append((stamp, image))
            self._wake.notify_all()


def _open_capture(place: str) -> Any:
    import cv2

    capture = cv2.VideoCapture(int(place) if place.isdigit() else place)
    if not capture.isOpened():
        capture.release()
        raise DataError(
            place, "cannot be opened", "a camera that is connected, or the URL of a stream"
        )
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture

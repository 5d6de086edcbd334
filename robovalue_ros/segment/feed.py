"""From frames to windows: the cheap half of a stream."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.validate import require
from robovalue_ros.segment.events import FrameTimes
from robovalue_ros.segment.gates import GateAnswer, PixelChanges
from robovalue_ros.segment.options import StreamOptions
from robovalue_ros.segment.pictures import Imaging
from robovalue_ros.segment.resample import SlotClock
from robovalue_ros.segment.windows import resized_shape, shrunk_shape


@dataclass(slots=True, eq=False)
class HeldFrame:
    """A frame as long as a window needs it. prepared: what a tracker made of it, once."""

    image: Image
    stamp_ns: int
    source: int
    prepared: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A complete window. pixels: what the pre-gate says, None where it is off."""

    id: int
    start: int
    frames: tuple[HeldFrame, ...]
    pixels: GateAnswer | None

    @property
    def times(self) -> FrameTimes:
        return FrameTimes(
            self.start,
            self.start + len(self.frames),
            np.array([frame.stamp_ns for frame in self.frames], np.int64),
            np.array([frame.source for frame in self.frames], np.int64),
        )


class WindowFeed:
    """Takes frames, keeps those that are looked at, and says when a window is complete."""

    def __init__(self, options: StreamOptions, imaging: Imaging) -> None:
        self._options = options
        self._schedule = options.schedule
        self._imaging = imaging
        self._clock = SlotClock(
            options.target_fps if options.resample == "slots" else 0.0, options.early
        )
        self._ring: deque[HeldFrame] = deque(maxlen=options.window)
        self._changes = PixelChanges(options.pre_gate, options.window)
        self._size: tuple[int, ...] | None = None
        self._last_ns: int | None = None
        self.pushed = 0
        self.seen = 0

    def tune(self, options: StreamOptions) -> None:
        """Use other gate thresholds from now on."""
        self._options = options
        self._changes.tune(options.pre_gate)

    def push(self, image: Image, stamp_ns: int) -> Window | None:
        """Take the next frame (H, W, 3); raises ContractError when stamps do not increase or the
        size changes."""
        source = self._arrived(image, stamp_ns)
        if not self._clock.keep(stamp_ns):
            return None
        options = self._options
        # Older streams made small pictures larger, and stored thresholds depend on it.
        shape_of = resized_shape if options.compatible else shrunk_shape
        shape = shape_of(image.shape[0], image.shape[1], options.resize_shorter)
        small = image if shape == image.shape[:2] else self._imaging.resize(image, shape)
        if options.pre_gate.enable:
            shape = shape_of(*shape, options.pre_gate.resize_shorter)
            self._changes.push(self._imaging.gray(small, shape))
        self._ring.append(HeldFrame(small, stamp_ns, source))
        self.seen += 1
        due = self._schedule.due(self.seen)
        if due is None:
            return None
        pixels = self._changes.answer() if options.pre_gate.enable else None
        return Window(due, self.seen - options.window, tuple(self._ring), pixels)

    def _arrived(self, image: Image, stamp_ns: int) -> int:
        require(
            self._last_ns is None or stamp_ns > self._last_ns,
            "stamp_ns", f"more than the last, {self._last_ns}", stamp_ns,
        )  # fmt: skip
        require(
            self._size is None or image.shape == self._size,
            "image", f"the size of the first frame, {self._size}", image.shape,
        )  # fmt: skip
        self._size, self._last_ns = image.shape, stamp_ns
        self.pushed += 1
        return self.pushed - 1

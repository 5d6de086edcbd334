"""Frames in, actions out, one after the other. Every door and every file comes through here."""

from __future__ import annotations

from collections.abc import Iterable

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.ports import PointTracker
from robovalue_ros.contracts.types import Frame
from robovalue_ros.segment.events import Reading, SegmentClosed, Update
from robovalue_ros.segment.feed import Window, WindowFeed
from robovalue_ros.segment.options import StreamOptions
from robovalue_ros.segment.pictures import Imaging
from robovalue_ros.segment.reader import WindowReader
from robovalue_ros.segment.segmenter import Segmenter
from robovalue_ros.segment.tracking import StepTracker, WindowEncoder


class SegmentStream:
    """Cuts a stream of frames into actions. Memory does not grow beyond a window and the codes of
    the open action.

    `push` does everything. A live door that works in two threads takes its three parts: `due` is cheap
    and belongs to the frames, `read` is costly and may be left out when late, `absorb` takes what was
    read. Whatever is left out, every result keeps the number of its window.

    camera: which one to follow; None for frames of a single camera. imaging: how pictures are made
    smaller. Raises ConfigError when the energy needs a tokenizer that is not there.
    """

    def __init__(
        self,
        options: StreamOptions,
        tracker: PointTracker | StepTracker,
        tokenizer: WindowEncoder | None = None,
        *,
        camera: str | None = None,
        imaging: Imaging | None = None,
    ) -> None:
        self._options = options
        self._camera = camera
        self._imaging = imaging or Imaging()
        self._tracker = tracker
        self._tokenizer = tokenizer
        self.reset()

    @property
    def options(self) -> StreamOptions:
        return self._options

    @property
    def active(self) -> bool:
        """Whether an action is open."""
        return self._segmenter.active

    @property
    def seen(self) -> int:
        """How many frames were looked at."""
        return self._feed.seen

    @property
    def pushed(self) -> int:
        """How many frames came."""
        return self._feed.pushed

    def reset(self) -> None:
        """Forget everything seen: the next frame is the first of another recording."""
        self._feed = WindowFeed(self._options, self._imaging)
        self._reader = WindowReader(self._options, self._tracker, self._tokenizer)
        self._segmenter = Segmenter(self._options, self._tokenizer is not None)

    def tune(self, options: StreamOptions) -> None:
        """Use other thresholds from now on; raises ContractError when more than those differ."""
        _check_live(self._options, options)
        self._options = options
        self._feed.tune(options)
        self._reader.tune(options)
        self._segmenter.tune(options)

    def push(self, frame: Frame, *, read: bool = True) -> Update | None:
        """Take the next frame; return what its window changed, where it completes one.

        read: False leaves out a window that this frame completes.
        """
        window = self.due(frame)
        return self.absorb(self.read(window)) if read and window is not None else None

    def due(self, frame: Frame) -> Window | None:
        """Take the next frame; return the window that it completes, still to be read."""
        image = self._image(frame)
        return None if image is None else self._feed.push(image, frame.stamp_ns)

    def read(self, window: Window) -> Reading:
        """Return what is known about a window; windows come in order, some may be missing."""
        return self._reader.read(window)

    def absorb(self, reading: Reading) -> Update:
        """Take a reading; windows come in order, some may be missing."""
        return self._segmenter.absorb(reading)

    def finish(self) -> SegmentClosed | None:
        """Say that no more frames come; return the action that this closes."""
        return self._segmenter.finish()

    def _image(self, frame: Frame) -> Image | None:
        if self._camera is not None:
            return frame.images.get(self._camera)
        if len(frame.images) > 1:
            names = ", ".join(sorted(frame.images))
            raise ContractError("frame", "one camera", names, "Name the camera to follow.")
        return next(iter(frame.images.values()), None)


def segment_frames(stream: SegmentStream, frames: Iterable[Frame]) -> list[SegmentClosed]:
    """Return every action of a recording, kept or not: to the bit what a live stream closes."""
    closed: list[SegmentClosed] = []
    for frame in frames:
        update = stream.push(frame)
        events = () if update is None else update.events
        closed.extend(event for event in events if isinstance(event, SegmentClosed))
    last = stream.finish()
    return closed if last is None else [*closed, last]


def _check_live(before: StreamOptions, after: StreamOptions) -> None:
    for name in (
        "target_fps", "resample", "early", "resize_shorter", "window", "stride", "num_tracks",
        "grid", "energy", "smoothing", "selection", "decoder_window_size", "compat",
    ):  # fmt: skip
        if getattr(before, name) != getattr(after, name):
            raise ContractError(
                name, f"{getattr(before, name)}, as the stream began", getattr(after, name),
                "Start a new stream to change it.",
            )  # fmt: skip

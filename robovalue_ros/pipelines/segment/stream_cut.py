"""Cuts one video: the stream in the middle, its frames on one side, its results on the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.ports import PointTracker
from robovalue_ros.contracts.progress import Tick
from robovalue_ros.contracts.types import Frame
from robovalue_ros.pipelines.segment.stream_config import SegmentStreamConfig, stream_options
from robovalue_ros.pipelines.segment.stream_live import LiveFrames
from robovalue_ros.pipelines.segment.stream_record import Recorder
from robovalue_ros.pipelines.segment.stream_results import ResultsFolder
from robovalue_ros.pipelines.segment.stream_sources import Footage, Item
from robovalue_ros.pipelines.segment.stream_threshold import given_threshold
from robovalue_ros.pipelines.segment.stream_times import TimeBook, WindowTimes
from robovalue_ros.segment.events import Reading, Update
from robovalue_ros.segment.feed import Window
from robovalue_ros.segment.options import StreamOptions
from robovalue_ros.segment.pictures import Imaging
from robovalue_ros.segment.smoothing import smoothed
from robovalue_ros.segment.streamer import SegmentStream
from robovalue_ros.segment.tracking import StepTracker, WindowEncoder
from robovalue_ros.segment.warm_up import WarmUp, own_threshold, with_threshold


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What reads windows; made once per process.

    parameters: how many the networks have. codebook: the tokenizer's, as side cars tell it.
    """

    tracker: PointTracker | StepTracker
    tokenizer: WindowEncoder | None
    imaging: Imaging
    parameters: int = 0
    codebook: Mapping[str, Any] = field(default_factory=dict)


class Watcher(Protocol):
    """Looks on while a video is cut: a window, a picture of the curve, a video with both."""

    def frame(self, image: Image, active: bool) -> bool:
        """Take a frame that was looked at; False asks to stop."""
        ...

    def window(self, update: Update, times: WindowTimes, options: StreamOptions) -> None: ...

    def finish(self, options: StreamOptions) -> None: ...

    def abandon(self) -> None: ...


@dataclass(frozen=True, slots=True)
class CutResult:
    """What became of one video. Seconds: of the recording, and what cutting took.

    highest: the most that the energy reached which decides.
    """

    windows: int
    gated: int
    segments: int
    dropped: dict[str, int]
    late: int
    left_out: int
    video_s: float
    wall_s: float
    threshold: float
    highest: float = 0.0


@dataclass(slots=True)
class _Pass:
    """One way through the frames."""

    stream: SegmentStream
    recorder: Recorder
    config: SegmentStreamConfig
    watcher: Watcher | None
    book: TimeBook = field(default_factory=TimeBook)
    gated: int = 0
    highest: float = 0.0

    @property
    def budget(self) -> float:
        options = self.stream.options
        return options.schedule.budget_s(options.target_fps) if options.target_fps > 0 else 1e9

    def frame(self, frame: Frame) -> Window | None:
        """Take a frame; return the window that it completes."""
        seen = self.stream.seen
        window = self.stream.due(frame)
        if self.watcher is not None and self.stream.seen > seen:
            (image,) = frame.images.values()
            if not self.watcher.frame(image, self.stream.active):
                raise _Stopped
        return window

    def window(self, reading: Reading, begun: float, waited: float = 0.0) -> Update:
        """Take what was read of a window. begun: perf_counter when it was complete."""
        update = self.stream.absorb(reading)
        total = time.perf_counter() - begun
        cost = reading.cost
        times = WindowTimes(cost.track_s, cost.forward_s, total, self.budget, waited + total)
        self.recorder.take(update, times)
        self.book.add(times)
        self.gated += reading.gate != "open"
        by_smoothed = self.stream.options.smoothing.use_for_seg
        energy = update.smoothed if by_smoothed else reading.energy
        self.highest = max(self.highest, 0.0 if energy is None else energy)
        if self.watcher is not None:
            self.watcher.window(update, times, self.stream.options)
        limit = self.config.run.max_windows
        if limit and self.book.windows >= limit:
            raise _Stopped
        return update


class _Stopped(Exception):
    """Somebody asked for no more frames."""


def cut_recorded(
    footage: Footage,
    folder: ResultsFolder,
    config: SegmentStreamConfig,
    parts: Parts,
    tick: Tick,
    watcher: Watcher | None = None,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> CutResult:
    """Cut recorded frames, as fast as they can be read or, with `realtime`, as they were recorded.

    No window is ever left out, so the results do not depend on the machine. Raises DataError for
    damaged frames.
    """
    options = _for_footage(stream_options(config, given_threshold(config.cut)), footage)
    began = time.perf_counter()
    known: dict[int, Reading] = {}
    if config.cut.threshold_mode == "auto" and config.cut.segment:
        known = _first_pass(footage, config, options, parts)
        energies = [one.energy for one in known.values() if one.energy is not None]
        if options.smoothing.use_for_seg:
            energies = smoothed(energies, options.smoothing).tolist()
        options = with_threshold(options, own_threshold(energies, options.hysteresis.threshold))
    fps = footage.fps or options.target_fps or 1.0
    at_work = _begin(folder, config, options, parts, watcher, fps=fps)
    try:
        for frame in _paced(footage.frames(), config.run.realtime, sleep):
            window = at_work.frame(frame)
            tick(1)
            if window is None:
                continue
            begun = time.perf_counter()
            if parts.tokenizer is None and window.id in known:
                reading = _again(known[window.id], window)
                begun -= reading.cost.track_s
            else:
                reading = at_work.stream.read(window)
            at_work.window(reading, begun)
    except _Stopped:
        pass
    except BaseException:
        _abandon(at_work)
        raise
    duration = footage.duration_s
    return _finish(at_work, duration, duration, time.perf_counter() - began, parts)


def cut_live(
    item: Item,
    folder: ResultsFolder,
    config: SegmentStreamConfig,
    parts: Parts,
    tick: Tick,
    watcher: Watcher | None = None,
    live: LiveFrames | None = None,
) -> CutResult:
    """Cut a live source until it ends; Ctrl-C ends it in order.

    A window whose frames wait for longer than another window lasts is left out: what follows is
    then on time again, and keeps its number.
    """
    options = stream_options(config, given_threshold(config.cut))
    live = live or LiveFrames(
        item.place, options.target_fps, options.early, config.input.eof_timeout_seconds
    )
    # The source keeps frames for target_fps itself, so that every frame that comes is looked at.
    options = replace(options, resample="native")
    warm_up = None
    if config.cut.threshold_mode == "auto" and config.cut.segment:
        warm_up = WarmUp(options, config.cut.warmup_seconds)
        options = warm_up.applied(options)
    fps = options.target_fps or 1.0
    at_work = _begin(folder, config, options, parts, watcher, fps=fps, live=True)
    began = time.perf_counter()
    try:
        with live:
            for frame in live.frames():
                window = at_work.frame(frame)
                tick(1)
                if window is None:
                    continue
                if live.waiting > options.stride:
                    at_work.book.left_out += 1
                    continue
                begun, waited = time.perf_counter(), (live.now_ns() - frame.stamp_ns) / 1e9
                update = at_work.window(at_work.stream.read(window), begun, waited)
                if warm_up is not None and warm_up.push(update.reading.energy):
                    options = warm_up.applied(options)
                    at_work.stream.tune(options)
                    at_work.recorder.tune(options)
    except (_Stopped, KeyboardInterrupt):
        pass
    except BaseException:
        _abandon(at_work)
        raise
    seconds = at_work.stream.seen / fps
    return _finish(at_work, None, seconds, time.perf_counter() - began, parts)


def _for_footage(options: StreamOptions, footage: Footage) -> StreamOptions:
    """Return the options with the true rate where every frame is looked at."""
    if options.target_fps <= 0.0 and footage.fps > 0.0:
        return replace(options, target_fps=footage.fps, resample="native")
    return options


def _begin(
    folder: ResultsFolder,
    config: SegmentStreamConfig,
    options: StreamOptions,
    parts: Parts,
    watcher: Watcher | None,
    *,
    fps: float,
    live: bool = False,
) -> _Pass:
    folder.begin()
    recorder = Recorder(
        folder, config, options, has_codes=parts.tokenizer is not None, fps=fps,
        mode=config.cut.threshold_mode, live=live, codebook=parts.codebook,
    )  # fmt: skip
    stream = SegmentStream(options, parts.tracker, parts.tokenizer, imaging=parts.imaging)
    return _Pass(stream, recorder, config, watcher)


def _abandon(at_work: _Pass) -> None:
    at_work.recorder.abandon()
    if at_work.watcher is not None:
        at_work.watcher.abandon()


def _finish(
    at_work: _Pass, duration: float | None, video_s: float, wall_s: float, parts: Parts
) -> CutResult:
    stream, recorder, book = at_work.stream, at_work.recorder, at_work.book
    last = stream.finish()
    if last is not None and at_work.config.cut.segment:
        recorder.close(last)
    options = stream.options
    recorder.finish(duration, book.summary(options.stride, parts.parameters))
    if at_work.watcher is not None:
        at_work.watcher.finish(options)
    return CutResult(
        book.windows, at_work.gated, len(recorder.kept), dict(recorder.dropped), book.late,
        book.left_out, video_s, wall_s, options.hysteresis.threshold, at_work.highest,
    )  # fmt: skip


def _first_pass(
    footage: Footage, config: SegmentStreamConfig, options: StreamOptions, parts: Parts
) -> dict[int, Reading]:
    """Return the reading of every window, by its number, without pictures and tokens."""
    stream = SegmentStream(options, parts.tracker, parts.tokenizer, imaging=parts.imaging)
    readings: dict[int, Reading] = {}
    limit = config.run.max_windows
    for frame in footage.frames():
        window = stream.due(frame)
        if window is None:
            continue
        readings[window.id] = replace(stream.read(window), images=(), tokens=None)
        if limit and len(readings) >= limit:
            break
    return readings


def _again(known: Reading, window: Window) -> Reading:
    """Return a reading of the first pass with its pictures: nothing else is to be looked at."""
    return replace(known, images=tuple(frame.image for frame in window.frames))


def _paced(
    frames: Iterator[Frame], realtime: bool, sleep: Callable[[float], None]
) -> Iterator[Frame]:
    """Yield frames, with `realtime` no earlier than they were recorded after the first."""
    begun: float | None = None
    first = 0
    for frame in frames:
        if realtime:
            if begun is None:
                begun, first = time.perf_counter(), frame.stamp_ns
            ahead = (frame.stamp_ns - first) / 1e9 - (time.perf_counter() - begun)
            if ahead > 0.0:
                sleep(ahead)
        yield frame

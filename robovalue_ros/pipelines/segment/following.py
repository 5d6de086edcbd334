"""From the frames of a camera to tracks: each frame's points, followed for a window."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.frames import FrameSource, SlicedFrames
from robovalue_ros.contracts.ports import PointTracker
from robovalue_ros.contracts.types import PointTracks
from robovalue_ros.pipelines.segment.preprocess_config import TracksOptions
from robovalue_ros.segment.feed import HeldFrame, Window
from robovalue_ros.segment.grid import Points, grid_points, reference_grid_points
from robovalue_ros.segment.incremental import SharedSteps
from robovalue_ros.segment.pictures import Imaging
from robovalue_ros.segment.resample import SlotClock, decimation_step
from robovalue_ros.segment.tracking import Floats, StepTracker
from robovalue_ros.segment.windows import shrunk_shape

STEP_NS = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """tracks (horizon, N, 2) in pixels (x, y) and visibility (horizon, N) of one frame's points."""

    tracks: Floats
    visible: Floats


def kept_frames(stamps_ns: NDArray[np.int64], options: TracksOptions) -> NDArray[np.int64]:
    """Return which frames of a recording are looked at."""
    everything = np.arange(len(stamps_ns), dtype=np.int64)
    if options.resample == "native" or options.target_fps <= 0.0:
        return everything
    if options.resample == "slots":
        clock = SlotClock(options.target_fps)
        return everything[[clock.keep(stamp) for stamp in stamps_ns.tolist()]]
    rate = 1e9 / float(np.median(np.diff(stamps_ns))) if len(stamps_ns) > 1 else 0.0
    return everything[:: decimation_step(rate, options.target_fps)]


def picture_size(source: FrameSource, options: TracksOptions) -> tuple[int, int]:
    """Return height and width of the pictures that points are followed in."""
    return shrunk_shape(*source.shape, options.resize_shorter)


def follow_frames(
    source: FrameSource,
    kept: NDArray[np.int64],
    tracker: PointTracker | StepTracker,
    options: TracksOptions,
    imaging: Imaging,
) -> Iterator[Followed]:
    """Yield the tracks of every kept frame; the last frame stands still for a window's length.

    A `StepTracker` looks at every pair of frames once. Raises DataError for damaged frames.
    """
    size = picture_size(source, options)
    points = _points(options, size)
    steps = SharedSteps(tracker, 1) if isinstance(tracker, StepTracker) else None
    ring: deque[HeldFrame] = deque(maxlen=options.horizon)
    for start, frame in enumerate(_held(source, kept, size, options.horizon, imaging)):
        ring.append(frame)
        if len(ring) < options.horizon:
            continue
        first = start - options.horizon + 1
        window = Window(first, first, tuple(ring), None)
        found = _whole(tracker, window, points) if steps is None else steps.tracks(window, points)
        yield Followed(
            np.ascontiguousarray(found.xy.swapaxes(0, 1), np.float32),
            np.ascontiguousarray(found.visible.T, np.float32),
        )


def _held(
    source: FrameSource,
    kept: NDArray[np.int64],
    size: tuple[int, int],
    horizon: int,
    imaging: Imaging,
) -> Iterator[HeldFrame]:
    last: HeldFrame | None = None
    number = 0
    for image in SlicedFrames(source, kept.tolist()).iterate():
        small = image if image.shape[:2] == size else imaging.resize(image, size)
        last = HeldFrame(small, number * STEP_NS, number)
        yield last
        number += 1
    if last is None:
        return
    for _ in range(horizon - 1):
        # The same picture again: what a tracker made of it serves once more.
        yield HeldFrame(last.image, number * STEP_NS, number, last.prepared)
        number += 1


def _whole(tracker: object, window: Window, points: Points) -> PointTracks:
    assert isinstance(tracker, PointTracker)
    images = np.stack([frame.image for frame in window.frames])
    return tracker.track(images, points, window.times.stamps_ns)


def _points(options: TracksOptions, size: tuple[int, int]) -> Points:
    if options.grid == "reference":
        return reference_grid_points(options.num_tracks, size[0])
    return grid_points(options.num_tracks, *size)

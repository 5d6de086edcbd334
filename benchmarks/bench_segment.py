"""Cutting videos: how exactly and how fast points are followed, and what gates and workers spare."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.book import Ratio, Sheet
from benchmarks.segment_films import FPS, Film, make_film, simulated
from robovalue_ros.backends.imaging import fast_imaging
from robovalue_ros.backends.trackers.dis_flow import DisFlow
from robovalue_ros.backends.trackers.gray import Flags, Floats, Gray
from robovalue_ros.backends.trackers.lucas_kanade import LucasKanade
from robovalue_ros.contracts.errors import RobovalueError
from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.types import Frame
from robovalue_ros.data.video import encode_video
from robovalue_ros.pipelines.segment.stream_config import (
    CutOptions,
    OutputOptions,
    RunOptions,
    SegmentStreamConfig,
)
from robovalue_ros.pipelines.segment.stream_run import segment_stream
from robovalue_ros.segment.feed import HeldFrame, Window
from robovalue_ros.segment.gates import MotionGateOptions, PreGateOptions
from robovalue_ros.segment.grid import grid_points
from robovalue_ros.segment.incremental import SharedSteps
from robovalue_ros.segment.options import StreamOptions
from robovalue_ros.segment.streamer import SegmentStream
from robovalue_ros.segment.tracking import StepTracker, WindowTracker
from robovalue_ros.segment.tracks import velocities
from robovalue_ros.wiring import make_segment_parts, open_reader

LENGTH, WINDOW, STRIDE, POINTS, PAIRS = 320, 16, 4, 400, 3
VIDEOS, VIDEO_LENGTH = 100, 100
COMMAND = "python -m benchmarks --only segment"


class PlainLucasKanade:
    """What one writes first: OpenCV's own defaults at full size, forward and back."""

    def prepare(self, image: Image) -> Gray:
        gray: Gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return gray

    def step(self, before: Gray, after: Gray, points_xy: Floats) -> tuple[Floats, Flags]:
        start = points_xy.reshape(-1, 1, 2).astype(np.float32)
        there, went, _ = cv2.calcOpticalFlowPyrLK(before, after, start, None)
        back, came, _ = cv2.calcOpticalFlowPyrLK(after, before, there, None)
        near = np.linalg.norm((back - start)[:, 0], axis=1) < 1.0
        return there[:, 0], (went[:, 0] == 1) & (came[:, 0] == 1) & near


TRACKERS: dict[str, Callable[[], StepTracker]] = {
    "lucas_kanade": LucasKanade,
    "dis_flow": DisFlow,
    "OpenCV's Lucas and Kanade as it comes": PlainLucasKanade,
}


def sheets() -> Iterator[Sheet]:
    """Measure the trackers, whole runs, the gates and two workers."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-segment-") as name, threadpool_limits(1):
            folder = Path(name)
            films = {
                f"film, camera {'moves' if moves else 'rests'}": make_film(
                    LENGTH, folder, camera_moves=moves
                )
                for moves in (False, True)
            }
            scenes = {f"simulator, {camera}": f for camera, f in simulated(LENGTH).items()}
            scenes |= {name: film.frames for name, film in films.items()}
            yield _exactness(films)
            yield _incremental(scenes)
            yield _runs(scenes, folder)
            yield _gates(scenes["simulator, cam_high"])
            yield _workers(scenes["simulator, cam_high"], folder)
    finally:
        cv2.setNumThreads(before)


def _exactness(films: dict[str, Film]) -> Sheet:
    rows = []
    for scene, film in films.items():
        for name, make in TRACKERS.items():
            tracker = make()
            size = film.frames.shape[1:3]
            points = grid_points(POINTS, size[0], size[1])
            errors, lost, truths, found = [], [], [], []
            for start in range(0, LENGTH - WINDOW, 8):
                frames = film.frames[start : start + WINDOW]
                tracks = WindowTracker(tracker).track(frames, points, np.arange(WINDOW))
                truth, seen = film.truth(points, start, WINDOW)
                whole = seen.all(axis=1)
                error = np.linalg.norm(tracks.xy - truth, axis=2)[:, -1]
                errors.append(error[whole & tracks.visible[:, -1]])
                lost.append((whole & ~tracks.visible[:, -1]).sum() / whole.sum())
                ways = np.where(seen[..., None], truth, np.nan)
                half = np.array(size[::-1]) / 2.0
                truths.append(np.nanmean(np.linalg.norm(np.diff(ways, axis=1) / half, axis=2)))
                found.append(np.linalg.norm(velocities(tracks.xy, size), axis=-1).mean())
            joined = np.concatenate(errors)
            rows.append((
                scene, name, f"{np.median(joined):.2f}", f"{np.percentile(joined, 90):.2f}",
                f"{100 * np.mean(lost):.0f} %", f"{np.corrcoef(truths, found)[0, 1]:.2f}",
            ))  # fmt: skip
    return Sheet(
        "Following points, against the truth", COMMAND,
        ("scene", "tracker", "px off, median", "px off, 90 %", "lost", "r of energies"), rows,
        f"{POINTS} points over {WINDOW} frames of 640x480 that went through H.264; off: at the last "
        "frame, of points that are seen throughout. Things go up to 15 pixels per frame and stop "
        "abruptly. r: correlation of the velocity energy with that of the true ways.",
    )  # fmt: skip


def _incremental(scenes: dict[str, Image]) -> Sheet:
    rows = []
    for scene, frames in scenes.items():
        for name in ("lucas_kanade", "dis_flow"):
            ratios = {"same": Ratio(), "plain": Ratio()}
            costs = []
            for _ in range(PAIRS):
                shared = _cost(TRACKERS[name](), frames, shared=True)
                ratios["same"].values.append(_cost(TRACKERS[name](), frames, shared=False) / shared)
                costs.append(shared)
            plain = _cost(PlainLucasKanade(), frames, shared=False)
            ratios["plain"].values.extend(plain / cost for cost in costs)
            rows.append((
                scene, name, f"{1e3 * float(np.median(costs)):.1f}", ratios["same"].text(),
                ratios["plain"].text(),
            ))  # fmt: skip
    return Sheet(
        "Every pair of frames once, against every window anew", COMMAND,
        ("scene", "tracker", "ms per frame", "of itself, anew", "of OpenCV as it comes, anew"), rows,
        f"CPU time of one thread. Windows of {WINDOW} frames, one every {STRIDE}, {POINTS} points "
        "each; larger is better. lucas_kanade asks for each point: where everything moves, four "
        "windows have four times the points, and only the work per picture is shared. dis_flow "
        "looks at a pair of frames as a whole.",
    )  # fmt: skip


def _cost(tracker: StepTracker, frames: Image, *, shared: bool) -> float:
    """Return CPU seconds per frame."""
    points = grid_points(POINTS, *frames.shape[1:3])
    held = [HeldFrame(image, number, number) for number, image in enumerate(frames)]
    steps, anew = SharedSteps(tracker, STRIDE), WindowTracker(tracker)
    begun, windows = time.process_time(), 0
    for start in range(0, len(frames) - WINDOW + 1, STRIDE):
        window = Window(windows, start, tuple(held[start : start + WINDOW]), None)
        if shared:
            steps.tracks(window, points)
        else:
            anew.track(frames[start : start + WINDOW], points, window.times.stamps_ns)
        windows += 1
    return (time.process_time() - begun) / windows / STRIDE


def _runs(scenes: dict[str, Image], folder: Path) -> Sheet:
    rows = []
    for scene, frames in scenes.items():
        video = folder / "video.mp4"
        encode_video(video, frames, FPS, 20, pixel_format="yuv420p")
        for name in ("lucas_kanade", "dis_flow"):
            rates = Ratio()
            for _ in range(3):
                begun = time.process_time()
                _cut(video, folder / "out", tracker=name)
                rates.values.append(len(frames) / FPS / (time.process_time() - begun))
            rows.append((scene, name, rates.text()))
    return Sheet(
        "Cutting a file end to end, times real time on one core", COMMAND,
        ("scene", "tracker", "times real time"), rows,
        "robovalue segment stream on 480 pixels of shorter side, 20 Hz, stride 4: decoding, gates, "
        "points, energies, clips, lists; CPU time of one thread.",
    )  # fmt: skip


def _gates(frames: Image) -> Sheet:
    still = np.repeat(frames[:1], LENGTH, axis=0)
    noise = np.random.default_rng(0).normal(0.0, 1.0, (8, *frames.shape[1:]))
    still = np.stack([
        np.clip(image + noise[number % 8], 0, 255).astype(np.uint8)
        for number, image in enumerate(still)
    ])  # fmt: skip
    rows = []
    for name in ("lucas_kanade", "dis_flow"):
        reading, pushing = Ratio(), Ratio()
        for _ in range(PAIRS):
            off, on = (
                _push(still, TRACKERS[name](), gates=False),
                _push(still, TRACKERS[name](), gates=True),
            )
            reading.values.append(100.0 * (1.0 - on[0] / off[0]))
            pushing.values.append(100.0 * (1.0 - on[1] / off[1]))
        rows.append((name, reading.text(), pushing.text()))
    return Sheet(
        "What the gates spare a still video, in percent", COMMAND,
        ("tracker", "reading windows", "reading and looking at frames"), rows,
        "A still picture of the simulator with sensor noise. Looking at frames is the gate itself: "
        "a small grey picture of each frame and its difference.",
    )  # fmt: skip


def _push(frames: Image, tracker: StepTracker, *, gates: bool) -> tuple[float, float]:
    """Return CPU seconds of reading windows, and of everything."""
    options = StreamOptions(
        pre_gate=PreGateOptions(enable=gates), motion_gate=MotionGateOptions(enable=gates)
    )
    stream = SegmentStream(options, tracker, imaging=fast_imaging())
    read, begun = 0.0, time.process_time()
    for number, image in enumerate(frames):
        window = stream.due(Frame(number * 50_000_000, {"camera": image}))
        if window is not None:
            start = time.process_time()
            stream.absorb(stream.read(window))
            read += time.process_time() - start
    return read, time.process_time() - begun


def _workers(frames: Image, folder: Path) -> Sheet:
    videos = folder / "videos"
    videos.mkdir()
    first = videos / "video_00.mp4"
    encode_video(first, frames[:VIDEO_LENGTH], FPS, 20, pixel_format="yuv420p")
    for number in range(1, VIDEOS):
        shutil.copy(first, videos / f"video_{number:02d}.mp4")
    ratio = Ratio()
    for _ in range(2):
        seconds = [_cut(videos, folder / "out", workers=workers) for workers in (1, 2)]
        ratio.values.append(seconds[0] / seconds[1])
    return Sheet(
        "A folder with two workers, against one", COMMAND,
        ("videos", "frames each", "times as fast"),
        [(str(VIDEOS), str(VIDEO_LENGTH), ratio.text())],
        "By the clock, starting the processes included; on a machine that others use at the same "
        "time this says little.",
    )  # fmt: skip


def _cut(source: Path, out: Path, **changes: Any) -> float:
    """Cut, and return the seconds that it took."""
    shutil.rmtree(out, ignore_errors=True)
    config = SegmentStreamConfig(
        source=str(source),
        cut=CutOptions(threshold=0.0008),
        output=OutputOptions(output_dir=out),
        run=RunOptions(workers=int(changes.get("workers", 1))),
        follow=_choice(str(changes.get("tracker", "lucas_kanade"))),
    )
    begun = time.perf_counter()
    result = segment_stream(config, open_reader, make_segment_parts)
    if result.count("cut") != len(result.outcomes):
        raise RobovalueError("a video of the benchmark was not cut")
    return time.perf_counter() - begun


def _choice(name: str) -> Any:
    from robovalue_ros.backends.trackers.choice import TrackerChoice

    return TrackerChoice(tracker=name)  # type: ignore[arg-type]

"""Episodes of the simulator as every method sees them: frames, windows, flow, and the truth."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.segment_study.settings import CAMERA, FPS, StudyConfig, study_folder, tasks_of
from robovalue_envs.sim.recording import SimulateConfig, SimulatedEpisodes
from robovalue_ros.backends.trackers.lucas_kanade import LucasKanade
from robovalue_ros.contracts.progress import Progress
from robovalue_ros.contracts.types import Episode, Frame
from robovalue_ros.data.atomic import atomic_path
from robovalue_ros.segment.grid import cells_per_side
from robovalue_ros.segment.options import StreamOptions
from robovalue_ros.segment.streamer import SegmentStream

STEP_NS = round(1e9 / FPS)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """One episode. cuts: frames at which a substep begins, the first left out.

    frames: (T, H, W, 3) of the camera. energy: (W,) of velocity, by window; brief: (V,) the same of
    shorter windows, more often. velocity: (W, t, N, 2),
    zeros where a gate left the window out. open: (W,) whether the gates let it pass. flow: (T,) mean
    length of the dense flow from the frame before, pixels.
    """

    name: str
    task: str
    mode: str
    cuts: NDArray[np.int64]
    frames: NDArray[np.uint8]
    energy: Floats
    brief: Floats
    velocity: NDArray[np.float32]
    open: NDArray[np.bool_]
    flow: Floats

    @property
    def length(self) -> int:
        return len(self.frames)

    @property
    def duration(self) -> float:
        return self.length / FPS


def stream_options(config: StudyConfig) -> StreamOptions:
    """Return the stream as it is shipped."""
    return StreamOptions(num_tracks=config.tracks)


def brief_options(config: StudyConfig) -> StreamOptions:
    """Return the stream with windows of half the length, twice as often."""
    return replace(stream_options(config), window=8, stride=2)


class Episodes:
    """The episodes of one seed, played once and kept."""

    def __init__(self, config: StudyConfig, seed: int, count: int, progress: Progress) -> None:
        self._folder = study_folder(config) / f"seed_{seed}"
        self.paths: list[Path] = []
        tasks = tasks_of(config)
        with progress.stage(f"episodes of seed {seed}", count) as tick:
            for place, task in enumerate(tasks):
                share = len(range(place, count, len(tasks)))
                reader = SimulatedEpisodes(
                    SimulateConfig(task=task, episodes=share, seed=seed + place, size=config.size)  # type: ignore[arg-type]
                )
                for episode_id in reader.episode_ids():
                    path = self._folder / f"{task}_{episode_id}.npz"
                    if read(path) is None:
                        write(path, see(config, task, reader.open(episode_id)))
                    self.paths.append(path)
                    tick(1)
                reader.close()

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Seen]:
        for path in self.paths:
            seen = read(path)
            assert seen is not None, f"{path} vanished"
            yield seen


def see(config: StudyConfig, task: str, episode: Episode) -> Seen:
    """Look at an episode as the stream does."""
    frames = np.stack(list(episode.cameras[CAMERA].iterate()))
    windows = _Windows()
    stream = SegmentStream(stream_options(config), LucasKanade(), windows)
    energies, passed = pushed(stream, frames)
    brief, _ = pushed(SegmentStream(brief_options(config), LucasKanade()), frames)
    steps = stream.options.window - 1
    velocity = np.zeros((len(energies), steps, cells_per_side(config.tracks) ** 2, 2), np.float32)
    velocity[np.array(passed, np.bool_)] = np.stack(windows.seen) if windows.seen else 0.0
    substeps = np.asarray(episode.signals["substep_index"])
    return Seen(
        episode.id, task, str(episode.meta["mode"]),
        np.flatnonzero(np.diff(substeps)).astype(np.int64) + 1, frames,
        np.array(energies), np.array(brief), velocity, np.array(passed, np.bool_),
        dense_flow(frames),
    )  # fmt: skip


def pushed(stream: SegmentStream, frames: NDArray[np.uint8]) -> tuple[list[float], list[bool]]:
    """Return the energy of every window, and whether the gates let it pass."""
    energies, passed = [], []
    for t, image in enumerate(frames):
        update = stream.push(Frame(t * STEP_NS, {CAMERA: image}))
        if update is not None:
            assert update.reading.energy is not None
            energies.append(update.reading.energy)
            passed.append(update.reading.gate == "open")
    return energies, passed


def dense_flow(frames: NDArray[np.uint8]) -> Floats:
    """Return (T,) mean lengths of Farneback's flow from the frame before, pixels; 0 for the first."""
    gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    lengths = [0.0]
    for before, after in pairwise(gray):
        flow = cv2.calcOpticalFlowFarneback(before, after, None, 0.5, 3, 15, 3, 5, 1.2, 0)  # type: ignore[call-overload]
        lengths.append(float(np.linalg.norm(flow, axis=-1).mean()))
    return np.array(lengths)


@dataclass(frozen=True)
class _Tokens:
    prequant: NDArray[np.float32]
    quantized: NDArray[np.float32]
    codes: NDArray[np.int64]


class _Windows:
    """Stands where a tokenizer would, and keeps what it is given."""

    def __init__(self) -> None:
        self.seen: list[NDArray[np.float32]] = []

    def encode(self, velocity: NDArray[np.float32]) -> _Tokens:
        self.seen.append(velocity)
        nothing = np.zeros((1, 1), np.float32)
        return _Tokens(nothing, nothing, np.zeros(1, np.int64))


def read(path: Path) -> Seen | None:
    """Return a kept episode, or None where it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            values = {item.name: stored[item.name] for item in fields(Seen)}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    texts = {name: str(values.pop(name)) for name in ("name", "task", "mode")}
    return Seen(**texts, **values)


def write(path: Path, seen: Seen) -> None:
    """Keep an episode."""
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **{item.name: np.asarray(getattr(seen, item.name)) for item in fields(Seen)})  # type: ignore[arg-type]  # fmt: skip

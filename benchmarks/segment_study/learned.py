"""What is trained for the study: a motion tokenizer, and a value model of each task."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.segment_study.scores import Floats
from benchmarks.segment_study.seeing import Episodes, Seen, stream_options
from benchmarks.segment_study.settings import CAMERA, FPS, StudyConfig, study_folder
from robovalue_ros.backends.encoders.pixels import PixelsEncoder
from robovalue_ros.backends.motion_tokenizer import load_tokenizer
from robovalue_ros.contracts.progress import Progress, Tick
from robovalue_ros.data.atomic import atomic_path, write_json
from robovalue_ros.data.tracks.writer import has_view, writing_tracks
from robovalue_ros.pipelines.segment.train_tokenizer import train_tokenizer
from robovalue_ros.pipelines.segment.train_tokenizer_config import (
    NetworkOptions,
    TrainTokenizerConfig,
)
from robovalue_ros.segment.energy import token_energy
from robovalue_ros.segment.grid import grid_points
from robovalue_ros.segment.tokenizer.config import LossConfig
from robovalue_ros.segment.tokenizer.encoding import TokenizerEncoder
from robovalue_ros.training.interruption import Interruption
from robovalue_ros.training.options import LoopConfig
from robovalue_ros.value.one_thread import one_thread
from robovalue_ros.value.stream.fitting import fit_value_model
from robovalue_ros.value.stream.model import ValueModel
from robovalue_ros.value.stream.options import FitOptions

KINDS = tuple(
    (source, mode)
    for source in ("quantized", "prequant")
    for mode in ("token_diff_l2_mean", "l2_mean")
)
Energies = Mapping[tuple[str, str], Floats]
Demonstration = tuple[dict[str, NDArray[np.uint8]], NDArray[np.int64]]
BATCH = 64
TOLD = "told.json"
LOSS_POINTS = 48  # what a step costs grows with them


@dataclass(frozen=True)
class Tokenizer:
    """A trained tokenizer. minutes: of CPU. told: numbers of its best epoch."""

    encoder: TokenizerEncoder
    minutes: float
    told: Mapping[str, float]
    samples: int
    folder: Path


def trained_tokenizer(config: StudyConfig, training: Episodes, progress: Progress) -> Tokenizer:
    """Train a tokenizer on the windows of the training episodes, on one core, within the minutes."""
    name = f"tokenizer_{config.hidden}_{config.codebook}_{config.epochs}_{config.minutes:g}"
    folder, tracks = study_folder(config) / name, study_folder(config) / "tracks"
    known = _known(folder / TOLD)
    if known is None:
        for seen in training:
            _write_tracks(tracks / f"{seen.task}_{seen.name}.hdf5", seen, config)
        known = _train(config, tracks, folder, progress)
        write_json(folder / TOLD, known)
    with one_thread():
        encoder = TokenizerEncoder(load_tokenizer(Path(known["checkpoint"])).network)
    return Tokenizer(encoder, known["minutes"], known["told"], known["samples"], folder)


def _known(path: Path) -> dict[str, Any] | None:
    """Return what an earlier run trained."""
    if not path.is_file():
        return None
    known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return known if Path(known["checkpoint"]).is_file() else None


def _train(config: StudyConfig, tracks: Path, folder: Path, progress: Progress) -> dict[str, Any]:
    options = TrainTokenizerConfig(
        data=(str(tracks),), out=folder, seed=config.fit_seed,
        network=NetworkOptions(
            hidden_dim=config.hidden, codebook_size=config.codebook, num_heads=4
        ),
        loss=LossConfig(diversity=0.3, loss_points=LOSS_POINTS),
        loop=LoopConfig(
            epochs=config.epochs, lr=3e-4, warm_up=0.2, clip_grad=1.0, device="cpu",
            save_interval=0,
        ),
    )  # fmt: skip
    limit = _CpuLimit(progress, config.minutes)
    with one_thread():
        begin = time.process_time()
        result = train_tokenizer(options, progress=limit, interruption=limit.interruption)
        minutes = (time.process_time() - begin) / 60.0
    return {
        "checkpoint": str(result.checkpoint), "minutes": minutes, "told": dict(result.told),
        "samples": result.samples,
    }  # fmt: skip


def _write_tracks(path: Path, seen: Seen, config: StudyConfig) -> None:
    """Write an episode's windows, one for every stride, as recorded tracks."""
    if has_view(path, "default"):
        return
    side = seen.frames.shape[1]
    points = grid_points(config.tracks, side, side)
    half = side / 2.0
    with writing_tracks(
        path, "default", horizon=seen.velocity.shape[1] + 1, points=len(points), size=(side, side),
        grid="cells",
    ) as writer:  # fmt: skip
        for velocity in seen.velocity[seen.open]:
            moved = np.concatenate(
                [np.zeros((1, *velocity.shape[1:])), np.cumsum(velocity, axis=0)]
            )
            xy = (points + half * moved[..., ::-1]).astype(np.float32)
            writer.append(xy[None], np.ones((1, *xy.shape[:2]), np.float32))


class _CpuLimit:
    """Passes progress on, and asks the training to end when its CPU minutes are over."""

    def __init__(self, progress: Progress, minutes: float) -> None:
        self._progress, self._until = progress, time.process_time() + 60.0 * minutes
        self.interruption = Interruption()

    def stage(self, name: str, total: int | None = None) -> AbstractContextManager[Tick]:
        return self._watched(name, total)

    @contextmanager
    def _watched(self, name: str, total: int | None) -> Iterator[Tick]:
        with self._progress.stage(name, total) as tick:

            def watched(count: int) -> None:
                tick(count)
                if time.process_time() > self._until:
                    self.interruption.ask()

            yield watched

    def say(self, text: str) -> None:
        self._progress.say(text)


def token_energies(tokenizer: Tokenizer, seen: Seen) -> Energies:
    """Return the energies (W,) of an episode's tokens, as the stream has them: 0 behind a gate."""
    found = {kind: np.zeros(len(seen.energy)) for kind in KINDS}
    passed = np.flatnonzero(seen.open)
    with one_thread():
        for window in passed:
            tokens = tokenizer.encoder.encode(seen.velocity[window])
            for source, mode in KINDS:
                vectors = tokens.quantized if source == "quantized" else tokens.prequant
                found[source, mode][window] = token_energy(vectors, mode)
    return found


def fitted_encoders(
    config: StudyConfig, training: Episodes, tasks: Sequence[str], progress: Progress
) -> dict[str, PixelsEncoder]:
    """Return the encoder of a value model of each task, fitted on its first demonstrations."""
    encoders = {}
    for task in tasks:
        demos: list[Demonstration] = []
        for seen in training:
            if seen.task == task and len(demos) < config.value_demos:
                stamps = np.rint(np.arange(seen.length) * (1e9 / FPS)).astype(np.int64)
                demos.append(({CAMERA: seen.frames}, stamps))
        options = FitOptions(steps=config.value_steps, made_up=not config.short)
        path = study_folder(config) / f"value_{task}_{config.value_demos}_{config.value_steps}.npz"
        with progress.stage(f"value model of {task}"), one_thread():
            model = _kept_model(path, demos, options, config.fit_seed)
        assert model.network is not None
        encoders[task] = PixelsEncoder(model.network, 0)
    return encoders


def _kept_model(
    path: Path, demos: Sequence[Demonstration], options: FitOptions, seed: int
) -> ValueModel:
    if path.is_file():
        with np.load(path, allow_pickle=False) as stored:
            return ValueModel.from_arrays(dict(stored))
    model = fit_value_model(demos, options, np.random.default_rng(seed))
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **model.to_arrays())  # type: ignore[arg-type]
    return model


def embedded(encoder: PixelsEncoder, seen: Seen) -> Floats:
    """Return the vectors (T, D) of an episode's frames, each seen against the first."""
    parts = []
    for at in range(0, seen.length, BATCH):
        now = seen.frames[at : at + BATCH]
        clips = np.stack([np.broadcast_to(seen.frames[0], now.shape), now], axis=1)
        parts.append(encoder.encode(clips))
    return np.concatenate(parts).astype(np.float64)


def default_window(config: StudyConfig) -> tuple[int, int]:
    """Return the frame in the middle of window 0, and the stride."""
    schedule = stream_options(config).schedule
    start, stop = schedule.span(0)
    return (start + stop) // 2, schedule.stride

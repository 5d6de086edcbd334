"""From recorded demonstrations to a value model in a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robovalue_ros import __version__
from robovalue_ros.backends.encoders.choice import EncoderChoice
from robovalue_ros.contracts.config import option, to_mapping
from robovalue_ros.contracts.errors import ContractError, DataError
from robovalue_ros.contracts.frames import FrameSource
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.tools import ColorOrder, ReadFormat, ReadOptions, Rotation
from robovalue_ros.contracts.types import Episode, Finding
from robovalue_ros.data.value_store.value_model import write_value_model
from robovalue_ros.pipelines.fit_demonstrations import (
    Chosen,
    WatchedFrames,
    choose_demonstrations,
    content_of,
    damaged,
    few_findings,
    list_episodes,
)
from robovalue_ros.pipelines.recordings import Opener, Readers, Recording
from robovalue_ros.value.pixels.shrink import SIDE, shrink
from robovalue_ros.value.stream.fitting import FEWEST_DEMOS, Given, fit_value_model
from robovalue_ros.value.stream.model import ValueModel
from robovalue_ros.value.stream.options import FitOptions

DEFAULT_PROGRESS = SilentProgress()
SHARES = 1000


def _as_read(name: str) -> Any:
    """Declare an option that reading has under the same name everywhere."""
    known = {item.name: item for item in dataclasses.fields(ReadOptions)}[name]
    return dataclasses.field(default=known.default, metadata=known.metadata)


@dataclass(frozen=True)
class FitReading:
    """How demonstrations are read. The recorded task stands: `--task` chooses among them."""

    source_format: ReadFormat = _as_read("source_format")
    color: ColorOrder = _as_read("color")
    rotation: Rotation = _as_read("rotation")
    topics: Path | None = _as_read("topics")
    tolerance_ms: float | None = _as_read("tolerance_ms")
    cameras: tuple[str, ...] | None = _as_read("cameras")
    fps: float | None = _as_read("fps")

    @property
    def options(self) -> ReadOptions:
        """Return the reading options that a door passes to the reader."""
        return ReadOptions(**{item.name: getattr(self, item.name) for item in _fields(self)})


@dataclass(frozen=True)
class FitConfig:
    """`robovalue value fit`."""

    data: tuple[Path, ...] = option(
        ..., "files or folders with demonstrations, in any readable format", positional=True
    )
    out: Path = option(Path("value_model.npz"), "file to write")
    overwrite: bool = option(False, "replace the file if it exists")
    task: str | None = option(None, "the task to learn, where the episodes are about several")
    max_demos: int | None = option(None, "use only the first demonstrations", low=2)
    seed: int = option(0, "seed of everything that is drawn; same seed, same bytes", low=0)
    fit: FitOptions = option(FitOptions, "how the model is made")
    encoder: EncoderChoice = option(EncoderChoice, "what looks at the pictures")
    read: FitReading = option(FitReading, "how to read")


@dataclass(frozen=True)
class FitResult:
    """What was learned, from what, and where it lies. about: as stored in the file."""

    path: Path
    model: ValueModel
    about: Mapping[str, Any]
    frames: int
    seconds: float
    findings: tuple[Finding, ...]


def fit(config: FitConfig, opener: Opener, *, progress: Progress = DEFAULT_PROGRESS) -> FitResult:
    """Fit a model on the successful episodes of one task and write it.

    opener: `wiring.open_reader` with the reading options. Raises DataError, ConfigError,
    ContractError for demonstrations that cannot teach.
    """
    target = _target(config)
    readers = Readers(opener)
    try:
        listed, findings = list_episodes(
            [path.resolve() for path in config.data], readers, progress
        )
        if not listed:
            raise DataError(
                config.data[0], f"no episode can be read; the first: {findings[0].found}"
            )
        chosen = choose_demonstrations(listed, config.task)
        taken = _Taken(chosen, readers, progress, config.max_demos)
        model = _fitted(config, taken, progress)
        findings = [*findings, *chosen.findings, *taken.findings]
        findings += [*few_findings(len(taken.entries)), *readers.findings()]
    finally:
        readers.close()
    about = {
        "task": chosen.task, "cameras": list(model.cameras), "demonstrations": taken.entries,
        "options": to_mapping(config.fit), "seed": config.seed,
        "encoder": None, "software": f"robovalue_ros {__version__}",
    }  # fmt: skip
    write_value_model(target, model, about)
    return FitResult(target, model, about, taken.frames, taken.seconds, tuple(findings))


class _Taken:
    """The demonstrations, read one after the other as fitting asks for them.

    Those whose frames turn out damaged are left out. What was used is known afterwards.
    """

    def __init__(
        self, chosen: Chosen, readers: Readers, progress: Progress, most: int | None
    ) -> None:
        self._chosen, self._readers, self._progress = chosen, readers, progress
        self._most = len(chosen.demonstrations) if most is None else most
        self.entries: list[dict[str, Any]] = []
        self.findings: list[Finding] = []
        self.frames, self.seconds = 0, 0.0

    def __iter__(self) -> Iterator[Given]:
        total = min(self._most, len(self._chosen.demonstrations))
        with self._progress.stage("reading demonstrations", total) as tick:
            for recording in self._chosen.demonstrations:
                if len(self.entries) == self._most:
                    break
                try:
                    given = self._read(recording)
                except DataError as problem:
                    self.findings.append(damaged(recording, problem))
                    self._progress.say(f"left out {recording.episode_id}: {problem}")
                    continue
                yield given
                tick(1)
        if len(self.entries) < FEWEST_DEMOS:
            raise DataError(
                self._chosen.demonstrations[0].data,
                f"only {len(self.entries)} demonstrations can be used",
                f"at least {FEWEST_DEMOS} successful ones",
                self.findings[0].found if self.findings else "",
            )

    def _read(self, recording: Recording) -> Given:
        episode = self._readers.open(recording)
        cameras = self._chosen.cameras
        try:
            with self._progress.stage(recording.episode_id, len(episode) * len(cameras)) as tick:
                watched = {name: WatchedFrames(episode.cameras[name], tick) for name in cameras}
                pictures = {name: _small(source) for name, source in watched.items()}
        finally:
            episode.close()
        self._note(recording, episode, content_of(episode, watched))
        return pictures, episode.stamps_ns

    def _note(self, recording: Recording, episode: Episode, content: str) -> None:
        seconds = float(episode.stamps_ns[-1] - episode.stamps_ns[0]) / 1e9
        self.frames += len(episode)
        self.seconds += seconds
        self.entries.append(
            {
                "id": recording.episode_id, "data": recording.data.name, "frames": len(episode),
                "seconds": round(seconds, 3), "content": content,
            }
        )  # fmt: skip


def _small(source: FrameSource) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Read all frames of a camera as small pictures, which is all that fitting keeps of them."""
    small = np.empty((len(source), SIDE, SIDE, 3), np.uint8)
    for row, image in enumerate(source.iterate()):
        small[row] = np.rint(shrink(image) * np.float32(255.0))
    return small


def _fitted(config: FitConfig, taken: _Taken, progress: Progress) -> ValueModel:
    rng = np.random.default_rng(config.seed)
    with progress.stage("learning", SHARES) as tick:
        told = 0

        def hear(share: float) -> None:
            nonlocal told
            reached = int(share * SHARES)
            tick(reached - told)
            told = reached

        return fit_value_model(taken, config.fit, rng, hear)


def _target(config: FitConfig) -> Path:
    """Return the file to write; raises DataError when it must not be replaced."""
    if not config.data:
        raise ContractError("DATA", "at least one file or folder of demonstrations", "none")
    target = config.out if config.out.suffix == ".npz" else Path(f"{config.out}.npz")
    for path in (config.out, target):
        if path.is_dir():
            raise DataError(path, "is a folder", "a file name that ends in .npz")
    if target.exists() and not config.overwrite:
        raise DataError(target, "exists already", hint="Pass --overwrite to replace it.")
    return target


def _fields(config: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(config)

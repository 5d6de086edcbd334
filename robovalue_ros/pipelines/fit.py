"""From recorded demonstrations to a value model in a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robovalue_ros import __version__
from robovalue_ros.backends.encoders.choice import PIXELS, EncoderChoice, stored_choice
from robovalue_ros.contracts.config import option, to_mapping
from robovalue_ros.contracts.errors import ContractError, DataError
from robovalue_ros.contracts.frames import FrameSource
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.tools import ColorOrder, ReadFormat, ReadOptions, Rotation
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.value_store.value_model import write_value_model
from robovalue_ros.pipelines.fit_demonstrations import (
    Chosen,
    Stamps,
    Taken,
    choose_demonstrations,
    few_findings,
    list_episodes,
)
from robovalue_ros.pipelines.learning import learn_pixels
from robovalue_ros.pipelines.recordings import Opener, Readers
from robovalue_ros.value.pixels.shrink import shrunk_frames
from robovalue_ros.value.stream.core import Encoders
from robovalue_ros.value.stream.fitting import Given, checked_demonstration
from robovalue_ros.value.stream.match_fitting import (
    EmbeddedDemonstration,
    embed_demonstration,
    fit_matching_model,
)
from robovalue_ros.value.stream.match_options import MatchOptions
from robovalue_ros.value.stream.model import ValueModel
from robovalue_ros.value.stream.options import FitOptions

EncoderMaker = Callable[[EncoderChoice, Sequence[str]], Encoders]
DEFAULT_PROGRESS = SilentProgress()


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
    matching: MatchOptions = option(MatchOptions, "how clips are matched; encoders with weights")
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


def fit(
    config: FitConfig,
    opener: Opener,
    make_encoders: EncoderMaker,
    *,
    progress: Progress = DEFAULT_PROGRESS,
) -> FitResult:
    """Fit a model on the successful episodes of one task and write it.

    opener: `wiring.open_reader` with the reading options. make_encoders: `wiring.make_encoders`;
    asked only for encoders with weights. Raises DataError, ConfigError, ContractError for
    demonstrations that cannot teach.
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
        taken = Taken(chosen, readers, progress, config.max_demos)
        if config.encoder.encoder == PIXELS:
            model = _fit_pixels(config, taken, progress)
        else:
            model = _fit_matching(config, taken, make_encoders(config.encoder, chosen.cameras))
        findings = [*findings, *chosen.findings, *taken.findings]
        findings += [*few_findings(len(taken.entries)), *readers.findings()]
    finally:
        readers.close()
    about = _about(config, chosen, taken, model)
    write_value_model(target, model, about)
    return FitResult(target, model, about, taken.frames, taken.seconds, tuple(findings))


def _fit_pixels(config: FitConfig, taken: Taken, progress: Progress) -> ValueModel:
    def small(pictures: Mapping[str, FrameSource], stamps: Stamps) -> Given:
        checked_demonstration((pictures, stamps), tuple(pictures), "demonstration")
        return {name: shrunk_frames(source) for name, source in pictures.items()}, stamps

    rng = np.random.default_rng(config.seed)
    return learn_pixels(taken.each(small), config.fit, rng, progress)


def _fit_matching(config: FitConfig, taken: Taken, encoders: Encoders) -> ValueModel:
    def embedded(pictures: Mapping[str, FrameSource], stamps: Stamps) -> EmbeddedDemonstration:
        return embed_demonstration((pictures, stamps), encoders, "recent", config.matching)

    demos = list(taken.each(embedded))
    return fit_matching_model(demos, encoders, "recent", config.fit, config.matching)


def _about(config: FitConfig, chosen: Chosen, taken: Taken, model: ValueModel) -> dict[str, Any]:
    about: dict[str, Any] = {
        "task": chosen.task, "kind": model.kind, "cameras": list(model.cameras),
        "demonstrations": taken.entries, "options": to_mapping(config.fit), "seed": config.seed,
        "encoder": None, "software": f"robovalue_ros {__version__}",
    }  # fmt: skip
    if config.encoder.encoder != PIXELS:
        about["options"] |= to_mapping(config.matching)
        about["encoder"] = stored_choice(config.encoder)
    return about


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

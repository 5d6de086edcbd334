"""The value model of a run: the one that is named, or one fitted on the demonstrations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from robovalue_ros import __version__
from robovalue_ros.contracts.errors import ContractError, DataError
from robovalue_ros.contracts.progress import Progress
from robovalue_ros.contracts.types import Episode, Finding
from robovalue_ros.data.value_store.value_model import read_value_model, write_value_model
from robovalue_ros.pipelines.estimate.config import EstimateConfig
from robovalue_ros.pipelines.estimate.journal import Journal
from robovalue_ros.pipelines.estimate.references import ReferenceSet, reference_stage
from robovalue_ros.pipelines.recordings import Readers
from robovalue_ros.value.stream.fitting import Given, fit_value_model
from robovalue_ros.value.stream.model import ValueModel
from robovalue_ros.value.stream.options import FitOptions

MODEL_FILE = "value_model.npz"
SHARES = 1000


def needs_value_model(config: EstimateConfig) -> bool:
    """Tell whether a run uses a value model at all."""
    return config.causal or (config.hindsight and config.encoder_name == "pixels")


def value_model(
    config: EstimateConfig,
    references: ReferenceSet,
    readers: Readers,
    journal: Journal,
    progress: Progress,
) -> tuple[Path, ValueModel]:
    """Return the model and its file; fits one where none is named and none fits the references."""
    if config.model is not None:
        return config.model, read_value_model(config.model).model
    file = config.out_cache_dir / MODEL_FILE
    about: dict[str, Any] = {
        "demonstrations": list(references.told.ids), "seed": config.seed,
        "steps": config.fit_steps, "cameras": list(config.read.cameras or ()),
        "software": f"robovalue_ros {__version__}",
    }  # fmt: skip
    if file.is_file():
        try:
            stored = read_value_model(file)
        except DataError as problem:
            journal.find(Finding("warning", MODEL_FILE, str(problem), "It is fitted anew."))
        else:
            if dict(stored.about) == about:
                return file, stored.model
            journal.log("INFO", f"{MODEL_FILE} was made from something else; fitted anew")
    model = _fitted(config, references, readers, journal, progress)
    write_value_model(file, model, about)
    return file, model


def _fitted(
    config: EstimateConfig,
    references: ReferenceSet,
    readers: Readers,
    journal: Journal,
    progress: Progress,
) -> ValueModel:
    tasks = sorted({item.task for item in references.usable})
    if len(tasks) > 1:
        journal.find(
            Finding(
                "warning", "value model",
                f"one model learns {len(tasks)} tasks at once: {', '.join(tasks[:5])}",
                "Fit one per task with `robovalue value fit` and pass it with --model.",
            )
        )  # fmt: skip
    rng = np.random.default_rng(config.seed)
    with progress.stage("learning the value model", SHARES) as tick:
        told = 0

        def hear(share: float) -> None:
            nonlocal told
            reached = int(share * SHARES)
            tick(reached - told)
            told = reached

        try:
            return fit_value_model(
                _given(config, references, readers, journal), FitOptions(steps=config.fit_steps),
                rng, hear,
            )  # fmt: skip
        except ContractError as problem:
            folder = references.usable[0].recording.data.parent
            raise DataError(folder, f"no value model can be learned: {problem}") from problem


def _given(
    config: EstimateConfig, references: ReferenceSet, readers: Readers, journal: Journal
) -> Iterator[Given]:
    """Yield the demonstrations with the cameras that all of them have."""
    cameras: Sequence[str] | None = None
    for prepared in references.usable:
        episode = readers.open(prepared.recording)
        shared = [name for name in (cameras or episode.cameras) if name in episode.cameras]
        cameras = shared
        episode.close()
    for prepared in references.usable:
        try:
            episode = readers.open(prepared.recording)
            _read_through(episode, cameras or ())
        except DataError as problem:
            journal.failed(prepared.recording, reference_stage(config), str(problem))
            continue
        yield {name: episode.cameras[name] for name in cameras or ()}, episode.stamps_ns
        episode.close()


def _read_through(episode: Episode, cameras: Sequence[str]) -> None:
    """Raise DataError when a frame is damaged, before the demonstration is taken."""
    for name in cameras:
        for _ in episode.cameras[name].iterate():
            pass

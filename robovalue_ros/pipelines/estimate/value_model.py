"""The value model of a run: the one that is named, or one fitted on the demonstrations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from robovalue_ros import __version__
from robovalue_ros.contracts.errors import ContractError, DataError
from robovalue_ros.contracts.progress import Progress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.value_store.value_model import (
    StoredValueModel,
    read_value_model,
    write_value_model,
)
from robovalue_ros.pipelines.estimate.config import EstimateConfig
from robovalue_ros.pipelines.estimate.journal import Journal
from robovalue_ros.pipelines.estimate.prepare import Prepared, reading
from robovalue_ros.pipelines.estimate.references import ReferenceSet, reference_stage
from robovalue_ros.pipelines.recordings import Readers
from robovalue_ros.value.pixels.shrink import shrunk_frames
from robovalue_ros.value.stream.model import ValueModel
from robovalue_ros.value.stream.options import FitOptions

if TYPE_CHECKING:
    from robovalue_ros.value.stream.fitting import Given

MODEL_FILE = "value_model.npz"
LEFT_OUT = "left_out"


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
        "steps": config.fit_steps, "reading": reading(config),
        "software": f"robovalue_ros {__version__}",
    }  # fmt: skip
    demonstrations = _Demonstrations(config, references, readers, journal)
    kept = _kept(file, about, journal)
    if kept is not None:
        # What could not be read then may be readable now.
        left_out = kept.about[LEFT_OUT]
        if left_out == demonstrations.damaged(left_out):
            return file, kept.model
    model = _fitted(config, references, demonstrations, journal, progress)
    write_value_model(file, model, about | {LEFT_OUT: demonstrations.left_out})
    return file, model


def _kept(file: Path, about: dict[str, Any], journal: Journal) -> StoredValueModel | None:
    """Return the model of an earlier run if it was made from the same."""
    if not file.is_file():
        return None
    try:
        stored = read_value_model(file)
    except DataError as problem:
        journal.find(Finding("warning", MODEL_FILE, str(problem), "It is fitted anew."))
        return None
    told = dict(stored.about)
    if isinstance(told.pop(LEFT_OUT, None), list) and told == about:
        return stored
    journal.log("INFO", f"{MODEL_FILE} was made from something else; fitted anew")
    return None


def _fitted(
    config: EstimateConfig,
    references: ReferenceSet,
    demonstrations: _Demonstrations,
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
    # What fitting needs is loaded by the runs that fit.
    from robovalue_ros.pipelines.learning import learn_pixels

    rng = np.random.default_rng(config.seed)
    try:
        return learn_pixels(demonstrations, FitOptions(steps=config.fit_steps), rng, progress)
    except ContractError as problem:
        folder = references.usable[0].recording.data.parent
        raise DataError(folder, f"no value model can be learned: {problem}") from problem


class _Demonstrations:
    """The references as fitting takes them, read one after the other.

    left_out: keys of those that turned out damaged.
    """

    def __init__(
        self, config: EstimateConfig, references: ReferenceSet, readers: Readers, journal: Journal
    ) -> None:
        self._usable, self._readers, self._journal = references.usable, readers, journal
        self._stage = reference_stage(config)
        self.left_out: list[str] = []

    def damaged(self, keys: Sequence[str]) -> list[str]:
        """Return which of some references are damaged, telling the journal of each."""
        if not keys:
            return []
        asked = [item for item in self._usable if item.key in keys]
        return [item.key for item in asked if self._read(item, ()) is None]

    def __iter__(self) -> Iterator[Given]:
        cameras = self._shared()
        for prepared in self._usable:
            given = self._read(prepared, cameras)
            if given is None:
                self.left_out.append(prepared.key)
            else:
                yield given

    def _shared(self) -> tuple[str, ...]:
        """Return the cameras that all demonstrations have."""
        shared: tuple[str, ...] | None = None
        for prepared in self._usable:
            try:
                episode = self._readers.open(prepared.recording)
            except DataError:
                continue  # it is told when it is read
            episode.close()
            names = tuple(episode.cameras) if shared is None else shared
            shared = tuple(name for name in names if name in episode.cameras)
        return shared or ()

    def _read(self, prepared: Prepared, cameras: Sequence[str]) -> Given | None:
        """Read a reference once, as small pictures; None, and told, when a frame is damaged."""
        try:
            episode = self._readers.open(prepared.recording)
            try:
                names = cameras or tuple(episode.cameras)
                small = {name: shrunk_frames(episode.cameras[name]) for name in names}
            finally:
                episode.close()
        except DataError as problem:
            self._journal.failed(prepared.recording, self._stage, str(problem))
            return None
        return small, episode.stamps_ns

"""Fit, play and measure one task; whatever is finished is kept and not done again."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.value_study.curves import Record, from_arrays, measure, to_arrays
from benchmarks.value_study.playing import drawn, played, read_pictures
from benchmarks.value_study.settings import StudyConfig, task_folder
from robovalue_envs.sim.tasks import TASKS
from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.contracts.progress import Progress
from robovalue_ros.contracts.types import Episode
from robovalue_ros.data.atomic import atomic_path
from robovalue_ros.value.stream.fitting import fit_value_model
from robovalue_ros.value.stream.model import ValueModel
from robovalue_ros.value.stream.options import FitOptions

SPARE = 2  # demonstrations are played until enough succeed, at most this many times as many

T = TypeVar("T")
Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class TaskResult:
    """What was measured on one task. shown: the demonstrations. plain, altered: test episodes.

    shown and altered belong to the first number of demonstrations, plain is keyed by number.
    """

    task: str
    shown: tuple[Record, ...]
    plain: Mapping[int, tuple[Record, ...]]
    altered: tuple[Record, ...]
    models: Mapping[int, str]


def run_task(config: StudyConfig, task: str, progress: Progress) -> TaskResult:
    """Measure one task, or read what is left of an earlier run and do the rest."""
    folder = task_folder(config, task)
    models = {count: model_of(config, task, count, progress) for count in config.demos}
    first = models[config.demos[0]]
    foreign = model_of(config, other_task(task), config.demos[0], progress)
    names, play = played(config, task, SPARE * max(config.demos), 1.0, config.demo_seed)
    shown = [
        record
        for name in names[: config.demos[0]]
        for record in [_kept_record(folder / "shown" / name, lambda n=name: measure(first, play(n), _rng()))]  # type: ignore[misc]
        if record.success
    ]  # fmt: skip
    plain: dict[int, list[Record]] = {count: [] for count in config.demos}
    names, play = played(config, task, 2 * config.episodes, 0.5, config.test_seed)
    with progress.stage(f"{task}: episodes", len(names)) as tick:
        for index, name in enumerate(names):
            episode = _Once(play, name)
            for count, model in models.items():
                rng = np.random.default_rng([config.test_seed, index, count])
                beside = foreign if count == config.demos[0] else None
                plain[count].append(
                    _kept_record(
                        folder / f"plain_{count}" / name,
                        lambda m=model, e=episode, r=rng, b=beside: measure(m, e(), r, foreign=b),  # type: ignore[misc]
                    )
                )
            tick(1)
    altered = []
    names, play = played(config, task, 2 * config.altered, 0.5, config.test_seed + 1, 1)
    with progress.stage(f"{task}: altered episodes", len(names)) as tick:
        for index, name in enumerate(names):
            rng = np.random.default_rng([config.test_seed, index])
            altered.append(
                _kept_record(
                    folder / "altered" / name,
                    lambda n=name, r=rng: measure(first, play(n), r, altered=drawn(r)),  # type: ignore[misc]
                )
            )
            tick(1)
    return TaskResult(
        task, tuple(shown), {count: tuple(records) for count, records in plain.items()},
        tuple(altered), {count: model.id for count, model in models.items()},
    )  # fmt: skip


def other_task(task: str) -> str:
    """Return a task of another kind, whose demonstrations say nothing about this one."""
    return next(name for name in TASKS if TASKS[name].drawer != TASKS[task].drawer)


def model_of(config: StudyConfig, task: str, count: int, progress: Progress) -> ValueModel:
    """Return the model of the first `count` demonstrations, fitted or kept from before."""
    path = task_folder(config, task) / f"model_{count}.npz"
    return _kept(
        path,
        ValueModel.from_arrays,
        lambda: _fitted(config, task, count, progress),
        lambda model: model.to_arrays(),
    )


def _fitted(config: StudyConfig, task: str, count: int, progress: Progress) -> ValueModel:
    options = FitOptions(steps=config.steps, batch=config.batch)
    rng = np.random.default_rng(config.fit_seed)
    with progress.stage(f"{task}: fitting on {count} demonstrations", 100) as tick:
        done = 0

        def heard(share: float) -> None:
            nonlocal done
            now = int(100 * share)
            tick(now - done)
            done = now

        return fit_value_model(_demonstrations(config, task, count), options, rng, heard)


def _demonstrations(
    config: StudyConfig, task: str, count: int
) -> Iterator[tuple[dict[str, NDArray[np.uint8]], NDArray[np.int64]]]:
    names, play = played(config, task, SPARE * max(config.demos), 1.0, config.demo_seed)
    given = 0
    for name in names:
        episode = play(name)
        if given < count and episode.success:
            given += 1
            yield read_pictures(episode), episode.stamps_ns
        if given == count:
            return


class _Once:
    """Plays an episode when it is first needed."""

    def __init__(self, play: Callable[[str], Episode], name: str) -> None:
        self._play, self._name = play, name
        self._episode: Episode | None = None

    def __call__(self) -> Episode:
        if self._episode is None:
            self._episode = self._play(self._name)
        return self._episode


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _kept_record(stem: Path, make: Callable[[], Record]) -> Record:
    return _kept(stem.with_suffix(".npz"), from_arrays, make, to_arrays)


def _kept(
    path: Path, read: Callable[[Arrays], T], make: Callable[[], T], write: Callable[[T], Arrays]
) -> T:
    """Return what a file holds; make and write it where it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return read(dict(stored))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, ContractError):
        made = make()
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **write(made))  # type: ignore[arg-type]
    return made

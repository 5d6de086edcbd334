"""Play, fit, train and try; whatever is finished is kept and not done again."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.plan_study.arms import (
    NEEDS_VALUES,
    Drawing,
    chosen_arms,
    drawing,
    kept_demos,
)
from benchmarks.plan_study.demonstrations import Demo, demonstrations
from benchmarks.plan_study.policy import Samples, samples_of, trained
from benchmarks.plan_study.settings import StudyConfig, policies_folder, values_folder
from benchmarks.plan_study.trials import tried
from benchmarks.plan_study.values import value_curves
from robovalue_ros.contracts.progress import Progress
from robovalue_ros.data.atomic import atomic_path

Arrays = Mapping[str, NDArray[np.generic]]
NAMES = ("success", "steps", "loss", "loss_kept", "loss_others", "seconds")


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One policy. success, steps (E,): of its episodes. losses: of scaled actions.

    loss: over the last training steps, as drawn. loss_kept, loss_others: over every frame of the
    demonstrations that training had, and that it had not.
    """

    drawing: Drawing
    success: NDArray[np.bool_]
    steps: NDArray[np.int64]
    loss: float
    loss_kept: float
    loss_others: float


@dataclass(frozen=True, slots=True, eq=False)
class StudyResult:
    """runs: of each row, one per seed. value_errors: of each seed's curves. seconds: of CPU time."""

    runs: Mapping[str, tuple[Run, ...]]
    value_errors: tuple[float, ...]
    manners: Mapping[str, int]
    frames: tuple[int, ...]
    seconds: float


def run_study(config: StudyConfig, progress: Progress) -> StudyResult:
    """Measure every row with every seed, or read what is left of an earlier run and do the rest."""
    policies_folder(config), values_folder(config)  # named by the code that is about to run
    begin = time.process_time()
    demos = demonstrations(config, progress)
    samples = samples_of(demos, config.horizon)
    seconds = time.process_time() - begin
    arms = chosen_arms(config)
    runs: dict[str, list[Run]] = {arm: [] for arm in arms}
    errors, frames = [], []
    for seed in config.seeds:
        kept = kept_demos(config, seed)
        frames.append(sum(len(demos[at].states) for at in kept))
        values = None
        if any(arm in NEEDS_VALUES for arm in arms):
            found = _values(config, [demos[at] for at in kept], seed, progress)
            values = np.asarray(found["values"], np.float64)
            errors.append(float(found["error"]))
            seconds += float(found["seconds"])
        with progress.stage(f"seed {seed}", len(arms)) as tick:
            for arm in arms:
                drawn = drawing(config, arm, seed, demos, values)
                measured = _measured(config, arm, seed, demos, samples, drawn)
                seconds += float(measured["seconds"])
                runs[arm].append(
                    Run(
                        drawn,
                        np.asarray(measured["success"], np.bool_),
                        np.asarray(measured["steps"], np.int64),
                        *(float(measured[name]) for name in ("loss", "loss_kept", "loss_others")),
                    )
                )
                tick(1)
    names = [demo.manner for demo in demos]
    manners = {name: names.count(name) for name in dict.fromkeys(sorted(names))}
    return StudyResult(
        {arm: tuple(found) for arm, found in runs.items()}, tuple(errors), manners, tuple(frames),
        seconds,
    )  # fmt: skip


def _values(config: StudyConfig, kept: list[Demo], seed: int, progress: Progress) -> Arrays:
    def make() -> Arrays:
        curves = value_curves(config, kept, seed, progress)
        return {"values": curves.values, "error": np.array(curves.error)}

    path = values_folder(config) / f"{seed}.npz"
    return _kept(path, ("values", "error", "seconds"), make)


def _measured(
    config: StudyConfig, arm: str, seed: int, demos: tuple[Demo, ...], samples: Samples,
    drawn: Drawing,
) -> Arrays:  # fmt: skip
    def make() -> Arrays:
        lengths = [len(demo.states) for demo in demos]
        inside = np.repeat(np.isin(np.arange(len(demos)), kept_demos(config, seed)), lengths)
        kept, others = np.flatnonzero(inside), np.flatnonzero(~inside)
        policy, loss = trained(config, samples, kept, drawn.batches, seed)
        trials = tried(config, policy, seed)
        return {
            "success": trials.success,
            "steps": trials.steps,
            "loss": np.array(loss),
            "loss_kept": np.array(policy.loss(samples, kept)),
            "loss_others": np.array(policy.loss(samples, others) if len(others) else np.nan),
        }

    name = "".join(letter if letter.isalnum() else "_" for letter in arm)
    return _kept(policies_folder(config) / f"{name}_{seed}.npz", NAMES, make)


def _kept(path: Path, names: tuple[str, ...], make: Callable[[], Arrays]) -> Arrays:
    """Return what a file holds; make and write it where it is missing or damaged.

    The CPU seconds that it took to make are kept beside it.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        begin = time.process_time()
        made = {**make(), "seconds": np.array(0.0)}
        made["seconds"] = np.array(time.process_time() - begin)
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **made)  # type: ignore[arg-type]
    return made

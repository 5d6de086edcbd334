"""Value curves of demonstrations by the project's own model, fitted on nothing but them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.plan_study.demonstrations import Demo, with_pictures
from benchmarks.plan_study.settings import StudyConfig
from robovalue_envs.sim.env import TabletopEnv
from robovalue_envs.sim.tasks import STEP_NS
from robovalue_ros.contracts.progress import Progress
from robovalue_ros.contracts.types import Frame
from robovalue_ros.value.stream.fitting import fit_value_model
from robovalue_ros.value.stream.live import score_causal
from robovalue_ros.value.stream.options import FitOptions


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Values (N,) of the rows of kept demonstrations, one after the other. error: to the truth."""

    values: NDArray[np.float64]
    error: float


def value_curves(
    config: StudyConfig, kept: Sequence[Demo], seed: int, progress: Progress
) -> Curves:
    """Fit a value model on the pictures of kept demonstrations, and score these with it.

    True progress is looked at only to tell how far the curves are from it.
    """
    env = TabletopEnv(config.task, size=config.size)
    with progress.stage("pictures", len(kept)) as tick:
        shown = []
        for demo in kept:
            shown.append(with_pictures(config, demo, env))
            tick(1)
    env.close()
    stamps = [np.arange(len(demo.states), dtype=np.int64) * STEP_NS for demo in shown]
    given = [(dict(demo.pictures), times) for demo, times in zip(shown, stamps, strict=True)]
    options = FitOptions(steps=config.value_steps)
    with progress.stage("value model"):
        model = fit_value_model(given, options, np.random.default_rng(seed))
        curves = []
        for pictures, times in given:
            frames = [
                Frame(int(stamp), {name: part[row] for name, part in pictures.items()})
                for row, stamp in enumerate(times)
            ]
            curves.append(np.asarray(score_causal(model, frames).values, np.float64))
    values = np.concatenate(curves)
    truth = np.concatenate([demo.progress for demo in shown])
    return Curves(values, float(np.abs(values - truth).mean()))

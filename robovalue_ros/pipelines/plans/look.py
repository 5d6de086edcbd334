"""What a plan looks like from outside: its stages, and how training will see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robovalue_ros.data.plan_files.folder import StoredPlan
from robovalue_ros.plans.exposure import Exposure, exposure
from robovalue_ros.plans.ragged import Floats, Ints

CURVE_POINTS = 60


@dataclass(frozen=True, slots=True)
class StageFigures:
    """anchors: how many. anchor_share, draw_share: of all anchors, of all draws."""

    stage: int
    anchors: int
    anchor_share: float
    draw_share: float


@dataclass(frozen=True, slots=True)
class Run:
    """The training that a plan is looked at for."""

    steps: int
    batch_size: int
    replacement: bool


def run_of(
    stored: StoredPlan, steps: int, batch_size: int | None, replacement: bool | None = None
) -> Run:
    """Return the training that was asked for; what was left open is as the plan says."""
    said = bool(stored.meta.get("replacement", True))
    return Run(
        steps, batch_size or int(stored.meta["batch_size"]), said if replacement is None else replacement
    )  # fmt: skip


def seen(stored: StoredPlan, run: Run) -> Exposure:
    """Return what a training sees of a plan."""
    return exposure(stored.plan.weights, run.steps, run.batch_size, run.replacement)


def draw_shares(stored: StoredPlan) -> Floats:
    """Return the share (N,) of draws that each anchor gets."""
    weights = stored.plan.weights.astype(np.float64)
    shares: Floats = weights / weights.sum()
    return shares


def stage_figures(stored: StoredPlan) -> tuple[StageFigures, ...]:
    """Return a row for each stage, also for those without anchors."""
    stages = stored.plan.stages
    count = max(int(stored.meta["stage_strategy"].get("num_stages_K", 0)), int(stages.max()) + 1)
    anchors = np.bincount(stages, minlength=count)
    drawn = np.bincount(stages, draw_shares(stored), minlength=count)
    return tuple(
        StageFigures(k, int(anchors[k]), float(anchors[k] / len(stages)), float(drawn[k]))
        for k in range(count)
    )


def coverage_curve(stored: StoredPlan, run: Run, steps: Ints) -> Floats:
    """Return the share (S,) of anchors that is seen after each number of steps."""
    weights = stored.plan.weights
    return np.array([
        exposure(weights, int(step), run.batch_size, run.replacement).coverage for step in steps
    ])  # fmt: skip


def curve_steps(last: int) -> Ints:
    """Return numbers of steps from 1 to beyond `last`, `last` among them."""
    spaced = np.geomspace(1, max(2, 1.25 * last), CURVE_POINTS).round().astype(np.int64)
    return np.union1d(spaced, [last])

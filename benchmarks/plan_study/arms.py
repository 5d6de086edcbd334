"""What is compared: the order without a plan, plans, and rows that tell how to read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.plan_study.demonstrations import Demo
from benchmarks.plan_study.settings import StudyConfig
from robovalue_ros.contracts.errors import ConfigError, nearest
from robovalue_ros.contracts.types import SamplingPlan
from robovalue_ros.plans.build import Signals, build_plan
from robovalue_ros.plans.episodes import choose_episodes, table_of
from robovalue_ros.plans.exposure import Exposure, exposure
from robovalue_ros.plans.loading import training_stream
from robovalue_ros.plans.meta import PlanSource
from robovalue_ros.plans.options import PlanOptions
from robovalue_ros.plans.sampler import PlanBatches

SHUFFLE = "shuffle"
AGAIN = "shuffle, another order"
TIME = "time-quantile plan"
EVENTS = "event-weighted plan"
STAGED = "value-staged plan"
GAINS = "value-weighted plan"
TRUTH = "staged by true progress"
SHIPPED = "time-quantile, starts as shipped"
PLANS = (TIME, EVENTS, STAGED, GAINS)
ARMS = (SHUFFLE, AGAIN, *PLANS, TRUTH, SHIPPED)
NEEDS_VALUES = (STAGED, GAINS)
OTHER_ORDER = 1000
FINGERS = "6,7"


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """How training draws rows of all demonstrations, and what it will see of them.

    stages: anchors of each stage of a plan, 0 rows without one.
    """

    batches: PlanBatches
    rows: int
    exposure: Exposure
    stages: tuple[int, ...]


def chosen_arms(config: StudyConfig) -> tuple[str, ...]:
    """Return the rows that are asked for; raises ConfigError for one that there is not."""
    for name in config.arms:
        if name not in ARMS:
            raise ConfigError(f"there is no row {name!r}", hint=nearest(name, ARMS))
    return tuple(name for name in ARMS if not config.arms or name in (SHUFFLE, *config.arms))


def kept_demos(config: StudyConfig, seed: int) -> NDArray[np.int64]:
    """Return the positions of the demonstrations that a seed keeps, as plans choose them."""
    return choose_episodes(np.arange(config.demos), config.keep, seed)


def drawing(
    config: StudyConfig,
    arm: str,
    seed: int,
    demos: Sequence[Demo],
    values: NDArray[np.float64] | None,
) -> Drawing:
    """Return how one row draws. values (N,): of the kept demonstrations, where the row needs them."""
    lengths = np.array([len(demo.states) for demo in demos])
    kept = kept_demos(config, seed)
    row_kept = np.repeat(np.isin(np.arange(len(demos)), kept), lengths)
    if arm in (SHUFFLE, AGAIN):
        rows = np.flatnonzero(row_kept)
        order = seed + (OTHER_ORDER if arm == AGAIN else 0)
        stream = training_stream(len(rows), order)
        seen = exposure(np.ones(len(rows)), config.steps, config.batch, replacement=False)
        return Drawing(PlanBatches(stream, config.batch, rows=rows), len(rows), seen, ())
    known = np.full(int(lengths.sum()), np.nan)
    if arm in NEEDS_VALUES:
        assert values is not None
        known[row_kept] = values
    elif arm == TRUTH:
        known = np.concatenate([demo.progress for demo in demos])
    plan = _plan(config, arm, seed, lengths, demos, known)
    options = plan_options(config, arm, seed)
    stream = training_stream(len(plan.anchors), seed, plan)
    seen = exposure(plan.weights, config.steps, config.batch, options.replacement)
    stages = np.bincount(plan.stages, minlength=options.num_stages_K)
    batches = PlanBatches(stream, config.batch, rows=plan.anchors)
    return Drawing(batches, len(plan.anchors), seen, tuple(stages.tolist()))


def plan_options(config: StudyConfig, arm: str, seed: int) -> PlanOptions:
    """Return the options of a plan: as shipped, except for what is named here.

    Every frame is a start, also where a chunk passes the end, so that plans choose from the same
    samples as the order without a plan does.
    """
    common = PlanOptions(
        action_horizon=config.horizon, batch_size=config.batch, num_episodes_keep=config.keep,
        episode_selection_seed=seed, plan_seed=seed, sampler_seed=seed, gripper_dims=FINGERS,
        stride_S=1, valid_start_tail_keep=config.horizon - 1,
    )  # fmt: skip
    if arm == EVENTS:
        return replace(common, gripper_event_enabled=True)
    if arm in (STAGED, TRUTH):
        return replace(common, stage_strategy="value")
    if arm == GAINS:
        return replace(common, sample_weighting="value", num_stages_K=1)
    if arm == SHIPPED:
        usual = PlanOptions()
        return replace(
            common, stride_S=usual.stride_S, valid_start_tail_keep=usual.valid_start_tail_keep
        )
    return common


def _plan(
    config: StudyConfig,
    arm: str,
    seed: int,
    lengths: NDArray[np.int64],
    demos: Sequence[Demo],
    values: NDArray[np.float64],
) -> SamplingPlan:
    table = table_of(lengths, states=np.concatenate([demo.states for demo in demos]))
    source = PlanSource(f"simulator/{config.task}")
    return build_plan(table, plan_options(config, arm, seed), source, Signals(values=values))

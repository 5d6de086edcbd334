"""Data sets for plans: chosen ones, and random ones with everything that real ones have wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from robovalue_ros.contracts.types import Array, SamplingPlan
from robovalue_ros.plans.build import Signals, build_plan
from robovalue_ros.plans.episodes import FrameTable, table_of
from robovalue_ros.plans.meta import PlanSource
from robovalue_ros.plans.options import PlanOptions

SOURCE = PlanSource("repo", "config", "fingerprint", "data")
WIDTH = 3


def plan_of(table: FrameTable, signals: Signals | None = None, **given: Any) -> SamplingPlan:
    """Build a plan of all episodes with small batches, unless told otherwise."""
    given.setdefault("num_episodes_keep", len(np.unique(table.episode)))
    given.setdefault("batch_size", 2)
    given.setdefault("action_horizon", 10)
    return build_plan(table, PlanOptions(**given), SOURCE, signals)


def shuffled(table: FrameTable, states: Array, rng: np.random.Generator) -> FrameTable:
    """Return the same rows in any order."""
    order = rng.permutation(len(table))
    moved = states[order]
    return FrameTable(
        table.episode[order], table.frame[order], lambda rows: moved[rows], states.shape[1]
    )


def random_states(rng: np.random.Generator, rows: int) -> Array:
    """Draw states that wander, jump rarely, have ties, or never move; exact in single precision."""
    kind = rng.integers(4)
    if kind == 0:
        states = rng.integers(-3, 4, (rows, WIDTH)) / 4
    elif kind == 1:
        states = np.cumsum(rng.integers(-1, 2, (rows, WIDTH)), axis=0) / 64
    elif kind == 2:
        states = np.repeat(rng.integers(-3, 4, (rows // 15 + 1, WIDTH)) / 4, 15, axis=0)[:rows]
    else:
        states = np.full((rows, WIDTH), float(rng.integers(-1, 2)))
    return states.astype(np.float32)


def random_table(rng: np.random.Generator, in_order: bool = False) -> tuple[FrameTable, Array]:
    """Draw a few episodes of any length and number, rows in order or not."""
    count = int(rng.integers(1, 7))
    lengths = rng.integers(1, 70, count)
    ids = np.sort(rng.choice(50, count, replace=False))
    states = random_states(rng, int(lengths.sum()))
    table = table_of(lengths, np.arange(count) if in_order else ids, states)
    if not in_order and rng.random() < 0.3:
        return shuffled(table, states, rng), states
    return table, states


def random_signals(rng: np.random.Generator, table: FrameTable) -> Signals:
    """Draw curves that rise with the frames and falter, beginnings of actions, and advantages."""
    length = float(table.frame.max() + 1)
    values = np.clip(table.frame / length + rng.normal(0, 0.1, len(table)), 0, 1)
    return Signals(values, rng.random(len(table)) < 0.1, rng.normal(size=len(table)))


def random_options(rng: np.random.Generator, **fixed: Any) -> PlanOptions:
    """Draw options of all kinds; num_episodes_keep is for the caller to know."""
    pick = rng.integers
    chosen: dict[str, Any] = {
        "action_horizon": int(pick(1, 20)),
        "batch_size": int(pick(1, 9)),
        "stride_S": int(pick(1, 9)),
        "plan_seed": int(pick(0, 5)),
        "valid_start_tail_keep": int(pick(0, 22)) if rng.random() < 0.5 else 0,
        "stage_strategy": ("time_quantile", "change_point_state", "value", "segments")[pick(4)],
        "num_stages_K": int(pick(1, 8)),
        "change_point_delta": int(pick(1, 6)),
        "change_point_min_gap": int(pick(0, 14)),
        "stage_balance": ("uniform_over_stage", "inv_freq")[pick(2)],
        "inv_freq_power": float(rng.choice([0.0, 0.5, 2.0])),
        "epsilon_mix": float(rng.choice([0.0, 0.01, 0.3])),
        "gripper_event_enabled": bool(rng.random() < 0.6),
        "gripper_dims": ("0", "1,2", " 0, 1 ,2,")[pick(3)],
        "gripper_smooth_window": int(rng.choice([0, 1, 3, 5, 11])),
        "gripper_delta1": int(pick(1, 3)),
        "gripper_delta2": int(pick(1, 8)),
        "gripper_quantile_q": float(rng.choice([0.8, 0.9, 0.95])),
        "gripper_min_gap": int(pick(0, 15)),
        "gripper_noise_ratio": float(rng.choice([0.0, 6.0])),
        "gripper_event_mode": ("soft_exp", "hard")[pick(2)],
        "sample_weighting": ("none", "value", "advantage")[pick(3)],
    }
    return PlanOptions(**{**chosen, **fixed})

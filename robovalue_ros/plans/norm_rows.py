"""Which rows statistics are made of, and which rows the action window of each of them has."""

from __future__ import annotations

from typing import Literal

import numpy as np

from robovalue_ros.contracts.types import SamplingPlan
from robovalue_ros.plans.episodes import EpisodeIndex, FrameTable, last_starts
from robovalue_ros.plans.errors import PlanError
from robovalue_ros.plans.ragged import Ints

SubsetMode = Literal["none", "anchors", "episodes", "episodes_valid"]


def norm_rows(
    table: FrameTable,
    index: EpisodeIndex,
    horizon: int,
    plan: SamplingPlan | None = None,
    mode: SubsetMode = "none",
) -> Ints:
    """Return the rows of a data set that statistics are made of, ascending.

    Without a plan, and with mode none, all. Raises PlanError in the words of older tools.
    """
    if plan is None or mode == "none":
        return np.arange(len(table))
    rows = plan.anchors if mode == "anchors" else _episode_rows(table, index, horizon, plan, mode)
    if len(rows) == 0:
        raise PlanError("No frames selected for norm stats.")
    if rows.min() < 0 or rows.max() >= len(table):
        raise PlanError("Sampling plan anchor_indices out of range for dataset.")
    return rows


def check_norm_plan(plan: SamplingPlan, repo_id: str, horizon: int) -> None:
    """Raise PlanError where a plan is of another data set, or of other windows."""
    planned, length = plan.meta.get("repo_id"), plan.meta.get("action_horizon_H")
    if planned != repo_id:
        raise PlanError(f"Plan repo_id mismatch: plan={planned} config={repo_id}")
    if length != horizon:
        raise PlanError(f"Plan action_horizon_H mismatch: plan={length} model={horizon}")


def _episode_rows(
    table: FrameTable, index: EpisodeIndex, horizon: int, plan: SamplingPlan, mode: SubsetMode
) -> Ints:
    kept = plan.meta.get("episodes_keep")
    if not kept:
        raise PlanError("Plan meta missing episodes_keep; build the plan again.")
    chosen = np.isin(index.ids, np.asarray(kept, np.int64))[index.position]
    if mode == "episodes_valid":
        rule = plan.meta.get("valid_start_rule") or {}
        tail = min(max(0, int(rule.get("tail_keep", 0))), max(0, horizon - 1))
        last = last_starts(index.lengths, horizon, tail)
        chosen &= table.frame <= last[index.position]
    return np.flatnonzero(chosen)


def drawn_rows(rows: Ints, max_frames: int | None, rng: np.random.Generator) -> Ints:
    """Return all rows, or `max_frames` of them without repetition in the order they are drawn."""
    if max_frames is None or max_frames >= len(rows):
        return rows
    drawn: Ints = rng.choice(rows, size=max_frames, replace=False)
    return drawn


def window_frames(starts: Ints, length: int, horizon: int) -> Ints:
    """Return the frames (n, H) of windows in an episode of `length`; the last one is repeated."""
    frames: Ints = np.minimum(starts[:, None] + np.arange(horizon), length - 1)
    return frames


def window_counts(starts: Ints, length: int, horizon: int) -> Ints:
    """Return how often each frame (length,) of an episode is in the windows from `starts`."""
    begun = np.bincount(starts, minlength=length)
    ended = np.bincount(np.minimum(starts + horizon, length), minlength=length + 1)
    counts = np.cumsum(begun - ended[:length])
    counts[-1] += int(np.maximum(0, starts + horizon - length).sum())
    return counts

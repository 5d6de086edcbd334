"""`robovalue plan norm-stats`: what states and actions are normalised with, of all rows or a plan's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Array, Finding, NormStats, SamplingPlan
from robovalue_ros.data.lerobot.homes import find_data_set
from robovalue_ros.data.plan_files.folder import read_plan
from robovalue_ros.data.plan_files.norm_stats import norm_stats_path, write_norm_stats
from robovalue_ros.pipelines.plans.config import NormStatsConfig
from robovalue_ros.pipelines.plans.rows import PlanRows, read_rows
from robovalue_ros.pipelines.recordings import Opener
from robovalue_ros.plans.episodes import EpisodeIndex, index_episodes
from robovalue_ros.plans.errors import PlanError
from robovalue_ros.plans.histogram import TOO_FEW, HistogramStats, reference_batches
from robovalue_ros.plans.norm_rows import (
    check_norm_plan,
    drawn_rows,
    norm_rows,
    window_counts,
    window_frames,
)
from robovalue_ros.plans.norm_stats import RunningStats
from robovalue_ros.plans.ragged import Ints
from robovalue_ros.plans.train_setups import train_setup

DEFAULT_PROGRESS = SilentProgress()
STATES, ACTIONS = "state", "actions"
AT_ONCE = 65_536  # rows that are brought into double precision together


@dataclass(frozen=True, slots=True, eq=False)
class NormStatsResult:
    """path: the file. rows: of which statistics are made. total: rows of the data set."""

    path: Path
    stats: dict[str, NormStats]
    rows: int
    total: int
    exact: bool
    findings: tuple[Finding, ...]


def compute_norm_stats(
    config: NormStatsConfig, opener: Opener, *, progress: Progress = DEFAULT_PROGRESS
) -> NormStatsResult:
    """Compute and write statistics.

    Raises PlanError in the words of older tools, DataError for data or a plan that cannot be read,
    ConfigError where no data set is named.
    """
    horizon = train_setup(config.train_config_name, config.action_horizon, 1).action_horizon
    findings: list[Finding] = []
    plan = _plan(config, findings)
    repo_id = config.repo_id or (None if plan is None else str(plan.meta.get("repo_id")))
    if repo_id is None:
        raise ConfigError("no data set is named", "--repo-id, or --plan-path of a plan")
    if plan is not None:
        check_norm_plan(plan, repo_id, horizon)
    path = norm_stats_path(
        config.assets_base_dir, config.train_config_name, _asset(config, repo_id)
    )
    rows = read_rows(find_data_set(repo_id), opener, progress=progress)
    index = index_episodes(rows.table)
    mode = config.plan_subset_mode
    chosen = norm_rows(rows.table, index, horizon, plan, mode)
    chosen = drawn_rows(chosen, config.max_frames, np.random.default_rng(config.seed))
    if len(chosen) < 2:
        raise PlanError(TOO_FEW)
    if config.compat == "reference":
        stats, exact = _by_older_rule(rows, index, chosen, horizon, progress), False
    else:
        stats, exact = _of_all(rows, index, chosen, horizon, progress)
    write_norm_stats(path, stats)
    return NormStatsResult(
        path, stats, len(chosen), len(rows.table), exact, (*findings, *rows.findings)
    )


def _plan(config: NormStatsConfig, findings: list[Finding]) -> SamplingPlan | None:
    """Return the plan whose rows are meant, None where all are."""
    if config.plan_path is None:
        if config.plan_subset_mode != "none":
            text = f"--plan-subset-mode {config.plan_subset_mode} without --plan-path"
            findings.append(Finding("note", "plan", text, "Statistics are of all rows."))
        return None
    stored = read_plan(
        config.plan_path, verify_sha256=config.plan_verify_sha256,
        compat=config.compat == "reference",
    )  # fmt: skip
    if config.plan_subset_mode == "none":
        text = "--plan-path without --plan-subset-mode"
        advice = "Statistics are of all rows; episodes_valid takes those of the plan."
        findings.append(Finding("note", "plan", text, advice))
    return stored.plan


def _asset(config: NormStatsConfig, repo_id: str) -> str:
    """Return the folder's name: what was asked for, else the data set's, of a path its last part."""
    given = config.output_asset_id or config.asset_id
    if given:
        return given
    return Path(repo_id).resolve().name if Path(repo_id).exists() else repo_id


def _of_all(
    rows: PlanRows, index: EpisodeIndex, chosen: Ints, horizon: int, progress: Progress
) -> tuple[dict[str, NormStats], bool]:
    """Return statistics of every chosen row and of every action of its window."""
    found: dict[str, RunningStats] = {}
    if rows.states is not None:
        found[STATES] = RunningStats()
        for first in range(0, len(chosen), AT_ONCE):
            found[STATES].add(rows.states[chosen[first : first + AT_ONCE]])
    if rows.actions is not None:
        found[ACTIONS] = _window_statistics(rows, rows.actions, index, chosen, horizon, progress)
    _require(rows, bool(found))
    exact = all(one.exact for one in found.values())
    return {name: one.result() for name, one in found.items()}, exact


def _window_statistics(
    rows: PlanRows, actions: Array, index: EpisodeIndex, chosen: Ints, horizon: int,
    progress: Progress,
) -> RunningStats:  # fmt: skip
    """Return statistics of windows that are never spelled out: how often each action occurs."""
    statistics = RunningStats()
    order = np.arange(len(rows.table)) if index.order is None else index.order
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    episode = index.position[chosen]
    at = place[chosen] - index.starts[episode]
    by_episode = np.argsort(episode, kind="stable")
    parts = np.split(by_episode, np.flatnonzero(np.diff(episode[by_episode])) + 1)
    with progress.stage("episodes", len(parts)) as tick:
        for part in parts:
            number = int(episode[part[0]])
            first, count = int(index.starts[number]), int(index.rows[number])
            counts = window_counts(at[part], count, horizon)
            statistics.add(actions[order[first : first + count]], counts)
            tick(1)
    return statistics


def _by_older_rule(
    rows: PlanRows, index: EpisodeIndex, chosen: Ints, horizon: int, progress: Progress
) -> dict[str, NormStats]:
    """Return statistics in single precision, eight rows at a time, without the remainder."""
    order = np.arange(len(rows.table)) if index.order is None else index.order
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    found = {STATES: HistogramStats(), ACTIONS: HistogramStats()}
    with progress.stage("rows", len(chosen)) as tick:
        for batch in reference_batches(chosen):
            if rows.states is not None:
                found[STATES].add(rows.states[batch].astype(np.float32))
            if rows.actions is not None:
                episode = index.position[batch]
                starts, counts = index.starts[episode], index.rows[episode]
                steps = np.concatenate([
                    window_frames(np.array([at]), int(count), horizon)
                    for at, count in zip(place[batch] - starts, counts, strict=True)
                ])  # fmt: skip
                taken = order[starts[:, None] + steps]
                found[ACTIONS].add(rows.actions[taken].astype(np.float32))
            tick(len(batch))
    _require(rows, any(one.count for one in found.values()))
    return {name: one.result() for name, one in found.items() if one.count}


def _require(rows: PlanRows, found: bool) -> None:
    if not found:
        raise DataError(rows.path, "has neither states nor actions", "observation.state, action")

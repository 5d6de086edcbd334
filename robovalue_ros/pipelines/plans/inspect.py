"""`robovalue plan inspect`: stages, weights, exposure and events, as figures, picture and page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.atomic import write_bytes, write_text
from robovalue_ros.data.lerobot.homes import find_data_set
from robovalue_ros.data.plan_files.folder import StoredPlan, read_plan
from robovalue_ros.pipelines.plans.config import PlanInspectConfig
from robovalue_ros.pipelines.plans.look import (
    Run,
    StageFigures,
    coverage_curve,
    curve_steps,
    draw_shares,
    run_of,
    seen,
    stage_figures,
)
from robovalue_ros.pipelines.plans.plan_page import plan_page
from robovalue_ros.pipelines.plans.rows import PlanRows, read_rows
from robovalue_ros.pipelines.recordings import Opener
from robovalue_ros.plans.checks import check_content, check_fields
from robovalue_ros.plans.episodes import EpisodeIndex, index_episodes
from robovalue_ros.plans.events import check_dims, gripper_events, parse_dims
from robovalue_ros.plans.exposure import Exposure
from robovalue_ros.plans.meta import event_options
from robovalue_ros.plans.ragged import Floats, runs_of
from robovalue_ros.report.page import render
from robovalue_ros.report.plan_pictures import DrawnEpisode, DrawnPlan, draw_plan

DEFAULT_PROGRESS = SilentProgress()
PICTURE, PAGE = "plan.png", "plan.html"


@dataclass(frozen=True, slots=True, eq=False)
class InspectedPlan:
    """A plan, the training it is looked at for, and what was written."""

    stored: StoredPlan
    run: Run
    stages: tuple[StageFigures, ...]
    exposure: Exposure
    files: tuple[Path, ...]
    findings: tuple[Finding, ...]


def inspect(
    config: PlanInspectConfig, opener: Opener, *, progress: Progress = DEFAULT_PROGRESS
) -> InspectedPlan:
    """Look at a plan, and at its data where they can be found.

    Raises PlanError, PlanNotFound or DataError for a plan that is not whole, ConfigError for an
    output of unknown kind.
    """
    targets = _targets(config.out)
    stored = read_plan(config.plan_path)
    check_fields(stored.meta)
    check_content(stored.meta, stored.arrays)
    run = run_of(stored, config.steps, config.batch_size, config.replacement)
    findings: list[Finding] = []
    stages, exposed = stage_figures(stored), seen(stored, run)
    if len(stored.plan.anchors) < run.batch_size:
        text = f"{len(stored.plan.anchors)} anchors fill no batch of {run.batch_size}"
        findings.append(Finding("warning", "batch", text, "Build with a smaller stride."))
    if targets:
        rows = _data(config, stored, opener, findings, progress)
        picture = draw_plan(_drawing(config, stored, run, stages, rows, findings))
        for target in targets:
            if target.suffix == ".png":
                write_bytes(target, picture)
            else:
                told = plan_page(stored, run, stages, exposed, picture, tuple(findings))
                write_text(target, render(told))
    return InspectedPlan(stored, run, stages, exposed, targets, tuple(findings))


def _targets(out: Path | None) -> tuple[Path, ...]:
    if out is None:
        return ()
    if out.suffix in (".png", ".html"):
        return (out,)
    if out.suffix:
        raise ConfigError(f"--out {out}", "a name that ends in .png or .html, or a folder")
    return out / PICTURE, out / PAGE


def _data(
    config: PlanInspectConfig, stored: StoredPlan, opener: Opener, findings: list[Finding],
    progress: Progress,
) -> PlanRows | None:  # fmt: skip
    """Return the rows of the plan's data, None where they are not there or are others."""
    name = config.repo_id or str(stored.meta["repo_id"])
    try:
        rows = read_rows(find_data_set(name), opener, progress=progress)
    except DataError as problem:
        if config.repo_id is not None:
            raise
        advice = "Name it with --repo-id to see grippers and events."
        findings.append(Finding("note", "data", str(problem), advice))
        return None
    known = stored.meta.get("data_sha256")
    if len(rows.table) != stored.meta["dataset_len"] or (known and known != rows.data_sha256):
        text = f"{name} is not what the plan was made of"
        findings.append(Finding("warning", "data", text, "Grippers and events are not drawn."))
        return None
    return rows


def _drawing(
    config: PlanInspectConfig, stored: StoredPlan, run: Run, stages: tuple[StageFigures, ...],
    rows: PlanRows | None, findings: list[Finding],
) -> DrawnPlan:  # fmt: skip
    plan = stored.plan
    weights = draw_shares(stored) * len(plan.anchors)
    steps = curve_steps(run.steps)
    across, where, episodes = "row of the data set", plan.anchors.astype(np.float64), []
    if rows is not None:
        index = index_episodes(rows.table)
        across = "share of the episode"
        length = index.lengths[index.position[plan.anchors]]
        where = rows.table.frame[plan.anchors] / np.maximum(1, length - 1)
        episodes = _episodes(config, stored, rows, index, weights, findings)
    meta = stored.meta
    return DrawnPlan(
        title=f"{meta['repo_id']}: {len(plan.anchors)} anchors of {len(meta['episodes_keep'])} "
        f"episodes, {meta['stage_strategy']['type']}",
        anchor_share=np.array([one.anchor_share for one in stages]),
        draw_share=np.array([one.draw_share for one in stages]),
        across=across, where=where, weights=weights, stages=plan.stages, steps=steps,
        coverage=coverage_curve(stored, run, steps), marked=run.steps, episodes=tuple(episodes),
    )  # fmt: skip


def _episodes(
    config: PlanInspectConfig, stored: StoredPlan, rows: PlanRows, index: EpisodeIndex,
    weights: Floats, findings: list[Finding],
) -> list[DrawnEpisode]:  # fmt: skip
    """Return the first kept episodes with their grippers, events and weights."""
    options = event_options(stored.meta)
    dims: tuple[int, ...] = ()
    if config.gripper_dims is not None or options.gripper_event_enabled:
        dims = parse_dims(config.gripper_dims or options.gripper_dims)
        check_dims(dims, rows.table.state_dim)
    else:
        text = "the plan looked for no events"
        findings.append(Finding("note", "grippers", text, "Draw grippers with --gripper-dims."))
    order = np.arange(len(rows.table)) if index.order is None else index.order
    anchors = stored.plan.anchors
    found = []
    for number in list(stored.meta["episodes_keep"])[: config.episodes]:
        at = int(np.searchsorted(index.ids, number))
        mine = order[index.starts[at] : index.starts[at] + index.rows[at]]
        frames = rows.table.frame[mine]
        chosen = np.flatnonzero(index.position[anchors] == at)
        signals, events = {}, np.empty(0, np.int64)
        if dims and rows.states is not None:
            grippers = rows.states[mine][:, list(dims)].astype(np.float64)
            signals = {f"state {dim}": grippers[:, k] for k, dim in enumerate(dims)}
            events = frames[gripper_events(grippers, runs_of(np.array([len(mine)])), options).at]
        name = rows.names.get(number, "")
        title = f"episode {number}" + (f", {name}" if name else "")
        found.append(
            DrawnEpisode(title, frames, signals, events, rows.table.frame[anchors[chosen]],
                         weights[chosen], stored.plan.stages[chosen])
        )  # fmt: skip
    return found

"""`robovalue plan build`: from a data set to the folder of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.lerobot.homes import find_data_set
from robovalue_ros.data.plan_files.folder import StoredPlan, write_plan
from robovalue_ros.pipelines.plans.config import PlanBuildConfig
from robovalue_ros.pipelines.plans.rows import read_rows
from robovalue_ros.pipelines.plans.signals import plan_signals
from robovalue_ros.pipelines.recordings import Opener
from robovalue_ros.plans.build import build_plan
from robovalue_ros.plans.meta import PlanSource

DEFAULT_PROGRESS = SilentProgress()


@dataclass(frozen=True, slots=True, eq=False)
class BuiltPlan:
    """The plan as it was stored, and what was noticed."""

    stored: StoredPlan
    findings: tuple[Finding, ...]


def build(
    config: PlanBuildConfig, opener: Opener, *, progress: Progress = DEFAULT_PROGRESS
) -> BuiltPlan:
    """Build the plan of a data set and write it.

    Raises PlanError in the words of older tools where there is no such plan, DataError for data
    that cannot be read, ConfigError for options that do not go together.
    """
    options = config.plan_options()
    rows = read_rows(find_data_set(config.repo_id), opener, progress=progress)
    findings = list(rows.findings)
    signals = plan_signals(config, rows, findings)
    source = PlanSource(
        config.repo_id, config.train_config_name, config.dataset_fingerprint, rows.data_sha256
    )
    plan = build_plan(rows.table, options, source, signals)
    if plan.meta["anchor_strategy"]["stride_S"] != options.stride_S:
        used = plan.meta["anchor_strategy"]["stride_S"]
        text = f"halved from {options.stride_S} to {used}, for {options.least_anchors} anchors"
        findings.append(Finding("note", "stride_S", text))
    unseen = options.action_horizon - 1 - options.tail
    if unseen > 0:
        text = f"no window begins in the last {unseen} frames of an episode"
        advice = f"--valid-start-tail-keep {options.action_horizon - 1} keeps how tasks are ended."
        findings.append(Finding("note", "starts", text, advice))
    empty = [k for k, count in enumerate(plan.meta["summary"]["stage_counts"]) if count == 0]
    if empty:
        text = f"stages without anchors: {', '.join(map(str, empty))}"
        findings.append(Finding("note", "stages", text, "They are left out of the balance."))
    return BuiltPlan(write_plan(config.out_dir, plan, _now()), tuple(findings))


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")

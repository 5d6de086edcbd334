"""`robovalue plan verify`: whether a plan is whole, and whether it is of these data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.lerobot.homes import find_data_set
from robovalue_ros.data.plan_files.folder import StoredPlan, read_plan
from robovalue_ros.pipelines.plans.config import PlanVerifyConfig
from robovalue_ros.pipelines.plans.rows import read_rows
from robovalue_ros.pipelines.recordings import Opener
from robovalue_ros.plans.checks import (
    check_content,
    check_count,
    check_fields,
    check_match,
    plan_figures,
)
from robovalue_ros.plans.document import CONTENT_HASH

DEFAULT_PROGRESS = SilentProgress()


@dataclass(frozen=True, slots=True, eq=False)
class VerifiedPlan:
    """A plan that passed. figures: made of its arrays, not of its document."""

    stored: StoredPlan
    figures: Mapping[str, Any]
    findings: tuple[Finding, ...]


def verify(
    config: PlanVerifyConfig, opener: Opener, *, progress: Progress = DEFAULT_PROGRESS
) -> VerifiedPlan:
    """Check a plan; raises PlanError, PlanNotFound or DataError for the first thing that is wrong."""
    compat = config.compat == "reference"
    stored = read_plan(config.plan_path, compat=compat)
    check_fields(stored.meta)
    if config.check_min_anchors is not None:
        check_count(len(stored.plan.anchors), config.check_min_anchors)
    if not compat:
        check_content(stored.meta, stored.arrays)
    findings: list[Finding] = []
    if CONTENT_HASH not in stored.meta:
        text = "made by an older tool, without a hash of its content"
        findings.append(Finding("note", "plan", text, "Its summary and files were compared."))
    if config.repo_id is not None:
        findings += _compare_with_data(config.repo_id, stored, opener, progress)
    return VerifiedPlan(stored, plan_figures(stored.arrays, stored.meta), tuple(findings))


def _compare_with_data(
    repo_id: str, stored: StoredPlan, opener: Opener, progress: Progress
) -> list[Finding]:
    """Raise PlanError where the plan is of other data; its name may differ, as paths do."""
    rows = read_rows(find_data_set(repo_id), opener, progress=progress)
    named = str(stored.meta["repo_id"])
    check_match(
        stored.meta, stored.plan.anchors, repo_id=named, rows=len(rows.table),
        horizon=stored.meta["action_horizon_H"], data_sha256=rows.data_sha256,
    )  # fmt: skip
    known = bool(stored.meta.get("data_sha256"))
    text = "the data are those of the plan" if known else "as many rows as the plan's data have"
    return [*rows.findings, Finding("ok", repo_id, text)]

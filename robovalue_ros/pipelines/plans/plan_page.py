"""The page of a plan: its picture and its tables."""

from __future__ import annotations

from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.plan_files.folder import StoredPlan
from robovalue_ros.pipelines.plans.look import Run, StageFigures
from robovalue_ros.plans.document import CONTENT_HASH, HASH
from robovalue_ros.plans.exposure import Exposure
from robovalue_ros.report.model import Cell, Report, ReportChapter

CAPTION = (
    "Stages as shares of anchors and of draws; the weight of each anchor; how much of the anchors a "
    "training has seen; grippers with events, and below them the weights of anchors in the colour "
    "of their stage."
)


def exposure_rows(exposed: Exposure, run: Run) -> tuple[tuple[str, Cell], ...]:
    """Return what a training sees, in words."""
    drawing = "with replacement" if run.replacement else "without replacement"
    told: list[tuple[str, Cell]] = [
        ("anchors", exposed.samples),
        ("draws", exposed.drawn),
        ("drawn", f"{run.steps} steps of {run.batch_size}, {drawing}"),
        ("effective samples (ESS)", exposed.ess),
        ("expected different samples", exposed.expected_unique),
        ("expected coverage", exposed.coverage),
        ("repeats of each sample seen", exposed.avg_repeat),
        ("effective repeats (draws over ESS)", exposed.effective_repeat),
        ("draws of the most frequent sample", exposed.most),
    ]
    if not run.replacement:
        told.append(("different samples, incomplete batches dropped", exposed.dropped_unique))
    return tuple(told)


def stage_rows(stages: tuple[StageFigures, ...]) -> tuple[tuple[Cell, ...], ...]:
    """Return the table of stages."""
    return tuple((one.stage, one.anchors, one.anchor_share, one.draw_share) for one in stages)


STAGE_HEADS = ("stage", "anchors", "share of anchors", "share of draws")


def plan_page(
    stored: StoredPlan,
    run: Run,
    stages: tuple[StageFigures, ...],
    exposed: Exposure,
    picture: bytes,
    findings: tuple[Finding, ...],
) -> Report:
    """Return the page of a plan."""
    meta = stored.meta
    summary = meta["summary"]
    stats = summary["weight_stats"]
    facts: tuple[tuple[str, Cell], ...] = (
        ("data set", str(meta["repo_id"])),
        ("rows", meta["dataset_len"]),
        ("episodes kept", f"{len(meta['episodes_keep'])} of {meta.get('num_episodes_total', '?')}"),
        ("action horizon", meta["action_horizon_H"]),
        ("stride", meta["anchor_strategy"]["stride_S"]),
        ("stages", f"{meta['stage_strategy']['type']}, {meta['weight_strategy']['stage_balance']}"),
        ("events", _events(stored)),
        ("weights", f"{stats['min']:.4g} to {stats['max']:.4g}, middle {stats['median']:.4g}"),
        ("made", f"{meta.get('created_at_utc', '')} UTC"),
        ("plan_sha256", str(meta[HASH])),
        ("content_sha256", str(meta.get(CONTENT_HASH, ""))),
    )
    return Report(
        f"Plan of {meta['repo_id']}",
        f"{exposed.samples} anchors; {exposed.coverage:.0%} of them are seen in {run.steps} steps",
        (),
        (
            ReportChapter("At a glance", picture=picture, caption=CAPTION),
            ReportChapter("Stages", "", STAGE_HEADS, stage_rows(stages)),
            ReportChapter("What training sees", "", ("figure", "value"), exposure_rows(exposed, run)),
            ReportChapter("The plan", "", ("field", "value"), facts),
        ),
        findings,
    )  # fmt: skip


def _events(stored: StoredPlan) -> str:
    if not stored.meta["gripper_event"].get("enabled"):
        return "not looked for"
    counts = stored.meta["summary"].get("num_gripper_events_per_episode", {})
    return f"{counts.get('mean', 0):.3g} in an episode, up to {counts.get('max', 0)}"

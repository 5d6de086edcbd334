"""`robovalue plan compare`: what two plans share, and what training would see of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.atomic import write_bytes, write_text
from robovalue_ros.data.plan_files.folder import StoredPlan, read_plan
from robovalue_ros.pipelines.plans.config import PlanCompareConfig
from robovalue_ros.pipelines.plans.look import (
    Run,
    coverage_curve,
    curve_steps,
    draw_shares,
    run_of,
    seen,
    stage_figures,
)
from robovalue_ros.pipelines.plans.plan_page import STAGE_HEADS, exposure_rows, stage_rows
from robovalue_ros.plans.checks import check_fields
from robovalue_ros.plans.document import CONTENT_HASH, PASSING
from robovalue_ros.plans.exposure import Exposure
from robovalue_ros.report.model import Report, ReportChapter
from robovalue_ros.report.page import render
from robovalue_ros.report.plan_pictures import draw_coverages

MOST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Overlap:
    """What two plans have in common.

    both, first, second: anchors of both, and of one alone. jaccard: both over all. moved: share of
    draws that lie elsewhere, 0 for equal ones. factor: the largest change of an anchor's share.
    same_stage: share of common anchors in the stage of the same number.
    """

    both: int
    first: int
    second: int
    jaccard: float
    moved: float
    factor: float
    same_stage: float


@dataclass(frozen=True, slots=True, eq=False)
class ComparedPlans:
    """Two plans beside each other. fields: those that differ, with both values."""

    plans: tuple[StoredPlan, StoredPlan]
    runs: tuple[Run, Run]
    exposures: tuple[Exposure, Exposure]
    overlap: Overlap
    fields: tuple[tuple[str, str, str], ...]
    files: tuple[Path, ...]
    findings: tuple[Finding, ...]

    @property
    def same(self) -> bool:
        """Whether training sees the same of both."""
        hashes = [stored.meta.get(CONTENT_HASH) for stored in self.plans]
        return hashes[0] is not None and hashes[0] == hashes[1]


def compare(config: PlanCompareConfig) -> ComparedPlans:
    """Compare two plans; raises PlanError, PlanNotFound or DataError for one that is not whole."""
    if config.out is not None and config.out.suffix not in (".png", ".html"):
        raise ConfigError(f"--out {config.out}", "a name that ends in .png or .html")
    first, second = read_plan(config.first), read_plan(config.second)
    for stored in (first, second):
        check_fields(stored.meta)
    runs = tuple(run_of(stored, config.steps, config.batch_size) for stored in (first, second))
    compared = ComparedPlans(
        (first, second), (runs[0], runs[1]), (seen(first, runs[0]), seen(second, runs[1])),
        _overlap(first, second), tuple(_differences(first.meta, second.meta)),
        () if config.out is None else (config.out,), tuple(_findings(first, second)),
    )  # fmt: skip
    if config.out is not None:
        _draw(config, compared)
    return compared


def _overlap(first: StoredPlan, second: StoredPlan) -> Overlap:
    common, here, there = np.intersect1d(
        first.plan.anchors, second.plan.anchors, return_indices=True
    )
    shares = draw_shares(first), draw_shares(second)
    alone = 1.0 - shares[0][here].sum(), 1.0 - shares[1][there].sum()
    mine, theirs = shares[0][here], shares[1][there]
    moved = (float(np.abs(mine - theirs).sum()) + float(alone[0]) + float(alone[1])) / 2.0
    counts = len(first.plan.anchors), len(second.plan.anchors)
    drawn = (mine > 0) & (theirs > 0)
    ratio = mine[drawn] / theirs[drawn]
    stages = first.plan.stages[here] == second.plan.stages[there]
    return Overlap(
        len(common), counts[0] - len(common), counts[1] - len(common),
        len(common) / (counts[0] + counts[1] - len(common)), max(0.0, moved),
        float(np.maximum(ratio, 1.0 / ratio).max(initial=1.0)),
        float(stages.mean()) if len(common) else 0.0,
    )  # fmt: skip


def _differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    ours, theirs = _flat(first), _flat(second)
    found = []
    for name in dict.fromkeys([*ours, *theirs]):
        one, other = ours.get(name, "–"), theirs.get(name, "–")
        # What follows from the rest is told by the figures of each plan.
        if one != other and name.partition(".")[0] not in (*PASSING, "summary"):
            found.append((name, _short(one), _short(other)))
    return found


def _flat(meta: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in meta.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = str(value)
    return found


def _short(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 3]}..."


def _findings(first: StoredPlan, second: StoredPlan) -> list[Finding]:
    hashes = [stored.meta.get("data_sha256") for stored in (first, second)]
    lengths = [stored.meta["dataset_len"] for stored in (first, second)]
    if lengths[0] != lengths[1] or (all(hashes) and hashes[0] != hashes[1]):
        text = "the plans are of different data: equal anchors are other rows"
        return [Finding("warning", "data", text, "Only the figures of each can be compared.")]
    return []


def _names(compared: ComparedPlans) -> tuple[str, str]:
    folders = [stored.places.meta.parent.resolve() for stored in compared.plans]
    names = [folder.name for folder in folders]
    return (names[0], names[1]) if names[0] != names[1] else (str(folders[0]), str(folders[1]))


def _draw(config: PlanCompareConfig, compared: ComparedPlans) -> None:
    assert config.out is not None
    steps = curve_steps(config.steps)
    names = _names(compared)
    stages = [stage_figures(stored) for stored in compared.plans]
    pairs = list(zip(names, compared.plans, compared.runs, stages, strict=True))
    picture = draw_coverages(
        steps,
        {name: coverage_curve(stored, run, steps) for name, stored, run, _ in pairs},
        {
            name: (np.array([one.stage for one in rows]), np.array([one.draw_share for one in rows]))
            for name, _, _, rows in pairs
        },
    )  # fmt: skip
    if config.out.suffix == ".png":
        write_bytes(config.out, picture)
        return
    overlap = compared.overlap
    told = [exposure_rows(*both) for both in zip(compared.exposures, compared.runs, strict=True)]
    second = dict(told[1])
    chapters = [
        ReportChapter("At a glance", picture=picture,
                      caption="Share of draws of each stage, and how much of the anchors is seen."),
        ReportChapter("What they share", "", ("figure", "value"), overlap_rows(overlap)),
        ReportChapter("What training sees", "", ("figure", *names),
                      tuple((name, value, second.get(name)) for name, value in told[0])),
        *(ReportChapter(f"Stages of {name}", "", STAGE_HEADS, stage_rows(rows))
          for name, _, _, rows in pairs),
        ReportChapter("What differs", "", ("field", *names), compared.fields),
    ]  # fmt: skip
    write_text(
        config.out,
        render(Report("Two plans", " and ".join(names), (), tuple(chapters), compared.findings)),
    )


def overlap_rows(overlap: Overlap) -> tuple[tuple[str, int | float], ...]:
    """Return what two plans share, in words."""
    return (
        ("anchors of both", overlap.both),
        ("anchors of the first alone", overlap.first),
        ("anchors of the second alone", overlap.second),
        ("both over all", overlap.jaccard),
        ("share of draws that lie elsewhere", overlap.moved),
        ("largest change of an anchor's share, times", overlap.factor),
        ("common anchors in the same stage", overlap.same_stage),
    )

"""`robovalue plan inspect` and `robovalue plan compare`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

from rich.console import Console

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.cli.plan_tables import figure_table, plan_table, stage_table, wide_console
from robovalue_ros.cli.switches import with_switches
from robovalue_ros.pipelines.plans.compare import ComparedPlans, compare, overlap_rows
from robovalue_ros.pipelines.plans.config import PlanCompareConfig, PlanInspectConfig
from robovalue_ros.pipelines.plans.inspect import inspect
from robovalue_ros.pipelines.plans.plan_page import exposure_rows
from robovalue_ros.wiring import open_reader

ABOUT = """Look at a plan before a single step is trained: its stages and weights, and what training
sees of it. --out draws it, with events over the grippers where the data set is there.

Example: robovalue plan inspect --plan-path sampling_plans/demo10_s0 --steps 6000 --batch-size 32
--out look"""
ABOUT_COMPARE = """Compare two plans: which anchors they share, how weights differ, and what training
sees of each.

Example: robovalue plan compare sampling_plans/demo10_s0 sampling_plans/demo10_s0_grip --steps 6000"""


def run(words: Sequence[str]) -> int:
    """Run `inspect`; returns its exit code."""
    words = with_switches(PlanInspectConfig, words)
    config = parse(PlanInspectConfig, words, "robovalue plan inspect", ABOUT)
    opener = partial(open_reader, options=config.read)
    with BarProgress() as progress:
        found = inspect(config, opener, progress=progress)
    console = wide_console()
    if config.json:
        told = {
            "run": asdict(found.run),
            "stages": [asdict(one) for one in found.stages],
            "exposure": asdict(found.exposure),
            "files": [str(file) for file in found.files],
        }
        print(json.dumps(told, indent=2))
        return 0
    console.print(plan_table(found.stored))
    console.print()
    console.print(stage_table(found.stages))
    console.print()
    rows = exposure_rows(found.exposure, found.run)
    console.print(figure_table("what training sees", ("", "value"), rows))
    if found.findings:
        print_findings(found.findings, Console())
    for file in found.files:
        console.print(str(file))
    return 0


def run_compare(words: Sequence[str]) -> int:
    """Run `compare`; returns its exit code."""
    words = with_switches(PlanCompareConfig, words)
    config = parse(PlanCompareConfig, words, "robovalue plan compare", ABOUT_COMPARE)
    found = compare(config)
    if config.json:
        told = {
            "same": found.same,
            "overlap": asdict(found.overlap),
            "exposures": [asdict(one) for one in found.exposures],
            "fields": found.fields,
        }
        print(json.dumps(told, indent=2))
        return 0
    _print_compared(found)
    return 0


def _print_compared(found: ComparedPlans) -> None:
    console = wide_console()
    console.print(figure_table("what they share", ("", "value"), overlap_rows(found.overlap)))
    console.print()
    first, second = (exposure_rows(*both) for both in zip(found.exposures, found.runs, strict=True))
    other = dict(second)
    rows = [(name, value, other.get(name)) for name, value in first]
    console.print(figure_table("what training sees", ("", "first", "second"), rows))
    if found.fields:
        console.print()
        console.print(figure_table("what differs", ("field", "first", "second"), found.fields))
    if found.findings:
        print_findings(found.findings, Console())
    for file in found.files:
        console.print(str(file))
    console.print("training sees the same of both" if found.same else "the plans differ")

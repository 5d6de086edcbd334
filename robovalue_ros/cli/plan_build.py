"""`robovalue plan build`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rich.console import Console

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.cli.plan_tables import plan_table, stage_table, wide_console
from robovalue_ros.cli.switches import with_switches
from robovalue_ros.pipelines.plans.build import build
from robovalue_ros.pipelines.plans.config import PlanBuildConfig
from robovalue_ros.pipelines.plans.look import stage_figures
from robovalue_ros.wiring import open_reader

ABOUT = """Fix which rows of a data set training sees, how often, and in which stage: a folder with
plan_meta.json and plan_arrays.npz. The data set is only read.

Example: robovalue plan build --repo-id my_lerobot_set --num-episodes-keep 10 --stride-S 2
--gripper-event-enabled --gripper-dims 6,13 --out-dir sampling_plans/demo10_s0"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    words = with_switches(PlanBuildConfig, words)
    config = parse(PlanBuildConfig, words, "robovalue plan build", ABOUT)
    opener = partial(open_reader, options=config.read)
    with BarProgress() as progress:
        built = build(config, opener, progress=progress)
    console = wide_console()
    console.print(plan_table(built.stored))
    console.print(stage_table(stage_figures(built.stored)))
    if built.findings:
        print_findings(built.findings, Console())
    for file in (built.stored.places.meta, built.stored.places.arrays):
        console.print(str(file))
    return 0

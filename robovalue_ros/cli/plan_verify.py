"""`robovalue plan verify`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

from rich.console import Console

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.cli.plan_tables import plan_table, wide_console
from robovalue_ros.cli.switches import with_switches
from robovalue_ros.pipelines.plans.config import PlanVerifyConfig
from robovalue_ros.pipelines.plans.verify import verify
from robovalue_ros.plans.document import CONTENT_HASH, HASH
from robovalue_ros.wiring import open_reader

ABOUT = """Check that a plan is whole: its hashes, its fields, its arrays, and that they are what its
summary says. With --repo-id also that it is of these data. What is wrong ends with exit code 2.

Example: robovalue plan verify --plan-path sampling_plans/demo10_s0"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    words = with_switches(PlanVerifyConfig, words)
    config = parse(PlanVerifyConfig, words, "robovalue plan verify", ABOUT)
    opener = partial(open_reader, options=config.read)
    with BarProgress() as progress:
        found = verify(config, opener, progress=progress)
    if config.json:
        hashes = {name: found.stored.meta.get(name) for name in (HASH, CONTENT_HASH)}
        print(json.dumps({**found.figures, **hashes}, indent=2))
        return 0
    console = wide_console()
    console.print(plan_table(found.stored, found.figures))
    if found.findings:
        print_findings(found.findings, Console())
    console.print("the plan is whole")
    return 0

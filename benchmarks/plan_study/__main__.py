"""Measure what sampling plans are worth on the embedded simulator: `make bench-plans`."""

from __future__ import annotations

import sys

from rich.console import Console

from benchmarks.book import print_sheet
from benchmarks.plan_study.page import page, tables, verdicts
from benchmarks.plan_study.running import StudyResult, run_study
from benchmarks.plan_study.settings import ROOT, StudyConfig, settled
from robovalue_ros.cli.console import BarProgress
from robovalue_ros.cli.options import parse
from robovalue_ros.contracts.errors import RobovalueError
from robovalue_ros.data.atomic import write_text

ABOUT = """Train a small policy on few demonstrations in a short run, with the order of its samples
shuffled or by a plan, and let each try the task on the embedded simulator.

Example: python -m benchmarks.plan_study --short"""
WIDTH = 220


def study(config: StudyConfig, command: str) -> StudyResult:
    """Measure, print, and write the page where that was asked for."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    with BarProgress() as progress:
        result = run_study(config, progress)
    for sheet in tables(config, result, command):
        print_sheet(sheet, console)
    for line in verdicts(config, result):
        console.print(line, highlight=False)
    console.print(f"{result.seconds / 60.0:.1f} CPU minutes", highlight=False)
    if config.write:
        target = ROOT / "docs" / "plan_study.md"
        write_text(target, page(config, result, command))
        console.print(f"wrote {target}", highlight=False)
    return result


def main(words: list[str] | None = None) -> int:
    """Print the tables."""
    given = sys.argv[1:] if words is None else words
    try:
        config = settled(parse(StudyConfig, given, "python -m benchmarks.plan_study", ABOUT))
        study(config, " ".join(["python -m benchmarks.plan_study", *given]))
    except RobovalueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

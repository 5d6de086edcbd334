"""Measure what sampling plans are worth on the embedded simulator: `make bench-plans`."""

from __future__ import annotations

import sys

from benchmarks.plan_study.page import page, tables, verdicts
from benchmarks.plan_study.running import StudyResult, run_study
from benchmarks.plan_study.settings import StudyConfig, settled
from benchmarks.studies import print_study, study_command, study_console, write_page
from robovalue_ros.cli.console import BarProgress

ABOUT = """Train a small policy on few demonstrations in a short run, with the order of its samples
shuffled or by a plan, and let each try the task on the embedded simulator.

Example: python -m benchmarks.plan_study --short"""
WIDTH = 220


def study(config: StudyConfig, command: str) -> StudyResult:
    """Measure, print, and write the page where that was asked for."""
    console = study_console(WIDTH)
    with BarProgress() as progress:
        result = run_study(config, progress)
    print_study(
        console, tables(config, result, command), verdicts(config, result), result.seconds / 60.0
    )
    if config.write:
        write_page(console, "plan_study.md", page(config, result, command))
    return result


def main(words: list[str] | None = None) -> int:
    """Print the tables."""
    command = "python -m benchmarks.plan_study"
    return study_command(words, command, ABOUT, StudyConfig, settled, study)


if __name__ == "__main__":
    sys.exit(main())

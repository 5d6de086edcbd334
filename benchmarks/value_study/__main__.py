"""Measure the value stream on the embedded simulator: `make bench-value`.

Demonstrations, test episodes and altered test episodes are played from seeds of their own. Nothing
is chosen by what the test episodes show.
"""

from __future__ import annotations

import sys

from benchmarks.book import print_sheet
from benchmarks.studies import study_command, study_console, write_page
from benchmarks.value_study.page import page
from benchmarks.value_study.running import run_task
from benchmarks.value_study.settings import StudyConfig, settled
from benchmarks.value_study.speed import speed_sheet
from benchmarks.value_study.tables import TaskSheets, task_sheets
from robovalue_envs.sim.tasks import find_task
from robovalue_ros.cli.console import BarProgress

ABOUT = """Measure the value stream on the embedded simulator, with controls and verdicts.

Example: python -m benchmarks.value_study --quick"""
WIDTH = 200


def study(config: StudyConfig, command: str) -> list[TaskSheets]:
    """Measure one task after the other and print what is known so far."""
    console = study_console(WIDTH)
    done = []
    for task in config.tasks:
        with BarProgress() as progress:
            result = run_task(config, find_task(task).name, progress)
        sheets = task_sheets(config, result, command)
        for sheet in sheets.sheets:
            print_sheet(sheet, console)
        for line in sheets.verdicts:
            console.print(f"Verdict: {line}", highlight=False)
        console.print()
        done.append(sheets)
    speed = speed_sheet(config.speed_frames, config.size)
    print_sheet(speed, console)
    if config.write:
        write_page(console, "value_study.md", page(config, command, done, [speed]))
    return done


def main(words: list[str] | None = None) -> int:
    """Print the tables of every task."""
    command = "python -m benchmarks.value_study"
    return study_command(words, command, ABOUT, StudyConfig, settled, study)


if __name__ == "__main__":
    sys.exit(main())

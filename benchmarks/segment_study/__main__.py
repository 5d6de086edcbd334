"""Measure the segmenter on the embedded simulator, beside simple peers: `make bench-segment`."""

from __future__ import annotations

import sys

from benchmarks.segment_study.page import page, tables, verdicts
from benchmarks.segment_study.running import StudyResult, run_study
from benchmarks.segment_study.settings import StudyConfig, settled
from benchmarks.studies import print_study, study_command, study_console, write_page
from robovalue_ros.cli.console import BarProgress

ABOUT = """Measure the segmenter on the embedded simulator: velocity and tokenizer energies beside a
uniform cut, optical flow and distances to the end.

Example: python -m benchmarks.segment_study --short"""
WIDTH = 260


def study(config: StudyConfig, command: str) -> StudyResult:
    """Measure, print, and write the page where that was asked for."""
    console = study_console(WIDTH)
    with BarProgress() as progress:
        result = run_study(config, progress)
    print_study(console, tables(config, result, command), verdicts(result), result.minutes)
    if config.write:
        write_page(console, "segment_study.md", page(config, result, command))
    return result


def main(words: list[str] | None = None) -> int:
    """Print the tables."""
    command = "python -m benchmarks.segment_study"
    return study_command(words, command, ABOUT, StudyConfig, settled, study)


if __name__ == "__main__":
    sys.exit(main())

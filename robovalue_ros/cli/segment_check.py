"""`robovalue segment check` and `robovalue segment clean`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from robovalue_ros.cli.console import SYMBOLS, BarProgress
from robovalue_ros.cli.options import parse
from robovalue_ros.pipelines.segment.check import Checked, check_files, clean_files
from robovalue_ros.pipelines.segment.videos_config import CheckConfig, CleanConfig

ABOUT_CHECK = """Look at every video and track file below a folder, all frames of it, and name those
that are damaged. Exit code 1 when there is one.

Example: robovalue segment check segments/ --workers 8"""
ABOUT_CLEAN = """Remove damaged videos and track files below a folder, or move them away, and what
broken runs left. A file that may not be read stays.

Example: robovalue segment clean segments/ --dry-run"""
MARKS = {"fine": "ok", "damaged": "error", "unreadable": "warning"}


def run_check(words: Sequence[str]) -> int:
    """Run `segment check`; returns its exit code."""
    config = parse(CheckConfig, words, "robovalue segment check", ABOUT_CHECK)
    with BarProgress() as progress:
        checked = check_files(config, progress=progress)
    _print(checked, config.verbose)
    return 0 if all(one.state == "fine" for one in checked) else 1


def run_clean(words: Sequence[str]) -> int:
    """Run `segment clean`; returns its exit code."""
    config = parse(CleanConfig, words, "robovalue segment clean", ABOUT_CLEAN)
    with BarProgress() as progress:
        result = clean_files(config, progress=progress)
    _print(result.checked, config.verbose)
    done = "removed" if config.move_to is None else f"moved to {config.move_to}"
    verb = f"would be {done}" if config.dry_run else done
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for path in result.removed:
        console.print(f"{verb}: {path}")
    console.print(f"{len(result.removed)} files {verb}")
    return 0


def _print(checked: Sequence[Checked], verbose: bool) -> None:
    console = Console(soft_wrap=True, highlight=False, markup=False)
    shown = [one for one in checked if verbose or one.state != "fine"]
    if shown:
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
        for one in shown:
            mark, _ = SYMBOLS[MARKS[one.state]]
            told = f"{one.frames} frames" if one.state == "fine" else one.reason
            table.add_row(mark, str(one.path), told)
        console.print(table)
    fine = sum(one.state == "fine" for one in checked)
    frames = sum(one.frames for one in checked if one.state == "fine")
    console.print(f"{fine} of {len(checked)} files are fine, {frames} frames")

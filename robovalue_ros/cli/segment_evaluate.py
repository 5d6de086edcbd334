"""`robovalue segment evaluate`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.pipelines.segment.evaluate import ActionScores, EvaluateResult, evaluate_folder
from robovalue_ros.pipelines.segment.evaluate_config import SegmentEvaluateConfig

ABOUT = """Compare found segments with those that somebody marked: boundaries within a tolerance, mAP,
and as actions: frames (MoF), order (Edit), F1 at overlaps, delay, segments too many and too few.

Example: robovalue segment evaluate --gt-dir marked/ --pred-root segments/ --tolerances 0.5 2
--rests cut --output-json scores.json"""

WIDEST = 120
COLUMNS = ("F1", "MoF", "Edit", "F1@10", "F1@25", "F1@50", "late s", "off by s", "over", "under")


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    config = parse(SegmentEvaluateConfig, words, "robovalue segment evaluate", ABOUT)
    with BarProgress() as progress:
        result = evaluate_folder(config, progress=progress)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    Console(width=max(console.width, WIDEST)).print(_table(result))
    summary = result.scores["summary"]
    console.print(", ".join(f"{name} {_told(value)}" for name, value in summary.items()))
    if result.findings:
        print_findings(result.findings, Console())
    if config.output_json is not None:
        console.print(f"scores: {config.output_json}")
    return 0


def _table(result: EvaluateResult) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("video", no_wrap=True)
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for name, scores in result.actions.items():
        table.add_row(name, *_cells(scores))
    if result.mean is not None:
        table.add_section()
        table.add_row("mean", *_cells(result.mean), style="bold")
    return table


def _cells(scores: ActionScores) -> list[str]:
    shares = (scores.boundary_f1, scores.mof)
    percents = (scores.edit, scores.f1_10, scores.f1_25, scores.f1_50)
    rest = (scores.delay, scores.abs_delay, scores.over, scores.under)
    return [_told(value) for value in (*shares, *percents, *rest)]


def _told(value: float | int | None) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.4g}"

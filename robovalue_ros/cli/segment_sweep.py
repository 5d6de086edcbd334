"""`robovalue segment sweep`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.pipelines.segment.sweep import sweep_thresholds
from robovalue_ros.pipelines.segment.sweep_config import SweepConfig

ABOUT = """Find the energy from which a window counts as motion: by the velocities of the same video,
of many videos (a folder for each), or by boundaries that somebody marked. `robovalue segment stream`
reads the report.

Example: robovalue segment sweep --quantized-jsonl out/cup/stream_energy_quantized_token_diff_l2_mean.jsonl
--velocity-jsonl out/cup/stream_energy_velocity_token_diff_l2_mean.jsonl --smooth --smooth-alpha 0.7
--output-json best_threshold.json --report-dir energy_report"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    config = parse(SweepConfig, words, "robovalue segment sweep", ABOUT)
    with BarProgress() as progress:
        result = sweep_thresholds(config, progress=progress)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    if result.report is None:
        console.print("both files have no window in common; nothing was written")
    for name, threshold, score in result.best:
        reached = "" if math.isnan(score) else f", {'J' if name == 'best_j' else 'F1'} {score:.4f}"
        console.print(f"{name}: threshold {threshold:.10g}{reached}")
    if result.kind != "pair":
        console.print(f"{result.videos} videos")
    for file in result.files:
        console.print(str(file))
    if result.findings:
        print_findings(result.findings, Console())
    return 0

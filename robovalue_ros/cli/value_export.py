"""`robovalue value export`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rich.console import Console

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.pipelines.value_export import export_side_cars
from robovalue_ros.pipelines.value_export_config import ExportConfig
from robovalue_ros.pipelines.value_rerun import export_rerun
from robovalue_ros.wiring import open_reader

ABOUT = """Hand the values of a run on, all from one curve: a LeRobot side car with
progress_sparse and progress_dense, frame signals, sample weights and advantages as Parquet, or a
Rerun file with pictures and curves.

Example: robovalue value export values/ --to weights --dataset my_lerobot_set --out my_lerobot_set"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    config = parse(ExportConfig, words, "robovalue value export", ABOUT)
    opener = partial(open_reader, options=config.read)
    export = export_rerun if config.to == "rerun" else export_side_cars
    with BarProgress() as progress:
        result = export(config, opener, progress=progress)
    console = Console(soft_wrap=True, highlight=False)
    for file in result.files:
        console.print(f"{file}", markup=False)
    console.print(f"{result.episodes} episodes, {result.frames} frames, {result.curve} curve")
    if result.findings:
        print_findings(result.findings, console)
    return 0

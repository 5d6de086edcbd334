"""`robovalue segment export-labels`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rich.console import Console

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.pipelines.segment.labels import export_labels
from robovalue_ros.pipelines.segment.labels_config import LabelsConfig
from robovalue_ros.wiring import open_reader

ABOUT = """Hand segments on as labels: the JSON of substeps, and for LeRobot the table of subtasks and
a side car with the subtask of every frame. The data set itself is only read.

Example: robovalue segment export-labels segments/ --dataset my_lerobot_set --out labels
--plans APD_plans.json"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    config = parse(LabelsConfig, words, "robovalue segment export-labels", ABOUT)
    opener = partial(open_reader, options=config.read)
    with BarProgress() as progress:
        result = export_labels(config, opener, progress=progress)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for file in result.files:
        console.print(str(file))
    console.print(f"{result.episodes} episodes, {len(result.texts)} different subtasks")
    if result.findings:
        print_findings(result.findings, Console())
    return 0

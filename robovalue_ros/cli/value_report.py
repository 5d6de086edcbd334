"""`robovalue value report`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rich.console import Console

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.pipelines.recordings import Readers
from robovalue_ros.pipelines.results import scored_episodes
from robovalue_ros.pipelines.value_report import write_value_report
from robovalue_ros.pipelines.value_report_config import ValueReportConfig
from robovalue_ros.wiring import open_reader

ABOUT = """Make one self-contained HTML page of scored episodes: a table, and for each episode its
cameras and its value curves in step. It opens in any browser, without a network.

Example: robovalue value report values/ --out look.html"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    config = parse(ValueReportConfig, words, "robovalue value report", ABOUT)
    episodes, findings = scored_episodes(config.results)
    readers = Readers(partial(open_reader, options=config.read))
    target = config.out or config.results / "report.html"
    try:
        with BarProgress() as progress:
            write_value_report(
                episodes, readers, target, title=config.title or config.results.resolve().name,
                limit=config.limit, truth=config.truth, segments=config.segments, findings=findings,
                progress=progress,
            )  # fmt: skip
    finally:
        readers.close()
    console = Console()
    if findings:
        print_findings(findings, console)
    console.print(f"report: {target}", soft_wrap=True, highlight=False, markup=False)
    return 0

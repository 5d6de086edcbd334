"""`robovalue report`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from robovalue_ros.cli.console import BarProgress
from robovalue_ros.cli.options import parse
from robovalue_ros.contracts.tools import ReportConfig
from robovalue_ros.pipelines.episode_report import report_episodes
from robovalue_ros.wiring import open_reader

ABOUT = """Make one self-contained HTML page: a table of episodes, their videos and the recorded
signals in step. It opens in any browser, without a network.

Example: robovalue report my_episodes/ --out look.html"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    config = parse(ReportConfig, words, "robovalue report", ABOUT)
    reader = open_reader(config.path, config.read)
    try:
        with BarProgress() as progress:
            written = report_episodes(
                reader, config.out, title=config.title, limit=config.limit,
                segments=config.segments, progress=progress,
            )  # fmt: skip
    finally:
        reader.close()
    Console().print(f"report: {written}", soft_wrap=True, highlight=False, markup=False)
    return 0

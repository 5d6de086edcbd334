"""`robovalue segment split`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.pipelines.segment.split import split_videos
from robovalue_ros.pipelines.segment.videos_config import SplitConfig

ABOUT = """Cut long videos into pieces of some seconds, frame by frame. Sub-folders stay; pieces that
are there already are kept; damaged videos are passed over and named.

Example: robovalue segment split segments/ segments_40s/ --workers 8"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    config = parse(SplitConfig, words, "robovalue segment split", ABOUT)
    with BarProgress() as progress:
        result = split_videos(config, progress=progress)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    known = f", {result.kept} were there already" if result.kept else ""
    console.print(f"{result.videos} videos, {result.made} pieces written{known}: {config.out}")
    if result.findings:
        print_findings(result.findings, Console())
    return 0

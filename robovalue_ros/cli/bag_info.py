"""`robovalue bag info`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone

from rich.console import Console
from rich.table import Table
from rich.text import Text

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.types import Finding
from robovalue_ros.pipelines.bag.config import BagInfoConfig
from robovalue_ros.pipelines.bag.info import BagInfo, as_json, bag_info
from robovalue_ros.pipelines.bag.score import listed_bags

ABOUT = """Tell what recorded bags hold: topics, types, rates, gaps, damage, and which topics
`robovalue bag score` would take as cameras and why. Needs no ROS.

Example: robovalue bag info run.mcap --model cups.npz"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code: 2 when no bag can be read."""
    config = parse(BagInfoConfig, words, "robovalue bag info", ABOUT)
    cameras = None
    if config.model is not None:
        from robovalue_ros.data.value_store.value_model import read_value_model

        cameras = read_value_model(config.model).model.cameras
    console = Console()
    told: list[BagInfo] = []
    failed: list[Finding] = []
    with BarProgress() as progress:
        for name, bag in listed_bags(config.bags):
            try:
                told.append(bag_info(name, bag, config.choice, cameras, progress))
            except DataError as problem:
                failed.append(Finding("error", name, str(problem)))
    if config.json:
        content = {"bags": [as_json(info) for info in told],
                   "unreadable": [finding.found for finding in failed]}  # fmt: skip
        print(json.dumps(content, indent=2, ensure_ascii=False))
        return 0 if told else 2
    for info in told:
        _print(info, console)
    if failed:
        print_findings(failed, console)
    return 0 if told else 2


def _print(info: BagInfo, console: Console) -> None:
    start = datetime.fromtimestamp(info.start_ns / 1e9, timezone.utc)
    console.print(
        f"[bold]{info.name}[/bold]  {info.seconds:.1f} s from {start:%Y-%m-%d %H:%M:%S} UTC, "
        f"{info.messages} messages, {_size(info.bytes)}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("topic", "type"):
        table.add_column(name, overflow="fold")
    for name in ("count", "Hz", "gap s", "size"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("scored as", overflow="fold")
    for topic in info.topics:
        table.add_row(
            Text(topic.name), Text(topic.type.replace("/msg/", "/")), str(topic.count), f"{topic.rate_hz:.1f}",
            f"{topic.longest_gap_s:.2f}", _size(topic.bytes), Text(topic.use, style="bold"),
        )  # fmt: skip
    console.print(table)
    if info.why:
        console.print(f"topics chosen {info.why}", highlight=False, markup=False)
    findings = list(info.findings)
    if info.problem:
        findings.append(Finding("error", "bag score", info.problem))
    if findings:
        print_findings(findings, console)
    console.print()


def _size(count: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"

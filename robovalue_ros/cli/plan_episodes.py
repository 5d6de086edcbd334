"""`robovalue plan episodes` and `robovalue plan horizon`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

from rich.console import Console

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.cli.plan_tables import fact_table, figure_table, wide_console
from robovalue_ros.cli.switches import with_switches
from robovalue_ros.pipelines.plans.config import PlanEpisodesConfig, PlanHorizonConfig
from robovalue_ros.pipelines.plans.episodes import (
    EpisodesReport,
    HorizonReport,
    episodes_report,
    horizon_report,
    plain,
)
from robovalue_ros.wiring import open_reader

ABOUT = """Tell whether a data set has what plans need: which fields, how many episodes, how long.

Example: robovalue plan episodes --repo-id my_lerobot_set"""
ABOUT_HORIZON = """Show what happens to an action window at the end of an episode: beyond the last frame
its action is repeated, so a window that begins there teaches to stand still.

Example: robovalue plan horizon --repo-id my_lerobot_set --train-config-name
pi0_base_aloha_robotwin_lora --episode-id 0"""


def run(words: Sequence[str]) -> int:
    """Run `episodes`; returns its exit code: 1 when rows do not say which episode they are of."""
    words = with_switches(PlanEpisodesConfig, words)
    config = parse(PlanEpisodesConfig, words, "robovalue plan episodes", ABOUT)
    opener = partial(open_reader, options=config.read)
    with BarProgress() as progress:
        report = episodes_report(config, opener, progress=progress)
    if config.json:
        print(json.dumps(plain(report), indent=2))
    else:
        _print_episodes(report)
    return 0 if report.usable else 1


def _print_episodes(report: EpisodesReport) -> None:
    console = wide_console()
    low, mean, high = report.lengths
    fields = [
        (name, "missing" if width is None else f"{width} numbers" if width > 1 else "there")
        for name, width in report.fields.items()
    ]
    rows = [
        ("rows", str(report.rows)),
        *fields,
        ("episodes", str(report.episodes)),
        ("frames in an episode", f"min {low}, mean {mean:.1f}, max {high}"),
        ("rows == last frame + 1", "no" if report.uneven else "yes"),
        ("data_sha256", report.data_sha256),
    ]
    console.print(fact_table(report.path, rows))
    if report.listed:
        console.print()
        listed = [(one.number, one.name, one.frames, one.rows) for one in report.listed]
        title = f"the first {len(listed)} episodes"
        console.print(figure_table(title, ("episode", "name", "frames", "rows"), listed))
    if report.findings:
        print_findings(report.findings, Console())


def run_horizon(words: Sequence[str]) -> int:
    """Run `horizon`; returns its exit code."""
    words = with_switches(PlanHorizonConfig, words)
    config = parse(PlanHorizonConfig, words, "robovalue plan horizon", ABOUT_HORIZON)
    opener = partial(open_reader, options=config.read)
    with BarProgress() as progress:
        report = horizon_report(config, opener, progress=progress)
    if config.json:
        print(json.dumps(plain(report), indent=2))
    else:
        _print_horizon(report)
    return 0


def _print_horizon(report: HorizonReport) -> None:
    console = wide_console()
    title = f"episode {report.episode}, {report.frames} frames, windows of {report.horizon}"
    heads = ("window from", "frame", "shape", "repeated frames", "NaN", "mean std over time")
    rows = [
        (name, one.frame, f"{one.shape[0]} x {one.shape[1]}", one.repeated, one.nan, one.std)
        for name, one in (("L - H", report.strict), ("the last frame", report.last))
    ]
    console.print(figure_table(title, heads, rows))
    if report.findings:
        print_findings(report.findings, Console())

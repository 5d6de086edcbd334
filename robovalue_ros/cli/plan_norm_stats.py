"""`robovalue plan norm-stats`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rich.console import Console

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.cli.plan_tables import figure_table, wide_console
from robovalue_ros.cli.switches import with_switches
from robovalue_ros.contracts.types import NormStats
from robovalue_ros.pipelines.plans.config import NormStatsConfig
from robovalue_ros.pipelines.plans.norm_stats import compute_norm_stats
from robovalue_ros.wiring import open_reader

ABOUT = """Compute what states and actions are normalised with: mean, deviation, 1 % and 99 % quantile of
every dimension, over all rows or those of a plan. Writes norm_stats.json as openpi reads it.

Example: robovalue plan norm-stats pi0_base_aloha_robotwin_lora --plan-path sampling_plans/demo10_s0
--plan-subset-mode episodes_valid --output-asset-id my_set_plan10_s0"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    words = with_switches(NormStatsConfig, words)
    config = parse(NormStatsConfig, words, "robovalue plan norm-stats", ABOUT)
    opener = partial(open_reader, options=config.read)
    with BarProgress() as progress:
        result = compute_norm_stats(config, opener, progress=progress)
    console = wide_console()
    for name, stats in result.stats.items():
        console.print(figure_table(name, ("", "mean", "std", "q01", "q99"), _rows(stats)))
        console.print()
    how = "exact quantiles" if result.exact else "quantiles of a digest"
    if config.compat == "reference":
        how = "the rule of older tools"
    console.print(f"{result.rows} of {result.total} rows, {how}")
    if result.findings:
        print_findings(result.findings, Console())
    console.print(str(result.path))
    return 0


def _rows(stats: NormStats) -> list[tuple[str | float, ...]]:
    parts = (stats.mean, stats.std, stats.q01, stats.q99)
    return [(str(dim), *(float(part[dim]) for part in parts)) for dim in range(len(stats.mean))]

"""`robovalue codes cluster`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.pipelines.codes.cluster import ClusterResult, cluster_codes
from robovalue_ros.pipelines.codes.config import CodesClusterConfig

ABOUT = """Cluster segments without labels, by vectors of a network or by their codes alone: how many
clusters there are, how good they are, pictures, and a page with the most typical clips of each.

Example: robovalue codes cluster --embed-dir code_embeddings/20260131_121500"""

WIDEST = 110


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code: 2 when no way of clustering found anything."""
    config = parse(CodesClusterConfig, words, "robovalue codes cluster", ABOUT)
    with BarProgress() as progress:
        result = cluster_codes(config, progress=progress)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    # A log file has no width of its own; numbers are worth more than its 80 columns.
    Console(width=max(console.width, WIDEST)).print(_table(result))
    if result.findings:
        print_findings(result.findings, Console())
    console.print(f"results: {result.out}")
    if result.page is not None:
        console.print(f"page: {result.page}")
    return 0 if result.found else 2


def _table(result: ClusterResult) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(f"{result.count} segments by {result.feature}", no_wrap=True)
    for name in ("clusters", "silhouette", "Davies-Bouldin", "seeds agree", "noise"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, found in result.found.items():
        best = found.told["best"]
        noise = best.get("noise_ratio")
        agree = best.get("pairwise_ari", {}).get("mean")
        table.add_row(
            name, str(found.clusters.count), _number(best, "silhouette"),
            _number(best, "davies_bouldin"), "–" if agree is None else f"{agree:.2f}",
            "–" if noise is None else f"{noise:.0%}",
        )  # fmt: skip
    return table


def _number(best: Mapping[str, Any], name: str) -> str:
    value = best.get(name)
    value = value.get("mean") if isinstance(value, Mapping) else value
    return "–" if value is None else f"{value:.3f}"

"""`robovalue value check-clusters`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from robovalue_ros.cli.options import parse
from robovalue_ros.data.atomic import write_bytes
from robovalue_ros.pipelines.diagnose.clusters import (
    ClusterCheck,
    GroupLine,
    check_clusters,
    cluster_cloud,
)
from robovalue_ros.pipelines.diagnose.config import ClustersConfig
from robovalue_ros.pipelines.diagnose.stored import RunEmbeddings
from robovalue_ros.report.view.scatter import draw_cloud
from robovalue_ros.wiring import open_reader

ABOUT = """Tell how the successful references of a run clustered: noise, distances to neighbours,
whether a group fell back to its mean, and which --dbscan-eps suits. Needs no GPU and no encoder.

Example: robovalue value check-clusters --out-cache-dir value_cache --plot-key high \
--plot-segment 8 --out-png clusters.png"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    config = parse(ClustersConfig, words, "robovalue value check-clusters", ABOUT)
    console = Console()
    check = check_clusters(config.out_cache_dir, config.task)
    _print(check, console)
    if not (config.plot_key is None and config.plot_segment is None and config.out_png is None):
        with RunEmbeddings(lambda read: partial(open_reader, options=read)) as stored:
            cloud = cluster_cloud(
                config.out_cache_dir, stored.series_of, stored.references_of, task=config.task,
                key=config.plot_key, segment=config.plot_segment,
            )  # fmt: skip
        target = config.out_png or Path(_name(config))
        write_bytes(target, draw_cloud(cloud))
        console.print(f"picture: {target}", soft_wrap=True, highlight=False, markup=False)
    return 0


def _name(config: ClustersConfig) -> str:
    segment = "" if config.plot_segment is None else f"_seg{config.plot_segment:02d}"
    return f"cluster_pca_{config.plot_key or 'first'}{segment}.png"


def _print(check: ClusterCheck, console: Console) -> None:
    for task, key in dict.fromkeys((line.task, line.key) for line in check.lines):
        lines = [line for line in check.lines if (line.task, line.key) == (task, key)]
        console.print(Text(f"\n{task or '(no task)'}  ·  {key}", style="bold"))
        console.print(_table(lines))
    console.print()
    for text in summary(check):
        console.print(text, soft_wrap=True, highlight=False, markup=False)


def _table(lines: Sequence[GroupLine]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("segment", "points", "clusters", "noise", "nearest", "kNN", "kNN p90", "eps",
                 "suggested"):  # fmt: skip
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for line in lines:
        share = line.noise / line.points
        numbers = (line.nearest, line.knn, line.far, line.eps, line.suggested)
        note = Text("mean only", style="yellow") if line.fallback else Text("")
        table.add_row(
            "–" if line.segment is None else str(line.segment), str(line.points),
            str(line.clusters), Text(f"{share:.0%}", style="red" if share > 0.5 else ""),
            *("–" if number is None else f"{number:.4g}" for number in numbers), note,
        )  # fmt: skip
    return table


def summary(check: ClusterCheck) -> list[str]:
    """Return what to know and what to do, in sentences."""
    used = f"{check.eps:g}" if isinstance(check.eps, float) else check.eps
    count = len(check.lines)
    said = [f"{check.fallbacks} of {count} groups formed no cluster with --dbscan-eps {used} "
            f"and --dbscan-min-samples {check.min_samples}; there the mean is the only centre."]  # fmt: skip
    found, best = check.suggestions, check.recommended
    if best is None:
        return [*said, "Every group has a single reference, so no eps can be told."]
    said.append(
        f"recommended: --dbscan-eps {best:g}   (the groups ask for {found[0]:.4g} to "
        f"{found[-1]:.4g}; --dbscan-eps auto gives each its own)"
    )
    return said

"""`robovalue value centers-2d`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from rich.console import Console

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.contracts.config import option
from robovalue_ros.pipelines.diagnose.centers_2d import (
    CentersOptions,
    FitOn,
    Kind,
    Sample,
    draw_centers,
)
from robovalue_ros.pipelines.diagnose.stored import RunEmbeddings
from robovalue_ros.wiring import open_reader

ABOUT = """Draw the centres of success, segment by segment, and some rollouts in the plane where
they differ most: does a rollout follow the centres, and where does it leave them?

Example: robovalue value centers-2d --out-cache-dir value_cache --rollouts-kind failure"""


@dataclass(frozen=True)
class CentersConfig:
    """`robovalue value centers-2d`."""

    out_cache_dir: Path = option(..., "folder that robovalue value estimate wrote")
    task: str | None = option(None, "which task; default: the first by name")
    fit_on: FitOn = option("success_centers", "what the plane is fitted on")
    ignore_center_prefix_segments: int = option(0, "leave out the first centres", low=0)
    ignore_center_suffix_segments: int = option(0, "leave out the last centres", low=0)
    plot_ignored_centers: bool = option(False, "draw the centres left out, in grey")
    mean_success_count: int = option(
        0, "draw the mean of so many successes; 0: none, or of all when the plane is fitted on it",
        low=0,
    )  # fmt: skip
    mean_success_resample_points: int = option(100, "points of that mean", low=2, high=100_000)
    num_rollouts: int = option(5, "so many rollouts are drawn", low=0, high=1000)
    rollouts_kind: Kind = option("any", "which rollouts are drawn")
    rollouts_sample: Sample = option("random", "the first ones, or some drawn by the seed")
    rollouts_seed: int = option(0, "of that draw", low=0)
    rollouts_max_points: int = option(250, "at most so many points of a rollout", low=2)
    proj: Literal["pca"] = option("pca", "how the plane is found")
    l2_normalize: bool = option(True, "bring vectors to unit length first")
    out_png: Path | None = option(None, "where the picture goes; default: beside the results")


def run(words: Sequence[str]) -> int:
    """Run the command; prints where the picture lies."""
    config = parse(CentersConfig, words, "robovalue value centers-2d", ABOUT)
    options = CentersOptions(
        task=config.task, fit_on=config.fit_on,
        ignore_prefix=config.ignore_center_prefix_segments,
        ignore_suffix=config.ignore_center_suffix_segments,
        plot_ignored=config.plot_ignored_centers, mean_success_count=config.mean_success_count,
        mean_success_points=config.mean_success_resample_points, num_rollouts=config.num_rollouts,
        kind=config.rollouts_kind, sample=config.rollouts_sample, seed=config.rollouts_seed,
        max_points=config.rollouts_max_points, l2_normalize=config.l2_normalize,
        out_png=config.out_png,
    )  # fmt: skip
    with (
        RunEmbeddings(lambda read: partial(open_reader, options=read)) as stored,
        BarProgress() as progress,
    ):
        drawn = draw_centers(config.out_cache_dir, stored.series_of, options, progress=progress)
    if drawn.findings:
        print_findings(drawn.findings, Console(file=sys.stderr))
    Console().print(f"wrote: {drawn.path}", soft_wrap=True, highlight=False, markup=False)
    return 0

"""`robovalue value centers-2d`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

from rich.console import Console

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.pipelines.diagnose.centers_2d import CentersOptions, draw_centers
from robovalue_ros.pipelines.diagnose.config import CentersConfig
from robovalue_ros.pipelines.diagnose.stored import RunEmbeddings
from robovalue_ros.wiring import open_reader

ABOUT = """Draw the centres of success, segment by segment, and some rollouts in the plane where
they differ most: does a rollout follow the centres, and where does it leave them?

Example: robovalue value centers-2d --out-cache-dir value_cache --rollouts-kind failure"""


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

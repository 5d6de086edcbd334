"""`robovalue value check-diffusion`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.contracts.config import option
from robovalue_ros.pipelines.diagnose.diffusion import DiffusionCheckOptions, check_diffusion
from robovalue_ros.pipelines.diagnose.heat_maps import Kind
from robovalue_ros.pipelines.diagnose.stored import RunEmbeddings
from robovalue_ros.wiring import open_reader

ABOUT = """Judge the denoisers of --segment-match-score diffusion: which segment they see in their
training samples, what successes and failures cost, and where single episodes went. Pictures and a
summary are written beside the results.

Example: robovalue value check-diffusion --out-cache-dir value_cache --heatmap-num-episodes 4"""


@dataclass(frozen=True)
class DiffusionConfig:
    """`robovalue value check-diffusion`."""

    out_cache_dir: Path = option(..., "folder that robovalue value estimate wrote")
    task: str | None = option(None, "task whose segments are confused; default: the first by name")
    max_train_samples: int = option(5000, "at most so many training samples", low=1)
    seed: int = option(0, "of the noise and of the choice of episodes", low=0)
    t_eval: int | None = option(None, "step of noise; default: that of the run", low=0)
    noise_samples: int | None = option(None, "draws of noise; default: those of the run", low=1)
    heatmap_num_episodes: int = option(2, "so many episodes are drawn", low=0, high=10_000)
    heatmap_kind: Kind = option("any", "which episodes are drawn")


def run(words: Sequence[str]) -> int:
    """Run the command; prints the summary as JSON."""
    config = parse(DiffusionConfig, words, "robovalue value check-diffusion", ABOUT)
    options = DiffusionCheckOptions(
        config.task, config.max_train_samples, config.seed, config.t_eval, config.noise_samples,
        config.heatmap_num_episodes, config.heatmap_kind,
    )  # fmt: skip
    with (
        RunEmbeddings(lambda read: partial(open_reader, options=read)) as stored,
        BarProgress() as progress,
    ):
        check = check_diffusion(config.out_cache_dir, stored.series_of, options, progress=progress)
    print(json.dumps(dict(check.summary), indent=2, ensure_ascii=False))
    if check.findings:
        print_findings(check.findings, Console(stderr=True))
    return 0

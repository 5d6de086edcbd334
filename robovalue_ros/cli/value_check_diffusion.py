"""`robovalue value check-diffusion`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

from rich.console import Console

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.pipelines.diagnose.config import DiffusionConfig
from robovalue_ros.pipelines.diagnose.diffusion import DiffusionCheckOptions, check_diffusion
from robovalue_ros.pipelines.diagnose.stored import RunEmbeddings
from robovalue_ros.wiring import open_reader

ABOUT = """Judge the denoisers of --segment-match-score diffusion: which segment they see in their
training samples, what successes and failures cost, and where single episodes went. Pictures and a
summary are written beside the results.

Example: robovalue value check-diffusion --out-cache-dir value_cache --heatmap-num-episodes 4"""


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

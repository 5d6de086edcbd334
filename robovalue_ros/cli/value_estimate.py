"""`robovalue value estimate`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rich.console import Console

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.cli.value_table import print_episodes
from robovalue_ros.pipelines.estimate.config import EstimateConfig
from robovalue_ros.pipelines.estimate.run import EstimateResult, estimate
from robovalue_ros.wiring import make_encoders, open_reader

THERE = ("written", "reused")
STATUSES = (*THERE, "skipped", "error")
ABOUT = """Score recorded episodes against successful demonstrations: for every frame, how far the
task has come. An interrupted run continues where it stopped when the same command is given again.

Example: robovalue value estimate --teleop-hdf5-dir demos/ --rollouts-hdf5-dir rollouts/
--out-cache-dir values/ --camera-mode both --causal"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code: 2 when no episode has values at the end."""
    config = parse(EstimateConfig, words, "robovalue value estimate", ABOUT)
    with BarProgress() as progress:
        result = estimate(
            config, partial(open_reader, options=config.read), make_encoders, progress=progress
        )
    _print(result)
    there = (counts[name] for counts in (result.counts, result.causal) for name in THERE)
    return 0 if sum(there) else 2


def _print(result: EstimateResult) -> None:
    console = Console(soft_wrap=True, highlight=False)
    if sum(counts[name] for counts in (result.counts, result.causal) for name in THERE):
        print_episodes(result.out, Console(highlight=False))
    learned = f"{result.references} demonstrations: " if result.references else ""
    console.print(f"{learned}{result.out}", markup=False)
    for name, counts in (("values", result.counts), ("causal curves", result.causal)):
        if counts:
            told = ", ".join(f"{counts[status]} {status}" for status in STATUSES)
            console.print(f"{name}: {told}")
    computed, reused = result.embedded
    if computed + reused:
        console.print(f"embeddings: {computed} computed, {reused} from the cache")
    if result.page is not None:
        console.print(f"report: {result.page}", markup=False)
    if result.findings:
        print_findings(result.findings, console)

"""`robovalue codes train`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.pipelines.codes.config import CodesTrainConfig
from robovalue_ros.pipelines.codes.train import train_codes
from robovalue_ros.wiring import open_reader

ABOUT = """Train a network on the code sequences of segments: it learns to guess the next code, and
what it holds becomes a vector for each segment. A run that was cut off goes on with --resume RUN.

Example: robovalue codes train --json-root segments_by_class/ --out-dir code_models/"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    config = parse(CodesTrainConfig, words, "robovalue codes train", ABOUT)
    with BarProgress() as progress:
        result = train_codes(config, open_reader, progress=progress)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    trained, judged = result.sizes
    console.print(
        f"{trained} sequences trained, {judged} judged, of {len(result.classes)} classes; "
        f"{result.max_len} codes at most, {result.vocabulary - 1} in the book"
    )
    console.print(
        f"best loss {result.best_loss:.4f} in epoch {result.best_epoch} of {result.epochs_ran}"
    )
    if result.findings:
        print_findings(result.findings, Console())
    console.print(f"model: {result.out}")
    return result.exit_code

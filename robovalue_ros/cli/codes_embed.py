"""`robovalue codes embed`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.pipelines.codes.config import CodesEmbedConfig
from robovalue_ros.pipelines.codes.embed import embed_codes

ABOUT = """Turn code sequences into vectors with a trained network, one row of embed.npy for each
line of paths.txt. With --assign-to, also tell which known cluster each belongs to, or none.

Example: robovalue codes embed --json-root segments/ --model-pt code_models/20260131_120000
--out-dir code_embeddings/"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    config = parse(CodesEmbedConfig, words, "robovalue codes embed", ABOUT)
    with BarProgress() as progress:
        result = embed_codes(config, progress=progress)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    cut = f", {result.truncated:.1%} of the sequences cut" if result.truncated else ""
    console.print(
        f"{result.count} vectors of {result.width} numbers, from {result.max_len} codes at most{cut}"
    )
    if result.clusters is not None:
        told = ", ".join(
            f"{'noise' if label < 0 else label}: {count}"
            for label, count in result.clusters.items()
        )
        console.print(f"clusters: {told}; {result.anomalies} anomalies")
    if result.findings:
        print_findings(result.findings, Console())
    console.print(f"vectors: {result.out}")
    return 0

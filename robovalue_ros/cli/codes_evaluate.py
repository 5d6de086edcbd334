"""`robovalue codes evaluate`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.pipelines.codes.config import CodesEvaluateConfig
from robovalue_ros.pipelines.codes.evaluate import EvaluateResult, evaluate_codes

ABOUT = """Tell how well clusters of code sequences fit the classes that their folders name, for
each feature: accuracy after the best assignment, purity, NMI, ARI, F1, and what other seeds give.

Example: robovalue codes evaluate --json-root segments_by_class/ --features bow lstm
--model-pt code_models/20260131_120000"""

WIDEST = 110


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    config = parse(CodesEvaluateConfig, words, "robovalue codes evaluate", ABOUT)
    with BarProgress() as progress:
        result = evaluate_codes(config, progress=progress)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    # A log file has no width of its own; numbers are worth more than its 80 columns.
    Console(width=max(console.width, WIDEST)).print(_table(result))
    console.print(", ".join(f"{name}: {count}" for name, count in result.classes.items()))
    if result.findings:
        print_findings(result.findings, Console())
    console.print(f"results: {result.out}")
    return 0


def _table(result: EvaluateResult) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("feature", "by"):
        table.add_column(name, no_wrap=True)
    for name in ("clusters", "accuracy", "purity", "NMI", "ARI", "F1", "silhouette", "over seeds"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in result.features:
        told = each.agreement
        numbers = (told.accuracy, told.purity, told.nmi, told.ari, told.macro_f1)
        silhouette = each.scores.silhouette
        low, high = min(each.accuracies), max(each.accuracies)
        table.add_row(
            each.feature, each.algorithm, str(each.clusters), *(f"{n:.3f}" for n in numbers),
            "–" if silhouette is None else f"{silhouette:.3f}",
            f"{low:.3f} to {high:.3f}" if len(each.accuracies) > 1 else "–",
        )  # fmt: skip
    return table

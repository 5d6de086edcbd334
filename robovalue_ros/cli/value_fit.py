"""`robovalue value fit`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.pipelines.fit import FitConfig, FitResult, fit
from robovalue_ros.value.stream.model import PIXELS
from robovalue_ros.wiring import make_encoders, open_reader

ABOUT = """Learn from successful demonstrations of one task how far it has come at any frame, and
keep that as a value model: one file that the live node, the Gymnasium wrapper and offline scoring
load. Failed episodes are left out. The same data and seed give the same bytes.

Example: robovalue value fit demos/ --out put_red_cube.npz"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    config = parse(FitConfig, words, "robovalue value fit", ABOUT)
    options = config.read.options
    with BarProgress() as progress:
        result = fit(
            config, lambda path: open_reader(path, options), make_encoders, progress=progress
        )
    _print(result)
    return 0


def _print(result: FitResult) -> None:
    console = Console()
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in (
        ("task", str(result.about["task"])),
        ("kind", _kind(result)),
        ("cameras", ", ".join(result.model.cameras)),
        ("demonstrations", str(len(result.about["demonstrations"]))),
        ("frames", f"{result.frames} ({result.seconds:.1f} s)"),
        ("model", result.model.id),
        ("file", f"{result.path} ({result.path.stat().st_size / 1e6:.1f} MB)"),
    ):
        table.add_row(name, Text(value))
    console.print(table)
    if result.findings:
        console.print()
        print_findings(result.findings, console)


def _kind(result: FitResult) -> str:
    if result.model.kind == PIXELS:
        return "pixels: a network learned from these demonstrations, no other weights"
    return f"matching: clips seen by {result.about['encoder']['encoder']}"

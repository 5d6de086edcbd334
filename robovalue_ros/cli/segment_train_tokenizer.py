"""`robovalue segment train-tokenizer`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.pipelines.segment.train_tokenizer import TokenizerResult, train_tokenizer
from robovalue_ros.pipelines.segment.train_tokenizer_config import TrainTokenizerConfig
from robovalue_ros.training.engine import is_first_process
from robovalue_ros.training.interruption import Interruption
from robovalue_ros.wiring import open_reader

ABOUT = """Learn a motion tokenizer from followed points: a few numbers of a code book for what moves
in a window, from which `robovalue segment stream` cuts actions. Recordings are held out to judge by;
best.safetensors is the best epoch, latest.safetensors is what --resume goes on with, log.jsonl tells
everything. A run that is stopped keeps its state first. Several processes:
torchrun --nproc-per-node 2 -m robovalue_ros.cli.main segment train-tokenizer ...

Example: robovalue segment train-tokenizer preprocessed/cups --codebook-size 64 --hidden-dim 256 --epochs 40"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code, that of a signal where one ended it."""
    config = parse(TrainTokenizerConfig, words, "robovalue segment train-tokenizer", ABOUT)
    interruption = Interruption()
    with BarProgress() as progress:
        result = train_tokenizer(config, open_reader, progress=progress, interruption=interruption)
    if is_first_process():
        _print(result, config.run_name)
    return interruption.exit_code if result.training.interrupted else 0


def _print(result: TokenizerResult, run_name: str) -> None:
    console = Console()
    training, told = result.training, result.told
    if training.interrupted:
        console.print(
            f"stopped after {training.steps} steps; --resume --run-name {run_name} goes on",
            highlight=False,
        )
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    where = "val" if training.validated else "train"
    size = result.config.true_size
    rows = [
        ("recordings", f"{result.recordings} to learn from"),
        ("windows", f"{result.samples}, and {result.held_out} held out"),
        *([("plan", f"{result.drawn} anchors drawn")] if result.drawn is not None else []),
        ("epochs", f"{training.epochs}, {training.steps} steps"),
    ]
    if training.best_epoch:
        perplexity = told.get(f"{where}_codebook_perplexity", 0.0)
        unique = told.get(f"{where}_unique_codes_epoch", 0.0)
        rows += [
            ("best epoch", f"{training.best_epoch}, {where} loss {training.best:.4f}"),
            ("code book", f"{size} codes, {unique:.0f} in use, perplexity {perplexity:.1f}"),
            ("tokenizer", str(result.checkpoint)),
        ]
    for name, value in rows:
        table.add_row(name, Text(value))
    console.print(table)
    if result.findings:
        console.print()
        print_findings(result.findings, console)

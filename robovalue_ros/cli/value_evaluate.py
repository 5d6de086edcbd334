"""`robovalue value evaluate`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.data.atomic import write_json, write_text
from robovalue_ros.pipelines.evaluate import Evaluation, Judged, evaluate
from robovalue_ros.pipelines.evaluation import telling
from robovalue_ros.pipelines.evaluation.config import EvaluateConfig
from robovalue_ros.pipelines.evaluation.telling import Cell, Line
from robovalue_ros.wiring import open_reader, open_value_stream

ABOUT = """Tell honestly how good the values of a run are: against the truth that recordings hold,
and against controls that must fail, such as a clock. A number that a control reaches too proves
nothing, and the verdict says so. With --controls the value model is run again on shuffled,
reversed and frozen frames.

Example: robovalue value evaluate values/ --controls --out report.md"""
FORMATS = (".json", ".md")
WIDE = 120


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    config = parse(EvaluateConfig, words, "robovalue value evaluate", ABOUT)
    if config.out is not None and config.out.suffix not in FORMATS:
        raise ConfigError(f"--out {config.out}", f"a name that ends in {' or '.join(FORMATS)}")
    with BarProgress() as progress:
        found = evaluate(
            config,
            partial(open_reader, options=config.read),
            partial(open_value_stream, weights=config.weights, devices=(config.device,)),
            progress=progress,
        )
    title = config.results.resolve().name
    if config.out is not None and config.out.suffix == ".json":
        write_json(config.out, telling.as_json(found))
    elif config.out is not None:
        write_text(config.out, telling.as_markdown(found, title))
    if config.json:
        print(json.dumps(telling.as_json(found), indent=2, ensure_ascii=False))
        return 0
    console = Console()
    _print(found, console)
    if config.out is not None:
        console.print(f"report: {config.out}", soft_wrap=True, highlight=False, markup=False)
    return 0


def _print(found: Evaluation, console: Console) -> None:
    for judged in found.curves:
        wide = console.width >= WIDE
        console.print(_table(judged) if wide else _narrow_table(judged), highlight=False)
        if judged.flags:
            console.print(_flags(judged), highlight=False)
        good = judged.verdict.holds and not judged.told
        for text in telling.sentences(judged):
            console.print(Text(f"→ {text}", style="bold green" if good else "bold yellow"))
        console.print()
    console.print(Text(telling.LEGEND.replace("`", ""), style="dim"))
    if found.taught or found.calibrating:
        text = f"not judged: {found.taught} demonstrations, {found.calibrating} for calibration"
        console.print(Text(text, style="dim"))
    if found.findings:
        console.print()
        print_findings(found.findings, console)


def _table(judged: Judged) -> Table:
    labels = telling.control_labels(judged)
    table = Table(
        box=box.SIMPLE_HEAD, title=telling.headline(judged), title_justify="left", pad_edge=False,
        title_style="bold", padding=(0, 1, 0, 0),
    )  # fmt: skip
    table.add_column("", no_wrap=True)
    table.add_column(judged.name, justify="right", no_wrap=True)
    for short in labels.values():
        table.add_column(short, justify="right", overflow="fold", max_width=9)
    group = ""
    for line in telling.lines(judged):
        if group not in ("", line.group):
            table.add_section()
        group = line.group
        table.add_row(
            Text(line.measure), _own(line), *(_control(line.controls.get(key)) for key in labels)
        )
    return table


def _narrow_table(judged: Judged) -> Table:
    """Name the controls that do as well instead of showing every control's value."""
    labels = telling.control_labels(judged)
    table = Table(
        box=box.SIMPLE_HEAD, title=telling.headline(judged), title_justify="left", pad_edge=False,
        title_style="bold", padding=(0, 1, 0, 0),
    )  # fmt: skip
    table.add_column("", no_wrap=True)
    table.add_column(judged.name, justify="right", no_wrap=True)
    table.add_column("controls that do as well", overflow="fold")
    group = ""
    for line in telling.lines(judged):
        if group not in ("", line.group):
            table.add_section()
        group = line.group
        equal = [labels[key] for key, cell in line.controls.items() if cell.as_well]
        table.add_row(Text(line.measure), _own(line), Text(", ".join(equal), style="yellow"))
    return table


def _own(line: Line) -> Text:
    style = "dim" if line.told or line.better == "none" else "yellow" if line.matched else "green"
    return Text(telling.interval(line.cell) + (" told" if line.told else ""), style=style)


def _control(cell: Cell | None) -> Text:
    if cell is None:
        return Text("")
    if not cell.counts:
        return Text(telling.number(cell.value, 2), style="dim")
    mark = "=" if cell.as_well else ""
    return Text(f"{telling.number(cell.value, 2)}{mark}", style="yellow" if cell.as_well else "")


def _flags(judged: Judged) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, title="flags of the stream", title_justify="left", pad_edge=False,
        title_style="bold", padding=(0, 1, 0, 0),
    )  # fmt: skip
    for name in ("flag", "share", "of", "meaning"):
        table.add_column(name, justify="right" if name in ("share", "of") else "left")
    for row in judged.flags:
        table.add_row(row.name, telling.interval(row.cell), str(row.seen), row.meaning)
    return table

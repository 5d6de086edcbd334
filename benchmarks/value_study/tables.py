"""The study as tables: every figure against every column, then the evaluation and its verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.book import Sheet
from benchmarks.value_study.columns import Column, columns_of
from benchmarks.value_study.figures import Cell, Figure, bars_of, cells, main_figures
from benchmarks.value_study.running import TaskResult
from benchmarks.value_study.settings import StudyConfig
from benchmarks.value_study.verdicts import SHOWN, STREAM, evaluated
from robovalue_ros.value.metrics.ranking import voc
from robovalue_ros.value.metrics.verdict import verdict

WITH_INTERVALS = ("main", "fewer", "altered")
TOLD = "-"


@dataclass(frozen=True)
class Missed:
    """A bar that was missed. truth: what true progress itself reaches, NaN where it has no say."""

    task: str
    figure: str
    column: str
    wanted: str
    cell: Cell
    truth: float


@dataclass(frozen=True)
class TaskSheets:
    """Everything that is written about one task."""

    task: str
    sheets: tuple[Sheet, ...]
    verdicts: tuple[str, ...]
    missed: tuple[Missed, ...]


def task_sheets(config: StudyConfig, result: TaskResult, command: str) -> TaskSheets:
    """Return the tables of one task."""
    figures = main_figures()
    rng = np.random.default_rng([config.test_seed, 7])
    columns = columns_of(result, rng)
    found = {
        column.title: cells(figures, column.records, column.curves, config.draws, rng)
        for column in columns
    }
    truth = dict(zip((f.name for f in figures), found["(the truth)"], strict=True))
    missed = [
        Missed(
            result.task, figure.name, column.title, barred.wanted(), cell, truth[figure.name].value
        )
        for column in columns
        if column.kind in WITH_INTERVALS
        for figure, cell in zip(figures, found[column.title], strict=True)
        for barred in [_barred(figure, column.kind, figures)]
        if barred.reached(cell.value) is False
    ]
    main = Sheet(
        f"{result.task}: figures and bars", command,
        ("figure", "bar", *(column.title for column in columns)),
        [_row(row, figures, columns, found) for row in range(len(figures))],
        _note(config, result),
    )  # fmt: skip
    table = evaluated(result, config.draws, rng)
    head, *body = table.as_rows(SHOWN, digits=2)
    # What sees nothing says the same about every video: its own controls only repeat it.
    body = [line for line, row in zip(body, table.rows, strict=True) if row.of in ("", STREAM)]
    judged = Sheet(
        f"{result.task}: evaluation with controls", "", ("who", *head[1:]), body,
        "The measures of `robovalue value evaluate` with 95 % intervals. In brackets: controls.",
    )  # fmt: skip
    return TaskSheets(
        result.task, (main, _modes(result), judged),
        tuple(each.sentence for each in verdict(table)), tuple(missed),
    )  # fmt: skip


def _barred(figure: Figure, kind: str, figures: Sequence[Figure]) -> Figure:
    bar = bars_of(kind, figures)[figure.name] if kind in WITH_INTERVALS else None
    return Figure(figure.name, figure.compute, bar, figure.above)


def _row(
    row: int, figures: Sequence[Figure], columns: Sequence[Column],
    found: Mapping[str, Sequence[Cell]],
) -> tuple[str, ...]:  # fmt: skip
    figure = figures[row]
    texts = []
    for column in columns:
        cell = found[column.title][row]
        if np.isnan(cell.value):
            texts.append(TOLD)
        elif column.kind not in WITH_INTERVALS:
            texts.append(f"{cell.value:.3f}")
        else:
            barred = _barred(figure, column.kind, figures)
            reached = barred.reached(cell.value)
            sign = "" if reached is None else ("yes: " if reached else "NO: ")
            other = "" if barred.bar in (None, figure.bar) else f", bar {barred.bar:.2f}"
            texts.append(f"{sign}{cell.value:.3f} [{cell.low:.3f}, {cell.high:.3f}]{other}")
    return (figure.name, figure.wanted(), *texts)


def _note(config: StudyConfig, result: TaskResult) -> str:
    first = config.demos[0]
    records = result.plain[first]
    good = sum(record.success for record in records)
    stalls = sum(len([n for n in r.starts if n != "rewound"]) for r in records)
    drops = sum(int(record.dropped.sum()) for record in records if not record.success)
    lost = len([record for record in result.altered if record.success])
    return (
        f"{good} successes and {len(records) - good} failures from seed {config.test_seed}, {stalls} "
        f"stalls, {good} rewinds, {drops} drops in failures; with altered pictures {lost} successes "
        f"and {len(result.altered) - lost} failures. The bar stands for {first} demonstrations; "
        "other bars stand in their cells. Controls are told without intervals. Models "
        f"{', '.join(f'{count}: {name}' for count, name in result.models.items())}."
    )


def _modes(result: TaskResult) -> Sheet:
    """Return one row per manner and failure mode, of the first column."""
    records = result.plain[next(iter(result.plain))]
    rows = []
    for mode in dict.fromkeys(r.mode for r in sorted(records, key=lambda r: not r.success)):
        chosen = [record for record in records if record.mode == mode]
        curves = [record.curves["plain"] for record in chosen]
        numbers = (
            np.mean([record.success for record in chosen]),
            np.mean([voc(curve.values) for curve in curves]),
            np.mean([voc(record.truth) for record in chosen]),
            np.mean(
                [np.abs(c.values - r.truth).mean() for c, r in zip(curves, chosen, strict=True)]
            ),
            np.mean([curve.values[-1] for curve in curves]),
            np.mean([record.truth[-1] for record in chosen]),
            np.mean([curve.declared.any() for curve in curves]),
        )
        rows.append((mode, str(len(chosen)), *(f"{number:.3f}" for number in numbers)))
    columns = (
        "mode",
        "n",
        "success",
        "VOC",
        "VOC of truth",
        "error",
        "end",
        "true end",
        "declared",
    )
    return Sheet(f"{result.task}: by mode", "", columns, rows)

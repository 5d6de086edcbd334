"""docs/value_study.md."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.book import Sheet, machine_line, sheet_markdown
from benchmarks.value_study.playing import GAIN, SHIFT
from benchmarks.value_study.settings import StudyConfig
from benchmarks.value_study.tables import Missed, TaskSheets

REASONS = {
    "drops falling by .2 in 10 frames": (
        "where several objects are brought, one that is dropped costs only what it had gained, and "
        "a value that fell further than true progress would be wrong; the rows below it judge the "
        "drops that truly cost as much, and how near the value's fall is to the true one"
    ),
    "rewound steps that fall (lag 5)": (
        "frames shown backwards that are pauses, or a second try at a grasp, do not lose progress, "
        "and true progress itself misses part of the bar for that reason"
    ),
}
INTRODUCTION = """# What the value stream reaches on the embedded simulator

Written by `make bench-value`. Values are causal and know neither the outcome nor the length; the
model has seen nothing but the pictures and stamps of its demonstrations. True progress is the
simulator's: the share of a steady hand's time that is behind, from the state alone. Every choice was
made on other seeds before these episodes were played; whoever changes the method draws new ones with
`--test-seed`. The task of three objects is measured with `--tasks put_everything` and stands in this
page only when it was asked for.
"""


def page(
    config: StudyConfig, command: str, tasks: Sequence[TaskSheets], speed: Sequence[Sheet]
) -> str:
    """Return the page as text."""
    parts = [
        INTRODUCTION,
        f"`{command}`\n",
        f"Machine: {machine_line()}. Altered pictures: gains of {GAIN[0]}-{GAIN[1]} per colour "
        f"channel, both cameras shifted by {SHIFT} pixels each way, one object that does not belong. "
        "Failures: missed grasp, drop, wrong place, never reaches, stuck, erratic. Controls: a clock "
        "that counts up to the usual length; that clock and noise, told the outcome; the stream on "
        "shuffled, reversed and frozen frames; the model of another task. In brackets: 95 % "
        "intervals from drawing whole episodes again.\n",
        _reached(tasks),
    ]
    for task in tasks:
        parts += [sheet_markdown(sheet) for sheet in task.sheets]
        parts.append("Verdict:\n\n" + "\n".join(f"- {line}" for line in task.verdicts) + "\n")
    parts += [sheet_markdown(sheet) for sheet in speed]
    return "\n".join(parts)


def _reached(tasks: Sequence[TaskSheets]) -> str:
    missed = [each for task in tasks for each in task.missed]
    head = "## What is out of reach\n"
    if not missed:
        return f"{head}\nNothing: every bar is reached on every task.\n"
    return f"{head}\n" + "\n".join(_line(each) for each in missed) + "\n"


def _line(missed: Missed) -> str:
    cell = missed.cell
    text = (
        f"- {missed.task}, {missed.column}: {missed.figure} is {cell.value:.3f} [{cell.low:.3f}, "
        f"{cell.high:.3f}], wanted {missed.wanted}."
    )
    if not np.isnan(missed.truth):
        text += f" True progress itself: {missed.truth:.3f}."
    reason = REASONS.get(missed.figure)
    return text if reason is None else f"{text} Reason: {reason}."

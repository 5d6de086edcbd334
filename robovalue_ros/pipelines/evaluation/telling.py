"""An evaluation as rows of text and numbers: what a terminal, JSON and Markdown show alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from robovalue_ros.data.value_store.reports import json_value
from robovalue_ros.pipelines.evaluate import Evaluation, Judged
from robovalue_ros.value.metrics.bootstrap import Interval
from robovalue_ros.value.metrics.measures import Measure
from robovalue_ros.value.metrics.verdict import counts, does_as_well

# Measures that compare episodes by how they ended, or say when one is done.
OF_OUTCOMES = (
    "auc_final", "auc_max", "auc_mean", "smd_final", "smd_mean", "js_final", "js_mean",
    "mmd2_final", "mmd2_mean", "declared_success", "declared_failure", "declared_youden",
)  # fmt: skip
GROUPS = {
    "order": ("voc", "voc_drop", "voc_failures", "reversed_voc", "constant", "monotonicity",
              "negative_rate"),
    "outcomes": (*OF_OUTCOMES[:9], "rank_progress"),
    "true progress": ("frame_ranking", "mae", "mse", "nse", "mae_answered", "coverage", "ece",
                      "ece_calibrated"),
    "events": ("drop_caught", "drop_false", "drop_youden", "drop_delay", "stall_drift",
               "stall_flagged", "stall_false", "stall_youden", "stall_delay", "rewind_share",
               "rewind_youden"),
    "done": OF_OUTCOMES[9:],
}  # fmt: skip
MORE = {
    "voc": "Spearman; 1 rises always, a clock scores 1 too",
    "smd_final": "Cohen's d, pooled deviation",
    "smd_mean": "Cohen's d, pooled deviation",
    "js_final": "20 equal bins over 0..1, no smoothing",
    "js_mean": "20 equal bins over 0..1, no smoothing",
    "mmd2_final": "kernel exp(-d^2 / 2 s^2), s the median distance; V-statistic",
    "mmd2_mean": "kernel exp(-d^2 / 2 s^2), s the median distance; V-statistic",
    "ece": "10 bins of value against true progress",
    "ece_calibrated": "isotonic, fitted on episodes that are not judged",
}
REVERSED = "voc of the same frames shown backwards; near -1 for one who looks, 1 for a clock"
TOLD = (
    "This curve was told how long each episode is and how it ends: what it says about outcomes is "
    "what it was told, and is no merit."
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A control's value. as_well: does as well as the curve. counts: says anything about it."""

    value: float
    as_well: bool
    counts: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One measure of one curve. told: the curve was told what this measures.

    matched: a control that counts does as well, so that the number proves nothing.
    """

    group: str
    measure: str
    meaning: str
    better: str
    cell: Interval
    told: bool
    matched: bool
    controls: Mapping[str, Cell]


def control_labels(judged: Judged) -> dict[str, str]:
    """Return row label -> short name of each control; a stand-in carries a star."""
    return {
        row.label: row.name.replace("_", " ") + ("*" if row.stand_in else "")
        for row in judged.table.rows
        if row.kind == "control"
    }


def lines(judged: Judged) -> list[Line]:
    """Return every measure that is defined for the curve, in groups."""
    measures = {measure.name: measure for measure in judged.table.measures}
    found = []
    for group, names in GROUPS.items():
        for name in names:
            line = (
                _reversed(judged, group) if name == "reversed_voc"
                else _line(judged, group, measures[name])
            )  # fmt: skip
            if line is not None:
                found.append(line)
    return found


def _line(judged: Judged, group: str, measure: Measure) -> Line | None:
    table = judged.table
    cell = table.cell(judged.name, measure.name)
    if math.isnan(cell.value):
        return None
    method = table.methods[0]
    at = table.measure_names.index(measure.name)
    own = table.row_draws(method)[at]
    cells = {}
    for row in table.rows:
        if row.kind != "control":
            continue
        drawn = table.row_draws(row)[at]
        says = measure.better != "none" and counts(row, measure, method)
        as_well = says and does_as_well(own, drawn, measure, table.level)
        cells[row.label] = Cell(float(drawn[0]), as_well, says)
    told = judged.told and measure.name in OF_OUTCOMES
    return Line(
        group, measure.name, _meaning(measure), measure.better, cell, told,
        any(one.as_well for one in cells.values()), cells,
    )  # fmt: skip


def _meaning(measure: Measure) -> str:
    more = MORE.get(measure.name)
    return f"{measure.meaning} ({more})" if more else measure.meaning


def _reversed(judged: Judged, group: str) -> Line | None:
    rows = [row for row in judged.table.rows if row.name == "reversed" and row.of == judged.name]
    if not rows or rows[0].stand_in:
        return None
    cell = judged.table.cell(rows[0], "voc")
    if math.isnan(cell.value):
        return None
    return Line(group, "reversed_voc", REVERSED, "low", cell, False, cell.value >= 0, {})


def headline(judged: Judged) -> str:
    """Say what a table is about."""
    table = judged.table
    about = "knows outcome and length" if judged.told else "sees no later frame and no label"
    return (
        f"{judged.name} ({about}): {table.successes} successes, {table.failures} failures"
        + (f", {rest} unlabelled" if (rest := _unlabelled(judged)) else "")
        + f"; {100 * table.level:g} % intervals from {table.draws.shape[2] - 1} resamples"
    )


def _unlabelled(judged: Judged) -> int:
    return judged.table.episodes - judged.table.successes - judged.table.failures


def sentences(judged: Judged) -> list[str]:
    """Return the verdict, and what must be said of a curve that was told."""
    text = judged.verdict.sentence
    return [text[:1].upper() + text[1:], *([TOLD] if judged.told else [])]


def number(value: float, digits: int = 3) -> str:
    """Write a value for people."""
    if math.isnan(value):
        return "-"
    return f"{value:.{digits}f}" if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def interval(cell: Interval) -> str:
    """Write a value with its interval."""
    if math.isnan(cell.value):
        return "-"
    return f"{number(cell.value)} [{number(cell.low)}, {number(cell.high)}]"


def as_json(found: Evaluation) -> dict[str, Any]:
    """Return everything as JSON values; infinite numbers become null."""
    content = {
        "settings": {**asdict(found.settings), "rate_hz": found.rate_hz},
        "episodes": {"taught": found.taught, "calibrating": found.calibrating},
        "curves": {judged.name: _judged_json(judged) for judged in found.curves},
        "findings": [asdict(finding) for finding in found.findings],
    }
    plain: dict[str, Any] = json_value(content)
    return plain


def _judged_json(judged: Judged) -> dict[str, Any]:
    verdict, table = judged.verdict, judged.table
    return {
        "knows_outcome_and_length": judged.told,
        "judged": table.episodes, "successes": table.successes, "failures": table.failures,
        "verdict": {
            "holds": verdict.holds, "sentence": " ".join(sentences(judged)),
            "proves": verdict.proves, "matched": dict(verdict.matched),
            "beats_nothing": verdict.unbeaten,
        },
        "measures": [
            {
                "group": line.group, "name": line.measure, "meaning": line.meaning,
                "better": line.better, "value": line.cell.value, "low": line.cell.low,
                "high": line.cell.high, "told": line.told,
                "control_does_as_well": line.matched,
                "controls": {
                    label: {"value": c.value, "does_as_well": c.as_well, "counts": c.counts}
                    for label, c in line.controls.items()
                },
            }
            for line in lines(judged)
        ],
        "flags": [
            {
                "name": row.name, "meaning": row.meaning, "better": row.better,
                "value": row.cell.value, "low": row.cell.low, "high": row.cell.high,
                "of": row.seen,
            }
            for row in judged.flags
        ],
    }  # fmt: skip


def as_markdown(found: Evaluation, title: str) -> str:
    """Return everything as a Markdown page."""
    parts = [f"# Values of {title}", ""]
    for judged in found.curves:
        labels = control_labels(judged)
        parts += [f"## {headline(judged)}", "", *(f"**{text}**" for text in sentences(judged)), ""]
        head = ["measure", judged.name, *labels.values(), "meaning"]
        parts += [_row(head), _row(["---"] * len(head))]
        for line in lines(judged):
            mark = " (told)" if line.told else " =" if line.matched else ""
            cells = [_control_text(line.controls.get(label)) for label in labels]
            parts.append(_row([line.measure, interval(line.cell) + mark, *cells, line.meaning]))
        parts += ["", LEGEND, ""]
        if judged.flags:
            parts += ["### Flags", "", _row(["flag", "share", "of", "meaning"]), _row(["---"] * 4)]
            parts += [
                _row([row.name, interval(row.cell), str(row.seen), row.meaning])
                for row in judged.flags
            ]
            parts.append("")
    parts += [f"* {f.level}: {f.subject}: {f.found} {f.advice}".rstrip() for f in found.findings]
    return "\n".join(parts).rstrip() + "\n"


LEGEND = (
    "`=`: a control does as well, so the number proves nothing. In brackets: a control that does "
    "not count here. `*`: guessed from the curve, not scored on frames. (told): the curve was told."
)


def _control_text(cell: Cell | None) -> str:
    if cell is None or np.isnan(cell.value):
        return ""
    if not cell.counts:
        return f"({number(cell.value)})"
    return f"{number(cell.value)}{' =' if cell.as_well else ''}"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |"

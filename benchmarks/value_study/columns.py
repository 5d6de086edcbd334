"""Who stands in the table: the stream, and curves that must not look good beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.value_study.curves import Curve, Floats, Record
from benchmarks.value_study.figures import Curves, plain
from benchmarks.value_study.running import TaskResult
from robovalue_ros.value.calibrate import choose_success_rule, sustained_level
from robovalue_ros.value.metrics.controls import demo_clock, labelled_clock, labelled_noise

DWELL = 5
MISS_RATE = 0.05
FAILURE_END = 0.5
SAME_VIDEO = ("plain", "halted", "rewound", "halted_noisy", "stalled_noisy", "frozen", "shuffled")


@dataclass(frozen=True)
class Column:
    """Curves of one kind on episodes. kind: "main", "fewer", "altered", "truth" or "control"."""

    title: str
    kind: str
    records: Sequence[Record]
    curves: Sequence[Curves]


def columns_of(result: TaskResult, rng: np.random.Generator) -> list[Column]:
    """Return the columns of one task: the stream, altered pictures, the truth, the controls."""
    counts = list(result.plain)
    records = result.plain[counts[0]]
    made = [
        Column(f"{count} demos", "fewer" if number else "main", kept, [r.curves for r in kept])
        for number, (count, kept) in enumerate(result.plain.items())
    ]
    made.append(
        Column("altered pictures", "altered", result.altered, [r.curves for r in result.altered])
    )
    made.append(Column("(the truth)", "truth", records, [_true_curves(r) for r in records]))
    for title, curve in blind(result, rng).items():
        made.append(Column(title, "control", records, [_said(r, curve) for r in records]))
    for name, title in (("shuffled", "shuffled"), ("reversed", "reversed"), ("frozen", "frozen"),
                        ("wrong_task", "wrong task")):  # fmt: skip
        shown = [{"plain": record.curves[name]} for record in records]
        made.append(Column(title, "control", records, shown))
    return made


Blind = Callable[[int, bool], Curve]


def blind(result: TaskResult, rng: np.random.Generator) -> dict[str, Blind]:
    """Return controls that see nothing: (frames, success) -> curve.

    Each declares success by a rule learned from what it gives on the demonstrations.
    """
    lengths = [len(record.truth) for record in result.shown]
    usual = float(np.median(lengths))
    kinds: dict[str, Callable[[int, bool], Floats]] = {
        "clock": lambda frames, _: demo_clock(frames, usual),
        "clock, told the outcome": lambda n, success: labelled_clock(n, _end(success)),
        "noise, told the outcome": lambda n, success: labelled_noise(n, _end(success), rng),
    }
    return {name: _ruled(kind, lengths) for name, kind in kinds.items()}


def _end(success: bool) -> float:
    return 1.0 if success else FAILURE_END


def _ruled(kind: Callable[[int, bool], Floats], lengths: Sequence[int]) -> Blind:
    rule = choose_success_rule([kind(length, True) for length in lengths], DWELL, MISS_RATE)

    def curve(frames: int, success: bool) -> Curve:
        values = kind(frames, success)
        return replace(plain(values), declared=sustained_level(values, DWELL) >= rule.threshold)

    return curve


def _said(record: Record, curve: Blind) -> dict[str, Curve]:
    """Return what a control that sees nothing says about every video shown: only lengths differ."""
    return {
        name: curve(len(record.curves[name].values), record.success)
        for name in SAME_VIDEO
        if name in record.curves
    }


def _true_curves(record: Record) -> Mapping[str, Curve]:
    """Return true progress in place of the stream's, where the pictures shown have one."""
    known = ("plain", "rewound", "halted")
    return {
        name: plain(record.truth[curve.order])
        for name, curve in record.curves.items()
        if name in known
    }

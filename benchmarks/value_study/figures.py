"""The figures that have bars, each as sums over episodes so that intervals come from resampling."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.value_study.curves import STEPS_PER_S, Curve, Floats, Record
from robovalue_ros.value.metrics.accuracy import mae
from robovalue_ros.value.metrics.arrays import ratio
from robovalue_ros.value.metrics.bootstrap import percentile_interval, resample_counts
from robovalue_ros.value.metrics.events import drop_counts, rewind_counts
from robovalue_ros.value.metrics.ranking import roc_auc_draws, voc

LAG = 5
DROP = 0.2
DROP_FRAMES = 10
DRIFT = 0.03

Curves = Mapping[str, Curve]
Part = tuple[float, float]
Compute = Callable[[Sequence[Record], Sequence[Curves], Floats], Floats]


@dataclass(frozen=True)
class Figure:
    """One row. bar: where it should lie, None when it is only told."""

    name: str
    compute: Compute
    bar: float | None = None
    above: bool = True
    digits: int = 3

    def wanted(self) -> str:
        """Return the bar as text."""
        return "" if self.bar is None else f"{'>=' if self.above else '<='} {self.bar:.2f}"

    def reached(self, value: float) -> bool | None:
        """Tell whether a value lies on the right side; None without a bar or a value."""
        if self.bar is None or np.isnan(value):
            return None
        return value >= self.bar if self.above else value <= self.bar


@dataclass(frozen=True)
class Cell:
    """A figure of one column with its 95 % interval; NaN where it makes no sense."""

    value: float
    low: float
    high: float


def cells(
    figures: Sequence[Figure], records: Sequence[Record], curves: Sequence[Curves], draws: int,
    rng: np.random.Generator,
) -> list[Cell]:  # fmt: skip
    """Return one cell per figure; successes and failures are drawn again apart."""
    counts = resample_counts([record.success for record in records], draws, rng)
    found = []
    for figure in figures:
        interval = percentile_interval(figure.compute(records, curves, counts))
        found.append(Cell(interval.value, interval.low, interval.high))
    return found


def _share(part: Callable[[Record, Curves], Part]) -> Compute:
    """Return a ratio of sums over episodes."""

    def compute(records: Sequence[Record], curves: Sequence[Curves], counts_BE: Floats) -> Floats:
        parts = np.array([part(r, c) for r, c in zip(records, curves, strict=True)])
        return ratio(counts_BE @ parts[:, 0], counts_BE @ parts[:, 1])

    return compute


def _mean(success: bool, value: Callable[[Record, Curve], float], curve: str = "plain") -> Compute:
    """Return the mean over the successes or failures that have a curve of this name."""

    def part(record: Record, curves: Curves) -> Part:
        if record.success != success or curve not in curves:
            return 0.0, 0.0
        known = value(record, curves[curve])
        return (0.0, 0.0) if np.isnan(known) else (known, 1.0)

    return _share(part)


def _auc(records: Sequence[Record], curves: Sequence[Curves], counts_BE: Floats) -> Floats:
    finals = np.round([c["plain"].values[-1] for c in curves], 9)
    return roc_auc_draws(finals, [r.success for r in records], counts_BE)


def _worst_frozen(records: Sequence[Record], curves: Sequence[Curves], counts_BE: Floats) -> Floats:
    ends = np.array([c["frozen"].values[-1] if "frozen" in c else np.nan for c in curves])
    taken = (counts_BE > 0) & ~np.isnan(ends)
    worst: Floats = np.where(taken, np.nan_to_num(ends), -np.inf).max(axis=1)
    return np.where(np.isinf(worst), np.nan, worst)


def _rewind(record: Record, curves: Curves) -> Part:
    if "rewound" not in curves:
        return 0.0, 0.0
    back = np.arange(len(curves["rewound"].values)) >= record.starts["rewound"]
    found = rewind_counts(curves["rewound"].values, back, LAG)
    # A mean over episodes: a long one counts no more than a short one.
    return (found.rewound_falling / found.rewound, 1.0) if found.rewound else (0.0, 0.0)


def _stalls(judge: Callable[[Curve, int], float | None]) -> Compute:
    def part(record: Record, curves: Curves) -> Part:
        told = [
            judge(curves[name], start)
            for name, start in record.starts.items()
            if name in curves and name != "rewound"
        ]
        known = [value for value in told if value is not None]
        return float(sum(known)), float(len(known))

    return _share(part)


def _rests(curve: Curve, start: int) -> float | None:
    return float(np.abs(curve.values[start:] - curve.values[start]).max() <= DRIFT)


def _flagged(curve: Curve, start: int) -> float | None:
    # What has no flags at all, such as a clock, is not asked.
    return float(curve.stall[start : start + STEPS_PER_S + 1].any()) if len(curve.stall) else None


def _drops(truly: bool) -> Callable[[Record, Curves], Part]:
    """Judge drops in failures. truly: only those after which true progress falls as much."""

    def part(record: Record, curves: Curves) -> Part:
        if record.success:
            return 0.0, 0.0
        drops = np.flatnonzero(record.dropped)
        if truly:
            fell = [drop_counts(record.truth, [at], DROP, DROP_FRAMES).caught for at in drops]
            drops = drops[np.array(fell, bool)]
        found = drop_counts(curves["plain"].values, drops, DROP, DROP_FRAMES)
        return float(found.caught), float(found.drops)

    return part


def _fall_gaps(record: Record, curves: Curves) -> Part:
    """Compare how far value and truth fall after drops in failures."""
    if record.success:
        return 0.0, 0.0
    drops = np.flatnonzero(record.dropped)
    pairs = [(_fall(curves["plain"].values, at), _fall(record.truth, at)) for at in drops]
    return float(sum(abs(value - truth) for value, truth in pairs)), float(len(pairs))


def _fall(values: Floats, at: int) -> float:
    return float(values[max(0, at - 1)] - values[at : at + DROP_FRAMES + 1].min())


def _voc(_: Record, curve: Curve) -> float:
    return voc(curve.values)


def _error(record: Record, curve: Curve) -> float:
    return mae(curve.values, record.truth)


def _ends(_: Record, curve: Curve) -> float:
    return float(curve.declared[-1]) if len(curve.declared) else np.nan


def _ever(_: Record, curve: Curve) -> float:
    return float(curve.declared.any()) if len(curve.declared) else np.nan


def _unknown(_: Record, curve: Curve) -> float:
    return float(curve.unknown.mean()) if len(curve.unknown) else np.nan


def _false_stall(record: Record, curve: Curve) -> float:
    if not len(curve.stall) or not record.moving.any():
        return np.nan
    return float(curve.stall[record.moving].mean())


def _size_of_voc(_: Record, curve: Curve) -> float:
    return abs(voc(curve.values))


def main_figures() -> tuple[Figure, ...]:
    """Return the rows of a task's table, with the bars for 20 demonstrations."""
    return (
        Figure("VOC, successes", _mean(True, _voc), 0.98),
        Figure("ROC-AUC of the last value", _auc, 0.97),
        Figure("error to truth, successes", _mean(True, _error), 0.08, above=False),
        Figure("error to truth, failures", _mean(False, _error), 0.10, above=False),
        Figure(f"rewound steps that fall (lag {LAG})", _share(_rewind), 0.90),
        Figure(f"stalls that drift at most {DRIFT:.2f}", _stalls(_rests), 0.90),
        Figure("stalls flagged within 1 s", _stalls(_flagged), 0.90),
        Figure("moving frames flagged as stall", _mean(True, _false_stall), 0.02, above=False),
        Figure("first frame frozen, worst end", _worst_frozen, 0.02, above=False),
        Figure("frames shuffled, mean abs(rho)", _mean(True, _size_of_voc, "shuffled"), 0.20, False),
        Figure("drops falling by .2 in 10 frames", _share(_drops(False)), 0.90),
        Figure("the same where truth falls so", _share(_drops(True))),
        Figure("fall after drops, off the truth's by", _share(_fall_gaps)),
        Figure("declared at the end, successes", _mean(True, _ends), 0.95),
        Figure("declared at the end, failures", _mean(False, _ends), 0.05, above=False),
        Figure("ever declared, failures", _mean(False, _ever), 0.10, above=False),
        Figure("unknown frames, successes", _mean(True, _unknown)),
        Figure("unknown frames, failures", _mean(False, _unknown)),
    )  # fmt: skip


def bars_of(column: str, figures: Sequence[Figure]) -> dict[str, float | None]:
    """Return the bars that hold for fewer demonstrations and for altered pictures."""
    fewer = {"VOC, successes": 0.97, "ROC-AUC of the last value": 0.97}
    altered = {"VOC, successes": 0.95, "ROC-AUC of the last value": 0.95}
    chosen = {"fewer": fewer, "altered": altered}.get(column)
    if chosen is None:
        return {figure.name: figure.bar for figure in figures}
    return {figure.name: chosen.get(figure.name) for figure in figures}


def plain(values: ArrayLike) -> Curve:
    """Return a curve without flags."""
    none = np.zeros(0, bool)
    return Curve(np.asarray(values, np.float64), none, none, none, np.zeros(0, np.int64))

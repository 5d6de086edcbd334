"""How well found boundaries, and found spans, agree with true ones. Times in any one unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from robovalue_ros.contracts.types import Array
from robovalue_ros.contracts.validate import require

Floats = NDArray[np.float64]
Interval = tuple[float, float]


def boundaries(segments: Sequence[Interval], duration: float, *, distinct: bool = True) -> Floats:
    """Return where segments (start, stop) begin after 0 or end before `duration`, in order.

    distinct: a moment at which one ends and the next begins counts once.
    """
    times = [start for start, _ in segments if start > 0]
    times += [stop for _, stop in segments if stop < duration]
    return np.unique(np.array(times, np.float64)) if distinct else np.array(sorted(times))


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many of `predicted` and `true` boundaries are pairs."""

    tp: int
    predicted: int
    true: int

    @property
    def precision(self) -> float:
        """Share of found boundaries that are true; 1 where there are no true ones."""
        if self.true == 0:
            return 1.0
        return self.tp / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of true boundaries that were found; without any, 1 if none was found."""
        if self.true == 0:
            return float(self.predicted == 0)
        return self.tp / self.true

    @property
    def f1(self) -> float:
        """Harmonic mean; without true boundaries 1 if none was found, else 0."""
        if self.true == 0:
            return float(self.predicted == 0)
        return 2.0 * self.tp / (self.predicted + self.true)


def greedy_agreement(predicted: Array, true: Array, tolerance: float) -> Agreement:
    """Pair each true boundary, in order, with the nearest free one within `tolerance`.

    What older tools report; an early choice can cost a later pair.
    """
    free = sorted(float(time) for time in predicted)
    pairs = 0
    for time in sorted(float(time) for time in true):
        near = min(free, key=lambda other: abs(other - time), default=None)
        if near is not None and abs(near - time) <= tolerance:
            free.remove(near)
            pairs += 1
    return Agreement(pairs, len(predicted), len(true))


def matched(predicted: Array, true: Array, tolerance: float) -> NDArray[np.int64]:
    """Return the pairs (K, 2) of indices (predicted, true) that make most pairs within
    `tolerance`, and of those the closest ones."""
    require(tolerance >= 0.0, "tolerance", "a number >= 0", tolerance)
    gaps = np.abs(np.asarray(predicted, np.float64)[:, None] - np.asarray(true, np.float64)[None])
    if gaps.size == 0:
        return np.empty((0, 2), np.int64)
    near = gaps <= tolerance
    closeness = 1.0 - gaps / tolerance if tolerance > 0.0 else np.ones_like(gaps)
    reward = np.where(near, 1.0 + closeness / (len(gaps) + 1.0), 0.0)
    rows, columns = linear_sum_assignment(reward, maximize=True)
    chosen = near[rows, columns]
    return np.stack([rows[chosen], columns[chosen]], axis=1).astype(np.int64)


def agreement(predicted: Array, true: Array, tolerance: float) -> Agreement:
    """Pair as many boundaries as possible within `tolerance`."""
    return Agreement(len(matched(predicted, true, tolerance)), len(predicted), len(true))


@dataclass(frozen=True, slots=True)
class Delay:
    """How late found boundaries are: mean (negative: early), mean size, median size; NaN of none."""

    mean: float
    mean_abs: float
    median_abs: float
    pairs: int


def delay(predicted: Array, true: Array, tolerance: float) -> Delay:
    """Return how late the found boundaries are that have a true one within `tolerance`."""
    pairs = matched(predicted, true, tolerance)
    if not len(pairs):
        return Delay(float("nan"), float("nan"), float("nan"), 0)
    late = (
        np.asarray(predicted, np.float64)[pairs[:, 0]] - np.asarray(true, np.float64)[pairs[:, 1]]
    )
    size = np.abs(late)
    return Delay(float(late.mean()), float(size.mean()), float(np.median(size)), len(pairs))


def iou(one: Interval, other: Interval) -> float:
    """Return the shared length of two spans over the length that they cover together."""
    common = max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
    union = (one[1] - one[0]) + (other[1] - other[0]) - common
    return common / union if union > 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class Splitting:
    """over: found segments too many per true one. under: true segments too many per found one.

    0 where each true segment holds one found segment, and each found one a single true one.
    """

    over: float
    under: float


def splitting(predicted: Sequence[Interval], true: Sequence[Interval]) -> Splitting:
    """Count how often a segment falls into several of the other side.

    A segment lies in that of the other side which it shares most of its time with.
    """
    return Splitting(_extra(predicted, true), _extra(true, predicted))


def _extra(parts: Sequence[Interval], wholes: Sequence[Interval]) -> float:
    if not wholes:
        return 0.0
    held = [0] * len(wholes)
    for part in parts:
        shared = [min(part[1], whole[1]) - max(part[0], whole[0]) for whole in wholes]
        best = int(np.argmax(shared))
        if shared[best] > 0.0:
            held[best] += 1
    return sum(max(0, count - 1) for count in held) / len(wholes)

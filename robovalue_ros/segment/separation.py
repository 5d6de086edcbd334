"""How well an energy tells motion from stillness, whatever the threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from robovalue_ros.contracts.types import Array
from robovalue_ros.contracts.validate import describe, require


@dataclass(frozen=True, slots=True)
class Separation:
    """auc: chance that a moving window has more energy than a still one. cohen_d: distance of the
    means in pooled deviations. ks: largest gap between the distributions. median_gap, tail_gap:
    of the medians, and of the still ones' 90 % quantile below the moving ones' 10 %
    (negative: they overlap). pearson, spearman: correlation with the velocity.

    NaN where one side is empty or nothing varies.
    """

    auc: float
    cohen_d: float
    ks: float
    median_gap: float
    tail_gap: float
    pearson: float
    spearman: float


def separation(energy: Array, velocity: Array, moving: NDArray[np.bool_]) -> Separation:
    """Compare energies (T,) of moving and still windows."""
    values, speeds = np.asarray(energy, np.float64), np.asarray(velocity, np.float64)
    require(
        values.ndim == 1 and values.shape == speeds.shape == moving.shape,
        "energy, velocity, labels", "three series (T,) of one length",
        f"{describe(values)}, {describe(speeds)}, {describe(moving)}",
    )  # fmt: skip
    more, less = values[moving], values[~moving]
    varies = len(values) > 1 and np.ptp(values) > 0.0 and np.ptp(speeds) > 0.0
    pearson = float(np.corrcoef(values, speeds)[0, 1]) if varies else float("nan")
    spearman = float(stats.spearmanr(values, speeds).statistic) if varies else float("nan")
    if not len(more) or not len(less):
        nan = float("nan")
        return Separation(nan, nan, nan, nan, nan, pearson, spearman)
    return Separation(
        _auc(more, less),
        _cohen_d(more, less),
        float(stats.ks_2samp(more, less, method="asymp").statistic),
        float(np.median(more) - np.median(less)),
        float(np.quantile(more, 0.10) - np.quantile(less, 0.90)),
        pearson,
        spearman,
    )


def _auc(more: Array, less: Array) -> float:
    ranks = stats.rankdata(np.concatenate([more, less]))[: len(more)]
    return float((ranks.sum() - len(more) * (len(more) + 1) / 2.0) / (len(more) * len(less)))


def _cohen_d(more: Array, less: Array) -> float:
    freedom = len(more) + len(less) - 2
    if freedom < 1:
        return float("nan")
    squares = np.square(more - more.mean()).sum() + np.square(less - less.mean()).sum()
    spread = float(np.sqrt(squares / freedom))
    return float(more.mean() - less.mean()) / spread if spread > 0.0 else float("nan")

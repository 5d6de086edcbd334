"""Measures that look at order only: of frames in an episode, and of episodes among each other.

VOC (value-order correlation) is Spearman's correlation between value and time. It has no meaning
for a constant curve; people write 0, NaN, or leave the episode out, and their means differ. Here
the variant is always named. A clock scores 1, so VOC alone proves nothing about seeing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from robovalue_ros.contracts.validate import require
from robovalue_ros.value.metrics.arrays import Floats, finite_1d, ratio

Constant = Literal["zero", "nan", "drop"]


def voc(values_T: ArrayLike, constant: Literal["zero", "nan"] = "zero") -> float:
    """Return Spearman's correlation of value and time in -1..1; NaN below two frames.

    constant: what a curve of equal values scores.
    """
    require(constant in ("zero", "nan"), "constant", "zero or nan", repr(constant))
    values = finite_1d("values", values_T)
    if len(values) < 2:
        return float("nan")
    ranks = _average_ranks(values)
    ranks -= ranks.mean()
    scale = float(ranks @ ranks)
    if scale == 0:
        return 0.0 if constant == "zero" else float("nan")
    time = np.arange(len(values)) - (len(values) - 1) / 2
    return float(np.clip(ranks @ time / np.sqrt(scale * (time @ time)), -1, 1))


def reversed_voc(values_T: ArrayLike, constant: Literal["zero", "nan"] = "zero") -> float:
    """Return the VOC of a curve that was scored on a reversed video, with time running forwards.

    Near -1 for a method that looks at the frames, near 1 for one that counts them.
    """
    return voc(values_T, constant)


def mean_voc(curves: Sequence[ArrayLike], constant: Constant = "zero") -> float:
    """Return the mean VOC over curves; NaN for none.

    constant: a constant curve counts as 0 ("zero"), makes the mean NaN ("nan") or is left out
    ("drop"). Curves of a single frame have no order and are always left out.
    """
    require(constant in ("zero", "nan", "drop"), "constant", "zero, nan or drop", repr(constant))
    arrays = [finite_1d("curves", curve) for curve in curves]
    each = "zero" if constant == "zero" else "nan"
    scores = np.array([voc(array, each) for array in arrays if len(array) > 1])  # type: ignore[arg-type]
    if constant == "drop":
        scores = scores[~np.isnan(scores)]
    return float(scores.mean()) if len(scores) else float("nan")


def monotonicity(values_T: ArrayLike) -> float:
    """Return the share of steps that do not fall; NaN below two frames."""
    steps = np.diff(finite_1d("values", values_T))
    return float((steps >= 0).mean()) if len(steps) else float("nan")


def negative_rate(values_T: ArrayLike, tolerance: float = 0.0) -> float:
    """Return the share of steps that fall by more than `tolerance`; NaN below two frames."""
    require(tolerance >= 0, "tolerance", "a number >= 0", tolerance)
    steps = np.diff(finite_1d("values", values_T))
    return float((steps < -tolerance).mean()) if len(steps) else float("nan")


def frame_ranking_accuracy(values_T: ArrayLike, progress_T: ArrayLike) -> float:
    """Return the share of frame pairs of different true progress that the value orders rightly.

    Equal values count half; NaN when no two frames differ in true progress. Counted through
    Kendall's tau in T log T steps.
    """
    values = finite_1d("values", values_T)
    progress = finite_1d("progress", progress_T, len(values))
    total = _pairs(np.array([len(values)]))
    tied_progress = _tied_pairs(progress)
    apart = total - tied_progress
    if apart == 0:
        return float("nan")
    tied_values = _tied_pairs(values)
    if tied_values == total:
        return 0.5
    both = np.unique(np.stack([values, progress]), axis=1, return_counts=True)[1]
    from scipy.stats import kendalltau  # takes a second to load, and few ask

    right_less_wrong = kendalltau(values, progress).statistic * np.sqrt(
        float(apart) * float(total - tied_values)
    )
    level = tied_values - _pairs(both)
    right = (apart - level + right_less_wrong) / 2
    return float(np.clip((right + level / 2) / apart, 0, 1))


def _pairs(counts: ArrayLike) -> int:
    sizes = np.asarray(counts, np.int64)
    return int((sizes * (sizes - 1) // 2).sum())


def _tied_pairs(values: Floats) -> int:
    return _pairs(np.unique(values, return_counts=True)[1])


def roc_auc(scores_E: ArrayLike, success_E: ArrayLike) -> float:
    """Return how often a success scores above a failure, ties half; NaN without both."""
    scores = finite_1d("scores", scores_E)
    return float(roc_auc_draws(scores, success_E, np.ones((1, len(scores))))[0])


def roc_auc_draws(scores_E: ArrayLike, success_E: ArrayLike, counts_BE: Floats) -> Floats:
    """Return the AUC of every resample, (B,); success_E: bool per episode."""
    scores = finite_1d("scores", scores_E)
    success = np.asarray(success_E, bool)
    require(len(success) == len(scores), "success", f"{len(scores)} labels", len(success))
    if not len(scores):
        return np.full(len(counts_BE), np.nan)
    order = np.argsort(scores, kind="stable")
    first_of_level = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    good = np.add.reduceat((counts_BE * success)[:, order], first_of_level, axis=1)
    bad = np.add.reduceat((counts_BE * ~success)[:, order], first_of_level, axis=1)
    bad_below = np.cumsum(bad, axis=1) - bad
    won = (good * (bad_below + bad / 2)).sum(axis=1)
    return ratio(won, good.sum(axis=1) * bad.sum(axis=1))


def ranking_accuracy(scores_E: ArrayLike, quality_E: ArrayLike) -> float:
    """Return the share of episode pairs of different quality that the scores order rightly.

    Equal scores count half; NaN when all are equally good. With success as quality this is the
    AUC.
    """
    scores = finite_1d("scores", scores_E)
    return float(ranking_accuracy_draws(scores, quality_E, np.ones((1, len(scores))))[0])


def ranking_accuracy_draws(scores_E: ArrayLike, quality_E: ArrayLike, counts_BE: Floats) -> Floats:
    """Return the pairwise accuracy of every resample, (B,); quadratic in episodes."""
    scores = finite_1d("scores", scores_E)
    quality = finite_1d("quality", quality_E, len(scores))
    better = (quality[:, None] > quality[None, :]).astype(np.float64)
    credit = (np.sign(scores[:, None] - scores[None, :]) + 1) / 2 * better
    won = np.einsum("be,be->b", counts_BE @ credit, counts_BE)
    return ratio(won, np.einsum("be,be->b", counts_BE @ better, counts_BE))


def _average_ranks(values: Floats) -> Floats:
    """Return the rank of each value from 1; equal values share the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    ranks: Floats = (last - (count - 1) / 2)[place]
    return ranks

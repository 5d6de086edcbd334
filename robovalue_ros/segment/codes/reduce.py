"""Fewer dimensions before clustering: standardise, principal components, unit length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.segment.codes.features import unit_length
from robovalue_ros.segment.codes.sequences import Doubles

MOST, FEWEST, KEPT_VARIANCE = 32, 8, 0.99


@dataclass(frozen=True, slots=True, eq=False)
class Reduction:
    """points (N, d) of unit length; ratios: share of the variance of every component found."""

    points: Doubles
    ratios: Doubles


def reduced(
    rows_ND: NDArray[Any], most: int = MOST, fewest: int = FEWEST, kept: float = KEPT_VARIANCE
) -> Reduction:
    """Standardise and keep the components that hold `kept` of the variance, `fewest` at least."""
    from sklearn.decomposition import PCA

    rows = standardised(rows_ND)
    count = min(most, *rows.shape)
    model = PCA(count, svd_solver="full").fit(rows)
    ratios: Doubles = np.nan_to_num(model.explained_variance_ratio_)
    enough = int(np.searchsorted(np.cumsum(ratios), kept)) + 1
    return Reduction(unit_length(model.transform(rows)[:, : max(enough, fewest)]), ratios)


def standardised(rows_ND: NDArray[Any]) -> Doubles:
    """Subtract the mean and divide by the spread of each column; a constant column becomes zero."""
    rows = np.asarray(rows_ND, np.float64)
    centred = rows - rows.mean(axis=0)
    spread = centred.std(axis=0)
    # Rounding leaves a little spread in a constant column; dividing by it would make noise of it.
    tiny = 10 * np.finfo(np.float64).eps * np.abs(rows).max(axis=0, initial=0.0)
    result: Doubles = centred / np.where(spread > tiny, spread, np.inf)
    return result


def principal_plane(rows_ND: NDArray[Any]) -> tuple[Doubles, tuple[float, float]]:
    """Project rows on their first two principal components: (N, 2) and shares of the variance.

    The sign of a component is arbitrary; here its largest entry is positive.
    """
    rows = np.asarray(rows_ND, np.float64)
    centred = rows - rows.mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    plane, shares = np.zeros((len(rows), 2)), [0.0, 0.0]
    total = float((sizes**2).sum())
    for place in range(min(2, len(axes))):
        axis = axes[place]
        sign = 1.0 if axis[np.abs(axis).argmax()] >= 0 else -1.0
        plane[:, place] = centred @ (sign * axis)
        shares[place] = float(sizes[place] ** 2) / total if total > 0 else 0.0
    return plane, (shares[0], shares[1])

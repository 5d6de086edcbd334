"""Series that are alike at another pace: warping distances, and vectors that keep them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.validate import require
from robovalue_ros.segment.codes.features import piecewise_means
from robovalue_ros.segment.codes.sequences import Doubles, Floats

PIECES, DIMENSIONS = 64, 16


def strength_series(vectors_MD: Floats, pieces: int = PIECES) -> Doubles:
    """Return the lengths of token vectors as a series of at most `pieces` means."""
    return piecewise_means(np.linalg.norm(vectors_MD.astype(np.float64), axis=1), pieces)


def warping_distances(series: Sequence[NDArray[Any]]) -> Doubles:
    """Return the dynamic time warping distance of every pair, (N, N).

    It is the least sum of |a - b| over a path that goes on in one series or in both.
    """
    require(all(len(one) > 0 for one in series), "series", "no empty one", "an empty one")
    lengths = np.array([len(one) for one in series])
    padded = np.zeros((len(series), int(lengths.max(initial=0))))
    for row, one in zip(padded, series, strict=True):
        row[: len(one)] = one
    found = np.zeros((len(series), len(series)))
    for number in range(1, len(series)):
        others = padded[:number]
        # One series against all before it at once; what stands behind a shorter one's end is
        # worked out too, but its own end is what is read.
        last = _last_row(series[number], others)
        found[number, :number] = last[np.arange(number), lengths[:number] - 1]
    symmetric: Doubles = found + found.T
    return symmetric


def _last_row(one_T: NDArray[Any], others_NU: Doubles) -> Doubles:
    """Return the sums (N, U) of the best paths from both beginnings to the end of `one_T`."""
    sums = np.cumsum(np.abs(others_NU - one_T[0]), axis=1)
    for value in one_T[1:]:
        costs = np.abs(others_NU - value)
        after = np.empty_like(sums)
        after[:, 0] = sums[:, 0] + costs[:, 0]
        stepped = np.minimum(sums[:, 1:], sums[:, :-1])
        for at in range(1, sums.shape[1]):
            after[:, at] = costs[:, at] + np.minimum(stepped[:, at - 1], after[:, at - 1])
        sums = after
    return sums


def placed(distances_NN: Doubles, dimensions: int = DIMENSIONS) -> Doubles:
    """Return points (N, d) whose distances are as near to the given ones as d numbers allow.

    Classical scaling: axes by falling spread, those without any left out, one at least. The sign
    of an axis is arbitrary; here its largest entry is positive.
    """
    squared = distances_NN**2
    centred = squared - squared.mean(axis=0) - squared.mean(axis=1)[:, None] + squared.mean()
    values, axes = np.linalg.eigh(-0.5 * centred)
    order = np.argsort(-values, kind="stable")[:dimensions]
    kept = order[values[order] > 1e-9 * max(float(values.max()), 1e-300)]
    kept = kept if len(kept) else order[:1]
    points = axes[:, kept] * np.sqrt(np.maximum(values[kept], 0.0))
    largest = np.abs(points).argmax(axis=0)
    signs = np.where(points[largest, np.arange(points.shape[1])] < 0, -1.0, 1.0)
    result: Doubles = points * signs
    return result

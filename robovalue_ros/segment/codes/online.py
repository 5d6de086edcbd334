"""Which known cluster a new vector belongs to, and whether it belongs to any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.validate import require
from robovalue_ros.segment.codes.clustering import NOISE, means, nearest_centre
from robovalue_ros.segment.codes.sequences import Doubles, Ints

PROBABILITY_FLOOR = 0.2
TINY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Assigned:
    """labels (M,), -1 for noise; probabilities (M,) from 0 to 1; anomaly (M,)."""

    labels: Ints
    probabilities: Doubles
    anomaly: NDArray[np.bool_]


def assign_by_centre(
    known_ND: NDArray[Any],
    labels_N: Ints,
    new_MD: NDArray[Any],
    prob_thr: float = PROBABILITY_FLOOR,
) -> Assigned:
    """Assign vectors to the nearest of the clusters' means.

    The probability is the share of the cluster's own members that lie at least as far from its
    mean: what is further out than every member has probability zero.
    """
    known, new = np.asarray(known_ND, np.float64), np.asarray(new_MD, np.float64)
    _check(known, new)
    centres = means(known, labels_N)
    if not len(centres):
        return _nothing(len(new))
    labels = nearest_centre(new, centres)
    probabilities = np.zeros(len(new))
    for label in np.unique(labels).tolist():
        inside = np.sort(np.linalg.norm(known[labels_N == label] - centres[label], axis=1))
        away = np.linalg.norm(new[labels == label] - centres[label], axis=1)
        # A member that comes again must not be an anomaly for the last digit's sake.
        further = len(inside) - np.searchsorted(inside * (1 + 1e-9) + TINY, away)
        probabilities[labels == label] = further / len(inside)
    return Assigned(labels, probabilities, probabilities < prob_thr)


def assign_by_density(
    known_ND: NDArray[Any],
    labels_N: Ints,
    new_MD: NDArray[Any],
    min_samples: int = 3,
    prob_thr: float = PROBABILITY_FLOOR,
) -> Assigned:
    """Assign vectors to the cluster of the point that they reach first.

    The reach of two points is their distance, or the distance to the `min_samples`-th neighbour
    of either when that is larger. The probability is the reach that is
    usual in the cluster by this reach, one at most. A vector that reaches noise first is noise.
    """
    from sklearn.neighbors import NearestNeighbors

    known, new = np.asarray(known_ND, np.float64), np.asarray(new_MD, np.float64)
    _check(known, new)
    if not (labels_N != NOISE).any():
        return _nothing(len(new))
    rank = min(min_samples, len(known))
    tree = NearestNeighbors(n_neighbors=len(known)).fit(known)
    core = tree.kneighbors(known, rank)[0][:, -1]
    away, which = tree.kneighbors(new, min(len(known), 4 * rank))
    own = away[:, rank - 1]
    reach = np.maximum(np.maximum(away, core[which]), own[:, None])
    nearest = reach.argmin(axis=1)
    place = np.arange(len(new))
    labels = labels_N[which[place, nearest]].astype(np.int64)
    usual = [np.median(core[labels_N == label]) for label in range(int(labels_N.max()) + 1)]
    shares = (np.array(usual)[labels] + TINY) / (reach[place, nearest] + TINY)
    probabilities = np.where(labels == NOISE, 0.0, np.minimum(1.0, shares))
    return Assigned(labels, probabilities, (labels == NOISE) | (probabilities < prob_thr))


def _check(known: Doubles, new: Doubles) -> None:
    require(
        known.ndim == new.ndim == 2 and known.shape[1] == new.shape[1], "vectors",
        f"rows of {known.shape[-1]} numbers", f"shape {new.shape}",
    )  # fmt: skip


def _nothing(count: int) -> Assigned:
    return Assigned(np.full(count, NOISE, np.int64), np.zeros(count), np.ones(count, np.bool_))

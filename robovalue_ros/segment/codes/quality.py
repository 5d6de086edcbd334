"""How good clusters are by themselves: separation, tightness, and whether seeds agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.segment.codes.clustering import NOISE, means
from robovalue_ros.segment.codes.features import unit_length
from robovalue_ros.segment.codes.sequences import Doubles, Ints, Metric

# The silhouette compares all pairs; beyond so many points a draw of them tells it well.
MOST_COMPARED = 10_000
EPS = 1e-8


@dataclass(frozen=True, slots=True)
class Scores:
    """Silhouette (-1 to 1, more is better), Calinski-Harabasz (more), Davies-Bouldin (less).

    None where it has no meaning: fewer than two clusters, or one point per cluster.
    """

    silhouette: float | None = None
    calinski_harabasz: float | None = None
    davies_bouldin: float | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean distance within clusters, between centroids, and the first by the second."""

    intra: float
    inter: float
    ratio: float


def separation(
    rows_ND: NDArray[Any], labels_N: Ints, metric: Metric = "euclidean", seed: int = 0
) -> Scores:
    """Score clusters of the points that are no noise. seed: of the draw of very many points."""
    from sklearn.metrics import (
        calinski_harabasz_score,
        davies_bouldin_score,
        silhouette_score,
    )

    rows, labels = np.asarray(rows_ND, np.float64)[labels_N != NOISE], labels_N[labels_N != NOISE]
    if not 2 <= len(np.unique(labels)) < len(labels):
        return Scores()
    drawn = MOST_COMPARED if len(labels) > MOST_COMPARED else None
    return Scores(
        float(silhouette_score(rows, labels, metric=metric, sample_size=drawn, random_state=seed)),
        float(calinski_harabasz_score(rows, labels)),
        float(davies_bouldin_score(rows, labels)),
    )


def spread(rows_ND: NDArray[Any], labels_N: Ints, metric: Metric = "euclidean") -> Spread:
    """Compare distances within clusters with those between their centroids.

    A cluster of one point has no distance within. With cosine, centroids have unit length.
    """
    from sklearn.metrics import pairwise_distances

    rows = np.asarray(rows_ND, np.float64)
    within = []
    for label in np.unique(labels_N[labels_N != NOISE]):
        points = rows[labels_N == label]
        pairs = pairwise_distances(points, metric=metric)[np.triu_indices(len(points), 1)]
        if len(pairs):
            within.append(float(pairs.mean()))
    _, dense = np.unique(labels_N[labels_N != NOISE], return_inverse=True)
    centroids = means(rows[labels_N != NOISE], dense.astype(np.int64))
    if metric == "cosine":
        centroids = unit_length(centroids)
    between = pairwise_distances(centroids, metric=metric)[np.triu_indices(len(centroids), 1)]
    intra = float(np.mean(within)) if within else 0.0
    inter = float(between.mean()) if len(between) else 0.0
    return Spread(intra, inter, intra / (inter + EPS))


def seed_agreement(runs: Sequence[Ints]) -> tuple[float, ...]:
    """Return the adjusted Rand index of every pair of runs; 1 where seeds do not matter."""
    from sklearn.metrics import adjusted_rand_score

    return tuple(float(adjusted_rand_score(a, b)) for a, b in combinations(runs, 2))


def typical_order(
    rows_ND: NDArray[Any], labels_N: Ints, metric: Metric = "euclidean"
) -> dict[int, Ints]:
    """Return the rows of every cluster, those nearest to its centroid first.

    Equally near rows stay in order.
    """
    rows = np.asarray(rows_ND, np.float64)
    rows = unit_length(rows) if metric == "cosine" else rows
    order = {}
    for label in np.unique(labels_N[labels_N != NOISE]).tolist():
        members = np.flatnonzero(labels_N == label)
        away = _squared_from_mean(rows[members])
        order[int(label)] = members[np.argsort(away, kind="stable")]
    return order


def _squared_from_mean(rows_ND: Doubles) -> Doubles:
    squared: Doubles = ((rows_ND - rows_ND.mean(axis=0)) ** 2).sum(axis=1)
    # Rounding must not decide between rows that are equally near.
    return np.round(squared, 12)

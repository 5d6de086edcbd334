"""Density clusters of reference embeddings, and how far apart these lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class NeighbourStats:
    """Distances to the nearest other point (nn) and to the k-th nearest one (knn)."""

    nn_min: float
    nn_med: float
    nn_p90: float
    knn_k: int
    knn_min: float
    knn_med: float
    knn_p90: float


def squared_distances(z_ND: Floats, *, compat: bool = False) -> Floats:
    """Return all (N, N) squared distances, zero on the diagonal.

    compat computes in float32, with the rounding between close points that stored reports show.
    """
    z: NDArray[Any] = np.asarray(z_ND, np.float32 if compat else np.float64)
    norms = (z * z).sum(axis=1)
    squared = norms[:, None] + norms - 2.0 * (z @ z.T)
    np.fill_diagonal(squared, 0.0)
    result: Floats = np.maximum(squared, 0.0).astype(np.float32)
    return result


def dbscan_labels(squared_NN: Floats, eps: float, min_samples: int) -> Labels:
    """Cluster points from their squared distances: (N,) cluster ids from 0, -1 for noise.

    Neighbours lie within eps, itself included. Clusters are numbered by their first core point
    and a border point of two clusters belongs to the lower number.
    """
    # It takes longer to load than most runs that find everything done.
    from sklearn.cluster import DBSCAN

    model = DBSCAN(eps=float(eps) ** 2, min_samples=min_samples, metric="precomputed")
    labels: Labels = model.fit(squared_NN).labels_.astype(np.int64)
    return labels


def kth_distances(squared_NN: Floats, rank: int) -> Floats:
    """Return each point's distance to its `rank`-th nearest other point, (N,), for N >= 2.

    A rank beyond the number of other points means the farthest.
    """
    others = squared_NN.copy()
    np.fill_diagonal(others, np.inf)
    place = min(rank, len(others) - 1) - 1
    return np.sqrt(np.partition(others, place, axis=1)[:, place])


def neighbour_stats(squared_NN: Floats, min_samples: int) -> NeighbourStats:
    """Summarise how far the neighbours of each point are, to choose eps by; for N >= 2."""
    rank = max(1, min_samples - 1)
    near, ranked = kth_distances(squared_NN, 1), kth_distances(squared_NN, rank)
    nn = np.percentile(near, (0, 50, 90))
    knn = np.percentile(ranked, (0, 50, 90))
    return NeighbourStats(
        float(nn[0]), float(nn[1]), float(nn[2]),
        rank, float(knn[0]), float(knn[1]), float(knn[2]),
    )  # fmt: skip


def suggest_eps(squared_NN: Floats, min_samples: int) -> float:
    """Suggest an eps under which only outliers are noise, for N >= 2.

    A point is a core point when its (min_samples - 1)-th neighbour lies within eps, so eps is the
    largest such distance that is no outlier (median plus three robust standard deviations).
    """
    ranked = kth_distances(squared_NN, max(1, min_samples - 1)).astype(np.float64)
    middle = float(np.median(ranked))
    spread = 1.4826 * float(np.median(np.abs(ranked - middle)))
    kept = ranked[ranked <= middle + 3.0 * spread + 1e-9]
    return max(1e-9, float(kept.max()) * (1.0 + 1e-5))

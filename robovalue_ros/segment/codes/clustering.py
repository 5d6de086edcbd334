"""Four ways to cluster vectors, each from a seed: the same seed gives the same clusters."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.validate import require
from robovalue_ros.segment.codes.sequences import Doubles, Ints

NOISE = -1
# Keeps the covariance of a cluster of few points away from zero.
COVARIANCE_FLOOR = 1e-6
# Prefers few components with many points to many with few.
FEW = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """labels (N,), -1 for noise; probabilities (N,): how sure each is; centres (C, D) by label.

    inertia: sum of squared distances to the centres, of KMeans only. criterion: BIC of a mixture.
    """

    labels: Ints
    probabilities: Doubles
    centres: Doubles
    inertia: float | None = None
    criterion: float | None = None

    @property
    def count(self) -> int:
        """Number of clusters, noise not counted."""
        return len(self.centres)


def kmeans(rows_ND: NDArray[Any], k: int, seed: int, n_init: int = 20) -> Clusters:
    """Cluster around k centres; every point belongs to one for certain.

    Of equal rows there may be fewer clusters than asked for.
    """
    from sklearn.cluster import KMeans

    rows = _enough(rows_ND, k)
    with _quiet():
        model = KMeans(k, n_init=n_init, random_state=seed).fit(rows)
    used, labels = np.unique(model.labels_, return_inverse=True)
    return Clusters(
        labels.astype(np.int64), np.ones(len(rows)),
        model.cluster_centers_.astype(np.float64)[used], float(model.inertia_),
    )  # fmt: skip


def gaussian_mixture(
    rows_ND: NDArray[Any],
    k: int,
    seed: int,
    *,
    bayesian: bool = False,
    fit_rows: Ints | None = None,
) -> Clusters:
    """Cluster as k Gaussians with full covariances; probabilities are posteriors.

    bayesian: k is the most there may be, and those without a point vanish. fit_rows: the mixture
    is fitted on these rows and told for all.
    """
    from sklearn.mixture import BayesianGaussianMixture, GaussianMixture

    rows = _enough(rows_ND, k)
    style = {"covariance_type": "full", "random_state": seed, "reg_covar": COVARIANCE_FLOOR}
    if bayesian:
        model = BayesianGaussianMixture(n_components=k, weight_concentration_prior=FEW, **style)
    else:
        model = GaussianMixture(n_components=k, **style)
    with _quiet():
        model.fit(rows if fit_rows is None else rows[fit_rows])
    posterior = model.predict_proba(rows)
    raw = posterior.argmax(axis=1)
    used = np.unique(raw)
    criterion = None if bayesian else float(model.bic(rows))
    return Clusters(
        np.searchsorted(used, raw).astype(np.int64), posterior.max(axis=1),
        np.asarray(model.means_, np.float64)[used], criterion=criterion,
    )  # fmt: skip


def density(rows_ND: NDArray[Any], min_cluster_size: int, min_samples: int = 3) -> Clusters:
    """Cluster by density (HDBSCAN); points in thin places are noise."""
    from sklearn.cluster import HDBSCAN

    rows = np.asarray(rows_ND, np.float64)
    size = max(2, min(min_cluster_size, len(rows)))
    model = HDBSCAN(size, min_samples=min(min_samples, len(rows)), copy=True).fit(rows)
    labels = model.labels_.astype(np.int64)
    return Clusters(labels, np.asarray(model.probabilities_, np.float64), means(rows, labels))


def nearest_centre(rows_ND: NDArray[Any], centres_CD: Doubles) -> Ints:
    """Return the number of the nearest centre of each row, (N,)."""
    rows = np.asarray(rows_ND, np.float64)
    squared = (rows**2).sum(axis=1)[:, None] - 2 * rows @ centres_CD.T + (centres_CD**2).sum(axis=1)
    nearest: Ints = squared.argmin(axis=1).astype(np.int64)
    return nearest


def means(rows_ND: NDArray[Any], labels_N: Ints) -> Doubles:
    """Return the mean of each cluster, (C, D), by label; noise has none."""
    rows = np.asarray(rows_ND, np.float64)
    count = int(labels_N.max(initial=NOISE)) + 1
    found = [rows[labels_N == label].mean(axis=0) for label in range(count)]
    return np.stack(found) if found else np.zeros((0, rows.shape[1]))


def balanced_rows(classes: Sequence[str], draw: np.random.RandomState) -> Ints:
    """Draw as many rows of every class as the smallest has, without replacement, class by class.

    Classes come in sorted order, so that the same draw gives the rows people know.
    """
    names = np.asarray(classes)
    kinds = np.unique(names)
    smallest = min(int((names == kind).sum()) for kind in kinds)
    chosen = [draw.choice(np.flatnonzero(names == kind), smallest, replace=False) for kind in kinds]
    return np.concatenate(chosen).astype(np.int64)


def _enough(rows_ND: NDArray[Any], k: int) -> Doubles:
    rows = np.asarray(rows_ND, np.float64)
    require(1 <= k <= len(rows), "clusters", f"1 to {len(rows)}, the number of sequences", k)
    return rows


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep quiet about fits of few or equal rows: their scores tell how good they are."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield

"""Which number of clusters: a grid over sizes and seeds, judged by one score."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.segment.codes.clustering import (
    NOISE,
    Clusters,
    density,
    gaussian_mixture,
    kmeans,
)
from robovalue_ros.segment.codes.quality import Scores, Spread, seed_agreement, separation, spread
from robovalue_ros.segment.codes.sequences import Metric

SelectBy = Literal["silhouette", "calinski_harabasz", "davies_bouldin", "inertia"]
Cell = Callable[[], None]
LESS_IS_BETTER = ("davies_bouldin", "inertia")


def said_nothing() -> None:
    """Pass over a finished cell of a grid."""


@dataclass(frozen=True, slots=True)
class Spreading:
    """Mean and standard deviation over seeds; None where no seed has a value."""

    mean: float | None
    std: float | None


@dataclass(frozen=True, slots=True, eq=False)
class GridCell:
    """One number of clusters: what each score is over the seeds, and how well seeds agree.

    clusters: those of the seed that is best by the score that selects. spread: of these.
    """

    k: int
    scores: dict[str, Spreading]
    agreement: tuple[float, ...]
    clusters: Clusters
    spread: Spread
    told: Scores


@dataclass(frozen=True, slots=True, eq=False)
class DensityCell:
    """One smallest size of a dense cluster, and how well those found are apart."""

    min_cluster_size: int
    clusters: Clusters
    noise_ratio: float
    told: Scores


def kmeans_grid(
    rows_ND: NDArray[Any],
    sizes: Sequence[int],
    *,
    repeats: int = 3,
    seed: int = 0,
    n_init: int = 20,
    metric: Metric = "cosine",
    select_by: SelectBy = "silhouette",
    done: Cell = said_nothing,
) -> tuple[GridCell, ...]:
    """Fit KMeans for every size that has fewer clusters than rows, `repeats` seeds each."""

    def fit(k: int, at: int) -> Clusters:
        return kmeans(rows_ND, k, at, n_init)

    return _grid(rows_ND, sizes, fit, repeats, seed, metric, select_by, done)


def mixture_grid(
    rows_ND: NDArray[Any],
    sizes: Sequence[int],
    *,
    fit_on: NDArray[Any] | None = None,
    bayesian: bool = False,
    repeats: int = 3,
    seed: int = 0,
    metric: Metric = "cosine",
    select_by: SelectBy = "silhouette",
    done: Cell = said_nothing,
) -> tuple[GridCell, ...]:
    """Fit Gaussian mixtures for every size that has fewer clusters than rows.

    fit_on: the same rows in fewer dimensions; scores are of the rows themselves, as KMeans has them.
    """
    by: SelectBy = "silhouette" if select_by == "inertia" else select_by  # mixtures have none
    points = rows_ND if fit_on is None else fit_on

    def fit(k: int, at: int) -> Clusters:
        return gaussian_mixture(points, k, at, bayesian=bayesian)

    return _grid(rows_ND, sizes, fit, repeats, seed, metric, by, done)


def _grid(
    rows: NDArray[Any],
    sizes: Sequence[int],
    fit: Callable[[int, int], Clusters],
    repeats: int,
    seed: int,
    metric: Metric,
    by: SelectBy,
    done: Cell,
) -> tuple[GridCell, ...]:
    cells = []
    for k in sizes:
        if not 2 <= k < len(rows):
            continue
        runs = [fit(k, seed + repeat) for repeat in range(max(1, repeats))]
        told = [separation(rows, run.labels, metric, seed) for run in runs]
        numbers = [_numbers(run, scores) for run, scores in zip(runs, told, strict=True)]
        best = max(range(len(runs)), key=lambda at: _merit(numbers[at][by], by))
        over_seeds = {name: _over_seeds([n[name] for n in numbers]) for name in numbers[0]}
        pairs = seed_agreement([run.labels for run in runs])
        chosen = runs[best]
        apart = spread(rows, chosen.labels, metric)
        cells.append(GridCell(k, over_seeds, pairs, chosen, apart, told[best]))
        done()
    return tuple(cells)


def best_size(cells: Sequence[GridCell], select_by: SelectBy) -> GridCell | None:
    """Return the cell with the best mean score; the smallest size among equals."""
    scored = [cell for cell in cells if cell.scores[select_by].mean is not None]
    if not scored:
        return cells[0] if cells else None
    return max(scored, key=lambda cell: _merit(cell.scores[select_by].mean, select_by))


def density_grid(
    rows_ND: NDArray[Any],
    sizes: Sequence[int],
    *,
    min_samples: int = 3,
    metric: Metric = "euclidean",
    seed: int = 0,
    done: Cell = said_nothing,
) -> tuple[DensityCell, ...]:
    """Find dense clusters for every smallest size that there are rows for."""
    cells = []
    for size in sizes:
        if size <= len(rows_ND):
            found = density(rows_ND, size, min_samples)
            noise = float((found.labels == NOISE).mean())
            told = separation(rows_ND, found.labels, metric, seed)
            cells.append(DensityCell(size, found, noise, told))
        done()
    return tuple(cells)


def best_density(cells: Sequence[DensityCell]) -> DensityCell | None:
    """Return the cell whose clusters are furthest apart; the first among equals."""
    if not cells:
        return None
    return max(cells, key=lambda cell: _merit(cell.told.silhouette, "silhouette"))


def _numbers(run: Clusters, scores: Scores) -> dict[str, float | None]:
    found = {
        "silhouette": scores.silhouette,
        "calinski_harabasz": scores.calinski_harabasz,
        "davies_bouldin": scores.davies_bouldin,
        "inertia": run.inertia,
    }
    return found if run.criterion is None else found | {"bic": run.criterion}


def _merit(value: float | None, by: str) -> float:
    if value is None:
        return -math.inf
    return -value if by in LESS_IS_BETTER else value


def _over_seeds(values: Sequence[float | None]) -> Spreading:
    known = [value for value in values if value is not None]
    if not known:
        return Spreading(None, None)
    return Spreading(float(np.mean(known)), float(np.std(known)))

"""Vectors laid out in a plane: principal components always, UMAP where it is installed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import MissingExtra
from robovalue_ros.contracts.progress import Progress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.pipelines.codes.config import Metric, PlaneOptions
from robovalue_ros.segment.codes.reduce import principal_plane
from robovalue_ros.segment.codes.sequences import Doubles, Ints

# With fewer points there are no neighbourhoods to keep.
FEWEST_FOR_UMAP = 6


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """points (N, 2). kind: pca or umap, as in the names of files. axes: what they are."""

    kind: str
    points: Doubles
    axes: tuple[str, str]


def planes(
    rows_ND: NDArray[Any], options: PlaneOptions, metric: Metric, seed: int, progress: Progress
) -> tuple[tuple[Plane, ...], tuple[Finding, ...]]:
    """Return the planes that can be drawn, and why one cannot."""
    points, shares = principal_plane(rows_ND)
    axes = tuple(f"{name} component ({share:.0%} of the variance)" for name, share in
                 zip(("first", "second"), shares, strict=True))  # fmt: skip
    found = [Plane("pca", points, (axes[0], axes[1]))]
    if not options.umap:
        return tuple(found), ()
    if len(rows_ND) < FEWEST_FOR_UMAP:
        text = f"{len(rows_ND)} sequences are too few for it; PCA is drawn"
        return tuple(found), (Finding("note", "UMAP", text),)
    try:
        with progress.stage("UMAP (the first import takes a while)"):
            found.append(Plane("umap", umap_plane(rows_ND, options, metric, seed), ("", "")))
    except MissingExtra as problem:
        return tuple(found), (
            Finding("note", "UMAP", f"{problem.found}; PCA is drawn", problem.hint),
        )
    return tuple(found), ()


def umap_plane(rows_ND: NDArray[Any], options: PlaneOptions, metric: Metric, seed: int) -> Doubles:
    """Return points (N, 2); the same seed gives the same points. Raises MissingExtra."""
    try:
        umap = import_module("umap")
    except ModuleNotFoundError as problem:
        raise MissingExtra("umap-learn", "codes", "a UMAP picture") from problem
    with warnings.catch_warnings():
        # About its own threads and about few points; neither changes what is drawn here.
        warnings.simplefilter("ignore")
        model = umap.UMAP(
            n_neighbors=min(options.umap_n_neighbors, len(rows_ND) - 1),
            min_dist=options.umap_min_dist, metric=metric, random_state=seed, n_jobs=1,
            init="pca" if min(np.shape(rows_ND)) > 2 else "random",
        )  # fmt: skip
        placed = model.fit_transform(np.asarray(rows_ND, np.float32))
    points: Doubles = np.nan_to_num(np.asarray(placed, np.float64))
    return points


def named_groups(labels: Ints, names: Sequence[str] | None = None) -> tuple[str | None, ...]:
    """Return the name of each row's cluster; None for noise."""
    return tuple(
        None if label < 0 else (str(int(label)) if names is None else names[int(label)])
        for label in labels
    )

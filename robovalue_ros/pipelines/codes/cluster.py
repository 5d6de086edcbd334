"""Clusters of code sequences without labels: how many, how good, and what they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.atomic import write_bytes, write_json, write_text
from robovalue_ros.data.code_files import read_code_folder
from robovalue_ros.data.code_vectors import read_code_vectors, write_array
from robovalue_ros.pipelines.codes.config import Algorithm, CodesClusterConfig, SelectBy
from robovalue_ros.pipelines.codes.describe import NEED_VECTORS, described
from robovalue_ros.pipelines.codes.folders import whole_folder
from robovalue_ros.pipelines.codes.gallery import Shown, write_gallery
from robovalue_ros.pipelines.codes.known import KnownClusters, write_known
from robovalue_ros.pipelines.codes.planes import Plane, named_groups, planes
from robovalue_ros.report.clouds import Panel, draw_panels
from robovalue_ros.segment.codes.clustering import NOISE, Clusters
from robovalue_ros.segment.codes.reduce import reduced
from robovalue_ros.segment.codes.search import (
    DensityCell,
    GridCell,
    best_density,
    best_size,
    density_grid,
    kmeans_grid,
    mixture_grid,
)
from robovalue_ros.segment.codes.sequences import Doubles, Ints

DEFAULT_PROGRESS = SilentProgress()
CSV_COLUMNS = (
    "method", "k", "n_samples", "feature_dim", "silhouette", "davies_bouldin",
    "calinski_harabasz", "intra_dist", "inter_centroid_dist", "intra_over_inter",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What is clustered: rows (N, D) of files `names` below `root` (None: not known)."""

    feature: str
    rows: Doubles
    names: tuple[str, ...]
    root: Path | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The chosen clusters of one algorithm; told: numbers for people and files."""

    clusters: Clusters
    told: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ClusterResult:
    """out: the folder. found: by algorithm. page: the gallery, when there is one."""

    out: Path
    count: int
    feature: str
    found: Mapping[str, Found]
    page: Path | None
    findings: tuple[Finding, ...]


def cluster_codes(
    config: CodesClusterConfig, *, progress: Progress = DEFAULT_PROGRESS
) -> ClusterResult:
    """Cluster, choose, draw and write; raises ConfigError or DataError."""
    if config.k_min > config.k_max:
        raise ConfigError(f"k_min is {config.k_min}, k_max {config.k_max}", "k_min <= k_max")
    material = _material(config, progress)
    findings = list(material.findings)
    if len(material.rows) < 3:
        raise DataError(
            material.root or "",
            f"holds {len(material.rows)} sequences",
            "at least three to cluster",
        )
    prefix = f"{material.feature}_unsup"
    with whole_folder(config.out_dir, f"_{prefix}") as (hidden, final), threadpool_limits(1):
        search = _Search(config, material)
        found = search.run(progress)
        for name, each in found.items():
            write_array(hidden / f"{name}_labels.npy", each.clusters.labels)
        write_text(hidden / "metrics.csv", _csv(search.grids, material))
        drawn, noticed = planes(
            material.rows, config.umap, config.lstm_metric, config.seed, progress
        )
        findings += noticed
        for plane in drawn if found else ():
            picture = _picture(plane, found, material)
            write_bytes(hidden / f"{plane.kind}_{prefix}.png", picture)
        write_json(
            hidden / "aggregate_results.json", {prefix: _aggregate(config, material, found, drawn)}
        )
        labels = {name: each.clusters.labels for name, each in found.items()}
        vectors = material.rows.astype(np.float32)
        known = KnownClusters(vectors, labels, config.min_samples, material.feature, hidden)
        write_known(hidden, known)
        page = None
        chosen = found.get(config.gallery.gallery)
        if chosen is not None and chosen.clusters.count:
            shown = Shown(
                material.names, material.rows, material.root, chosen.clusters,
                config.gallery.gallery, material.feature, chosen.told["best"], drawn,
            )  # fmt: skip
            page = write_gallery(
                hidden, shown, config.gallery, config.lstm_metric, findings, progress
            )
    return ClusterResult(
        final, len(material.rows), material.feature, found,
        None if page is None else final / page.name, tuple(dict.fromkeys(findings)),
    )  # fmt: skip


def _material(config: CodesClusterConfig, progress: Progress) -> Material:
    if config.embed_dir is not None:
        found = read_code_vectors(config.embed_dir)
        root = config.json_root or found.root
        return Material("lstm", found.vectors.astype(np.float64), found.names, root, ())
    if config.json_root is None:
        raise ConfigError(
            "codes cluster needs something to cluster",
            "--embed-dir with vectors of `codes embed`, or --json-root with JSON files",
        )
    folder = read_code_folder(
        config.json_root, labelled=False, vectors=config.feature in NEED_VECTORS, progress=progress
    )
    told = described(folder.sequences, config.feature, config.bow_transform, folder.root)
    names = tuple(sequence.name for sequence in told.sequences)
    return Material(
        config.feature, told.rows, names, folder.root, (*folder.findings, *told.findings)
    )


class _Search:
    """Runs the grids of the algorithms that were asked for; keeps them for the table."""

    def __init__(self, config: CodesClusterConfig, material: Material) -> None:
        self._config, self._rows = config, material.rows
        self.grids: dict[str, Sequence[GridCell]] = {}

    def run(self, progress: Progress) -> dict[str, Found]:
        config = self._config
        found: dict[str, Found] = {}
        sizes = range(config.k_min, min(config.k_max, len(self._rows) - 1) + 1)
        for algorithm in dict.fromkeys(config.algorithms):
            total = {"hdbscan": len(config.min_cluster_sizes), "bayesian_gmm": 1}
            with progress.stage(algorithm, total.get(algorithm, len(sizes))) as tick:
                each = self._one(algorithm, sizes, lambda tick=tick: tick(1))
            if each is not None:
                found[algorithm] = each
        return found

    def _one(self, algorithm: Algorithm, sizes: range, done: Any) -> Found | None:
        config = self._config
        if algorithm == "hdbscan":
            return self._dense(done)
        by: SelectBy = config.kmeans_select_by
        if algorithm == "kmeans":
            cells = kmeans_grid(
                self._rows, sizes, repeats=config.repeats, seed=config.seed,
                n_init=config.n_init, metric=config.lstm_metric, select_by=by, done=done,
            )  # fmt: skip
        else:
            bayesian = algorithm == "bayesian_gmm"
            by = "silhouette" if by == "inertia" else by
            # Full covariances of many dimensions need more sequences than there are.
            cells = mixture_grid(
                self._rows, [max(sizes)] if bayesian and sizes else sizes,
                fit_on=reduced(self._rows).points, bayesian=bayesian, repeats=config.repeats, seed=config.seed,
                metric=config.lstm_metric, select_by=by, done=done,
            )  # fmt: skip
        best = best_size(cells, by)
        if best is None:
            return None
        self.grids[algorithm] = cells
        grid = {str(cell.k): _grid_cell(cell) for cell in cells}
        candidates = [{"k": cell.k, by: cell.scores[by].mean} for cell in cells]
        told = {"grid": grid, "best": {"k": best.k, "select_by": by, "clusters": best.clusters.count,
                                       **_grid_cell(best)}, "candidates": candidates}  # fmt: skip
        return Found(best.clusters, told)

    def _dense(self, done: Any) -> Found | None:
        config = self._config
        sizes = tuple(size for size in config.min_cluster_sizes if size <= len(self._rows))
        # Too few sequences for the sizes asked for: a fifth of them is still a cluster.
        sizes = sizes or (max(2, len(self._rows) // 5),)
        cells = density_grid(
            self._rows, sizes, min_samples=config.min_samples, seed=config.seed, done=done
        )
        best = best_density(cells)
        if best is None:
            return None
        grid = {str(cell.min_cluster_size): _dense_cell(cell) for cell in cells}
        return Found(best.clusters, {"grid": grid, "best": {
            "min_cluster_size": best.min_cluster_size, "min_samples": config.min_samples,
            **_dense_cell(best)}})  # fmt: skip


def _grid_cell(cell: GridCell) -> dict[str, Any]:
    scores = {name: asdict(value) for name, value in cell.scores.items()}
    mean = float(np.mean(cell.agreement)) if cell.agreement else None
    return {**scores, "pairwise_ari": {"mean": mean, "values": list(cell.agreement)}}


def _dense_cell(cell: DensityCell) -> dict[str, Any]:
    return {"clusters": cell.clusters.count, "noise_ratio": cell.noise_ratio, **asdict(cell.told)}


def _aggregate(
    config: CodesClusterConfig,
    material: Material,
    found: Mapping[str, Found],
    drawn: Sequence[Plane],
) -> dict[str, Any]:
    """Return what `aggregate_results.json` says."""
    count, width = material.rows.shape
    return {
        "info": {
            "n_samples": count,
            "feature_dim": width,
            "feature": material.feature,
            "metric": config.lstm_metric,
            "seed": config.seed,
            "json_root": None if material.root is None else str(material.root.resolve()),
            "embed_dir": None if config.embed_dir is None else str(config.embed_dir.resolve()),
        },
        **{name: each.told for name, each in found.items()},
        "umap": {
            "drawn": any(plane.kind == "umap" for plane in drawn),
            "n_neighbors": config.umap.umap_n_neighbors,
            "min_dist": config.umap.umap_min_dist,
        },
    }


def _csv(grids: Mapping[str, Sequence[GridCell]], material: Material) -> str:
    """Return one line for each algorithm and number of clusters."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for algorithm, cells in grids.items():
        for cell in cells:
            told, apart = cell.told, cell.spread
            method = f"{material.feature}_{algorithm}"
            scores = (told.silhouette, told.davies_bouldin, told.calinski_harabasz)
            distances = (apart.intra, apart.inter, apart.ratio)
            writer.writerow((method, cell.k, *material.rows.shape, *scores, *distances))
    return stream.getvalue()


def _picture(plane: Plane, found: Mapping[str, Found], material: Material) -> bytes:
    panels = []
    for name, each in found.items():
        labels: Ints = each.clusters.labels
        noise = float((labels == NOISE).mean())
        told = f"{name}: {each.clusters.count} clusters"
        told += f", {noise:.0%} noise" if noise else ""
        panels.append(Panel(told, plane.points, named_groups(labels), plane.axes))
    kind = "UMAP" if plane.kind == "umap" else "principal components"
    return draw_panels(
        f"{len(material.rows)} segments by {material.feature}", f"{kind}; noise is grey", panels
    )

"""`robovalue value check-clusters`: did the references cluster, and which eps would suit them?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.data.embedding_cache.legacy_names import PREFIX
from robovalue_ros.data.value_store.centers import (
    CLUSTER_FILE,
    SEGMENT_FILE,
    CentersAbout,
    read_cluster_centers,
    read_segment_centers,
)
from robovalue_ros.pipelines.diagnose.inputs import (
    CameraChoice,
    ReferenceEpisode,
    ReferencesOf,
    SeriesOf,
    metadata_of,
    picked,
)
from robovalue_ros.pipelines.diagnose.plane import fit_plane
from robovalue_ros.report.view.scatter import Cloud
from robovalue_ros.value.cluster import dbscan_labels, squared_distances, suggest_eps
from robovalue_ros.value.fusion import grouped_embeddings, needed_cameras
from robovalue_ros.value.projection import fit_projection
from robovalue_ros.value.reference import Group
from robovalue_ros.value.scaling import Floats

Groups = Mapping[str, Mapping[str, tuple[Group, ...]]]
SUITED = 0.9
DIGITS = 3


@dataclass(frozen=True, slots=True)
class GroupLine:
    """How one group of references clustered. segment: None for progress_warp.

    nearest, knn: median distance to the nearest and to the deciding neighbour; far: its 90th
    percentile. eps: the one used, suggested: one under which only outliers are noise. Distances
    are in standardised space; None where a single reference has no neighbour.
    """

    task: str
    key: str
    segment: int | None
    points: int
    clusters: int
    noise: int
    fallback: bool
    nearest: float | None
    knn: float | None
    far: float | None
    eps: float | None
    suggested: float | None


@dataclass(frozen=True, slots=True)
class ClusterCheck:
    """path: of the centres. recommended: one eps for all groups, None where none can be told."""

    path: Path
    eps: float | str
    min_samples: int
    lines: tuple[GroupLine, ...]

    @property
    def fallbacks(self) -> int:
        return sum(line.fallback for line in self.lines)

    @property
    def suggestions(self) -> tuple[float, ...]:
        return tuple(sorted(line.suggested for line in self.lines if line.suggested is not None))

    @property
    def recommended(self) -> float | None:
        return recommended_eps(self.suggestions)


def recommended_eps(suggestions: Sequence[float]) -> float | None:
    """Return one eps that is enough for nine in ten groups, rounded up to three digits."""
    if not suggestions:
        return None
    enough = float(np.quantile(np.asarray(suggestions), SUITED, method="higher"))
    step = 10.0 ** (math.floor(math.log10(enough)) + 1 - DIGITS)
    return float(f"{math.ceil(enough / step - 1e-9) * step:.{DIGITS + 2}g}")


def check_clusters(out: Path, task: str | None = None) -> ClusterCheck:
    """Tell how the references of a results folder clustered. Reads centres only.

    task: tell about this one only. Raises DataError without usable centres.
    """
    path, groups, about = _centres(out)
    if task is not None:
        name, keys = picked("task", task, groups)
        groups = {name: keys}
    several = path.name == SEGMENT_FILE
    lines = tuple(
        _line(name, key, n if several else None, group)
        for name, keys in groups.items()
        for key, parts in keys.items()
        for n, group in enumerate(parts)
    )
    return ClusterCheck(path, *_cluster_options(path, about), lines)


def cluster_cloud(
    out: Path,
    series_of: SeriesOf,
    references_of: ReferencesOf,
    *,
    task: str | None = None,
    key: str | None = None,
    segment: int | None = None,
) -> Cloud:
    """Return the references of one group in the plane where they differ most.

    Only stored embeddings are read. Raises DataError when they are not those of the centres.
    """
    path, groups, about = _centres(out)
    task, keys = picked("task", task, groups)
    key, parts = picked("key", key, keys)
    place = _place(segment, len(parts), path.name == SEGMENT_FILE)
    group = parts[place]
    cameras = CameraChoice.of(path, about.cfg)
    references = [
        found for found in references_of(out, about.success_ref_ids) if found.task == task
    ]
    series = f"seg{len(parts)}" if path.name == SEGMENT_FILE else PREFIX
    x = _vectors(out, references, series, place, key, cameras, series_of)
    if x.shape != (group.info.n_points, len(group.scaler.mean)):
        raise DataError(
            out, f"holds {len(x)} embeddings of {task!r}, {key}",
            f"{group.info.n_points}, of which the centres were made", "Run the estimate again.",
        )  # fmt: skip
    points = group.scaler.standardise(group.scaler.lengthen(x))
    centres = group.scaler.standardise(group.centres_CD)
    eps, labels = _labels(path, about, group, points)
    plane = fit_plane(points)
    where = "" if path.name != SEGMENT_FILE else f", segment {place} of {len(parts)}"
    return Cloud(
        title=task, subtitle=f"{key}{where}: {len(points)} references, dbscan-eps {eps:.4g}",
        points=plane.apply(points), labels=labels, centres=plane.apply(centres),
        share=(float(plane.share[0]), float(plane.share[1])),
    )  # fmt: skip


def _centres(out: Path) -> tuple[Path, Groups, CentersAbout]:
    """Read the centres of the method that ran last."""
    progress = metadata_of(out).get("value_method") == "progress_warp"
    names = [SEGMENT_FILE, CLUSTER_FILE]
    for name in reversed(names) if progress else names:
        path = out / name
        if path.is_file():
            if name == SEGMENT_FILE:
                segments = read_segment_centers(path)
                return path, segments.groups, segments.about
            found = read_cluster_centers(path)
            single = {t: {k: (g,) for k, g in keys.items()} for t, keys in found.groups.items()}
            return path, single, found.about
    raise DataError(
        out, "holds no centres", f"{SEGMENT_FILE} or {CLUSTER_FILE}",
        "Make them with robovalue value estimate.",
    )  # fmt: skip


def _line(task: str, key: str, segment: int | None, group: Group) -> GroupLine:
    info, near = group.info, group.info.neighbours
    suggested = info.suggested_eps
    if suggested is None and near is not None:
        suggested = near.knn_p90  # files of today's tools tell no suggestion
    return GroupLine(
        task=task, key=key, segment=segment, points=info.n_points,
        clusters=len(set(info.labels or ()) - {-1}), noise=info.n_noise,
        fallback=info.method == "dbscan_fallback_mean",
        nearest=None if near is None else near.nn_med, knn=None if near is None else near.knn_med,
        far=None if near is None else near.knn_p90, eps=info.eps, suggested=suggested,
    )  # fmt: skip


def _cluster_options(path: Path, about: CentersAbout) -> tuple[float | str, int]:
    eps, least = about.cfg.get("dbscan_eps"), about.cfg.get("dbscan_min_samples")
    number = isinstance(eps, int | float) and not isinstance(eps, bool) and eps > 0
    if not (number or eps == "auto") or not isinstance(least, int):
        raise DataError(path, f"tells dbscan_eps {eps!r}, dbscan_min_samples {least!r}", "numbers")
    return (float(eps) if isinstance(eps, int | float) else "auto"), least


def _place(segment: int | None, count: int, several: bool) -> int:
    if not several:
        if segment not in (None, 0):
            raise ConfigError(
                f"there is no segment {segment}", "none: progress_warp has no segments"
            )
        return 0
    place = 0 if segment is None else segment
    if not 0 <= place < count:
        raise ConfigError(f"there is no segment {place}", f"one of 0..{count - 1}")
    return place


def _vectors(
    out: Path,
    references: Sequence[ReferenceEpisode],
    series: str,
    place: int,
    key: str,
    cameras: CameraChoice,
    series_of: SeriesOf,
) -> Floats:
    """Return one embedding per reference (N, D): of a segment, or of the whole episode."""
    rows: list[Floats] = []
    for reference in references:
        stored = series_of(out, reference.recording, series)
        vectors: dict[str, Any] = {}
        for camera in needed_cameras(cameras.mode):
            if camera not in stored or not len(stored[camera].keys):
                raise DataError(
                    reference.recording.path, f"has no stored {series} embeddings of {camera}",
                    "those of the fit", "Run the estimate again.",
                )  # fmt: skip
            found = stored[camera]
            wanted = found.keys[-1:] if series == PREFIX else np.array([place], np.int64)
            vectors[camera] = found.take(wanted)
        rows.append(grouped_embeddings(vectors, cameras.mode, cameras.fusion)[key])
    if not rows:
        raise DataError(out, "names no reference episode of this task", "those of the centres")
    return np.concatenate(rows)


def _labels(path: Path, about: CentersAbout, group: Group, points_ND: Floats) -> tuple[float, Any]:
    """Cluster again as the fit did, so that labels belong to the rows at hand."""
    if len(points_ND) == 1:
        return group.info.eps or 0.0, np.zeros(1, np.int64)
    used, least = _cluster_options(path, about)
    projection = fit_projection(points_ND, group.info.pca_dim_requested)
    squared = squared_distances(points_ND if projection is None else projection.apply(points_ND))
    eps = group.info.eps
    if eps is None:
        eps = suggest_eps(squared, least) if isinstance(used, str) else used
    return eps, dbscan_labels(squared, eps, least)

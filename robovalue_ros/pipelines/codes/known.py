"""Clusters that were found before, kept so that later sequences can be told theirs."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from robovalue_ros.contracts.errors import ConfigError, DataError, nearest
from robovalue_ros.data.atomic import atomic_path
from robovalue_ros.segment.codes.online import Assigned, assign_by_centre, assign_by_density
from robovalue_ros.segment.codes.sequences import Floats, Ints

CLUSTERS = "clusters.npz"
SUFFIX = "_labels"


@dataclass(frozen=True, slots=True, eq=False)
class KnownClusters:
    """vectors (N, D) that were clustered; labels: (N,) by algorithm; feature: what they are of."""

    vectors: Floats
    labels: Mapping[str, Ints]
    min_samples: int
    feature: str
    path: Path

    def assign(
        self, vectors: Floats, by: Literal["kmeans", "hdbscan"], prob_thr: float
    ) -> Assigned:
        """Tell the cluster of later vectors; raises ConfigError when there are none of that kind."""
        if by not in self.labels:
            raise ConfigError(f"{self.path} has no clusters of {by}", hint=nearest(by, self.labels))
        if vectors.shape[1] != self.vectors.shape[1]:
            raise DataError(
                self.path, f"holds vectors of {self.vectors.shape[1]} numbers ({self.feature})",
                f"vectors of {vectors.shape[1]} numbers, as this network makes",
                "Cluster vectors of the same network.",
            )  # fmt: skip
        known = self.labels[by]
        if by == "hdbscan":
            return assign_by_density(self.vectors, known, vectors, self.min_samples, prob_thr)
        return assign_by_centre(self.vectors, known, vectors, prob_thr)


def write_known(folder: Path, known: KnownClusters) -> None:
    """Write `clusters.npz` into a folder."""
    arrays: dict[str, Any] = {f"{name}{SUFFIX}": labels for name, labels in known.labels.items()}
    with atomic_path(folder / CLUSTERS) as temporary:
        np.savez(
            temporary, vectors=known.vectors, min_samples=np.int64(known.min_samples),
            feature=np.array(known.feature), **arrays,
        )  # fmt: skip


def read_known(folder: Path) -> KnownClusters:
    """Read `clusters.npz` of a folder; raises DataError when it is missing or damaged."""
    path = folder / CLUSTERS
    hint = "Make one with `robovalue codes cluster`."
    try:
        with np.load(path, allow_pickle=False) as archive:
            vectors = np.asarray(archive["vectors"], np.float32)
            labels = {
                name.removesuffix(SUFFIX): np.asarray(archive[name], np.int64)
                for name in archive.files
                if name.endswith(SUFFIX)
            }
            samples, feature = int(archive["min_samples"]), str(archive["feature"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as problem:
        raise DataError(
            path, f"cannot be read ({problem})", "clusters of vectors", hint
        ) from problem
    fits = vectors.ndim == 2 and all(known.shape == (len(vectors),) for known in labels.values())
    if not fits:
        raise DataError(path, "has labels that do not fit its vectors", "a label each", hint)
    return KnownClusters(vectors, labels, samples, feature, path)

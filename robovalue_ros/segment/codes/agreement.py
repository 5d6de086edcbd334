"""How well clusters fit classes that are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from robovalue_ros.contracts.validate import require
from robovalue_ros.segment.codes.clustering import NOISE
from robovalue_ros.segment.codes.sequences import Ints


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class after alignment: share of its cluster that is right, and of it that is found."""

    precision: float
    recall: float
    f1: float
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Clusters beside classes.

    accuracy: share of right rows when each class may have one cluster, in the best assignment.
    purity: share of right rows when every cluster takes its most frequent class. confusion:
    (classes, clusters) counts, noise last when there is any. assigned: class of each cluster.
    """

    accuracy: float
    purity: float
    nmi: float
    ari: float
    macro_f1: float
    classes: tuple[str, ...]
    per_class: tuple[ClassScore, ...]
    clusters: tuple[int, ...]
    confusion: Ints
    assigned: dict[int, str]

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values for a JSON file."""
        return {
            "acc": self.accuracy,
            "purity": self.purity,
            "nmi": self.nmi,
            "ari": self.ari,
            "macro_f1": self.macro_f1,
            "per_class": {
                name: {"precision": s.precision, "recall": s.recall, "f1": s.f1, "count": s.count}
                for name, s in zip(self.classes, self.per_class, strict=True)
            },
            "confusion": self.confusion.tolist(),
            "classes": list(self.classes),
            "clusters": list(self.clusters),
            "cluster_to_class": {str(label): name for label, name in self.assigned.items()},
        }


def agreement(classes: Sequence[str], labels_N: Ints) -> Agreement:
    """Compare known classes (N,) with cluster labels (N,); noise is right for no class."""
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    require(
        len(classes) == len(labels_N) > 0, "labels", f"{len(classes)}, at least 1", len(labels_N)
    )
    names, truth = np.unique(np.asarray(classes), return_inverse=True)
    found = [int(label) for label in np.unique(labels_N) if label != NOISE]
    columns = [*found, NOISE] if NOISE in labels_N else found
    confusion = np.zeros((len(names), len(columns)), np.int64)
    places = np.array([columns.index(int(label)) for label in labels_N])
    np.add.at(confusion, (truth, places), 1)
    clusters = confusion[:, : len(found)]
    rows, taken = linear_sum_assignment(clusters, maximize=True)
    pairs = dict(zip(rows.tolist(), taken.tolist(), strict=True))
    scored = tuple(_class_score(confusion, row, pairs.get(row)) for row in range(len(names)))
    total = len(labels_N)
    return Agreement(
        accuracy=float(clusters[rows, taken].sum()) / total,
        purity=float(clusters.max(axis=0, initial=0).sum()) / total,
        nmi=float(normalized_mutual_info_score(truth, labels_N)),
        ari=float(adjusted_rand_score(truth, labels_N)),
        macro_f1=float(np.mean([s.f1 for s in scored])),
        classes=tuple(str(name) for name in names),
        per_class=scored,
        clusters=tuple(columns),
        confusion=confusion,
        assigned={found[column]: str(names[row]) for row, column in pairs.items()},
    )


def _class_score(confusion: Ints, row: int, column: int | None) -> ClassScore:
    there = int(confusion[row].sum())
    if column is None:
        return ClassScore(0.0, 0.0, 0.0, there)
    right, told = int(confusion[row, column]), int(confusion[:, column].sum())
    return ClassScore(right / max(told, 1), right / there, 2 * right / (told + there), there)

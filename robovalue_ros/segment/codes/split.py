"""Which sequences train and which judge, and how often each class is drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robovalue_ros.contracts.validate import require
from robovalue_ros.segment.codes.sequences import Doubles, Ints


def split_classes(
    classes: Sequence[str], share: float, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Return rows that train and rows that judge, both sorted.

    Every class gives max(1, round(share * n)) of its n rows to judging, but a class of one row
    trains. When every class has one row, the rows are split as one class. share 0: all train.
    """
    names = np.asarray(classes)
    require(len(names) > 0, "sequences", "at least one", "none")
    kinds, counts = np.unique(names, return_counts=True)
    if counts.max() == 1:
        kinds, names = kinds[:1], np.full(len(names), kinds[0])
    judging: list[Ints] = []
    for kind in kinds:
        rows = np.flatnonzero(names == kind)
        if share > 0 and len(rows) > 1:
            count = min(max(1, round(share * len(rows))), len(rows) - 1)
            judging.append(rng.permutation(rows)[:count])
    judges = np.sort(np.concatenate(judging)) if judging else np.zeros(0, np.int64)
    trains = np.setdiff1d(np.arange(len(names)), judges)
    return trains.astype(np.int64), judges.astype(np.int64)


def balancing_weights(classes: Sequence[str]) -> Doubles:
    """Return a drawing weight per row (N,): 1 by the size of its class."""
    _, kinds, counts = np.unique(np.asarray(classes), return_inverse=True, return_counts=True)
    weights: Doubles = 1.0 / counts[kinds]
    return weights

"""Scores of labelled frames: MoF, Edit, F1 at overlaps; labels of any kind, -1 is background."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from robovalue_ros.contracts.validate import describe, require
from robovalue_ros.segment.boundaries import iou

Labels = NDArray[np.int64]
BACKGROUND = -1


@dataclass(frozen=True, slots=True)
class LabelledSpan:
    """Frames [start, stop) of one label."""

    start: int
    stop: int
    label: int


def frame_labels(spans: Iterable[LabelledSpan], length: int) -> Labels:
    """Return the label of every frame (length,); later spans win, the rest is background."""
    labels = np.full(length, BACKGROUND, np.int64)
    for span in spans:
        labels[max(0, span.start) : max(0, min(length, span.stop))] = span.label
    return labels


def runs(labels: Labels) -> list[LabelledSpan]:
    """Return the runs of equal labels, background left out."""
    if not len(labels):
        return []
    edges = [0, *(np.flatnonzero(np.diff(labels)) + 1).tolist(), len(labels)]
    return [
        LabelledSpan(start, stop, int(labels[start]))
        for start, stop in pairwise(edges)
        if labels[start] != BACKGROUND
    ]


def renamed(predicted: Labels, true: Labels) -> Labels:
    """Return predictions whose labels are replaced by the true ones that fit best, one to one.

    For segmenters that do not name actions. What finds no partner gets labels nobody else has.
    """
    _same_length(predicted, true)
    ours = np.unique(predicted[predicted != BACKGROUND])
    theirs = np.unique(true[true != BACKGROUND])
    together = np.array([[np.sum((predicted == a) & (true == b)) for b in theirs] for a in ours])
    new_name = dict(
        zip(ours.tolist(), range(_unused(true), _unused(true) + len(ours)), strict=True)
    )
    if together.size:
        for a, b in zip(*linear_sum_assignment(together, maximize=True), strict=True):
            if together[a, b] > 0:
                new_name[int(ours[a])] = int(theirs[b])
    return np.array([new_name.get(int(label), BACKGROUND) for label in predicted], np.int64)


def mean_over_frames(predicted: Labels, true: Labels, *, background: bool = False) -> float:
    """Return the share of frames with the true label; background frames count only if asked for."""
    _same_length(predicted, true)
    counted = np.ones(len(true), np.bool_) if background else true != BACKGROUND
    return float((predicted[counted] == true[counted]).mean()) if counted.any() else float("nan")


def edit_score(predicted: Labels, true: Labels) -> float:
    """Return 100 for the same order of labels, 0 for nothing in common (Levenshtein, scaled)."""
    ours = [span.label for span in runs(predicted)]
    theirs = [span.label for span in runs(true)]
    longest = max(len(ours), len(theirs))
    return 100.0 * (1.0 - _distance(ours, theirs) / longest) if longest else 100.0


def overlap_f1(predicted: Labels, true: Labels, overlap: float) -> float:
    """Return F1 (0..100) of segments; a hit shares its label and at least `overlap` (IoU).

    Each found segment tries the segment of its label that it overlaps most; each true one counts once.
    """
    ours, theirs = runs(predicted), runs(true)
    taken = [False] * len(theirs)
    hits = 0
    for span in ours:
        shared = [
            iou((span.start, span.stop), (other.start, other.stop))
            if other.label == span.label else 0.0
            for other in theirs
        ]  # fmt: skip
        best = int(np.argmax(shared)) if shared else -1
        if best >= 0 and shared[best] >= overlap and shared[best] > 0.0 and not taken[best]:
            taken[best] = True
            hits += 1
    total = len(ours) + len(theirs)
    return 100.0 * 2.0 * hits / total if total else 100.0


def _distance(ours: Sequence[int], theirs: Sequence[int]) -> int:
    """Return the least number of labels to insert, delete or replace."""
    row = list(range(len(theirs) + 1))
    for at, label in enumerate(ours, start=1):
        diagonal, row[0] = row[0], at
        for column, other in enumerate(theirs, start=1):
            cost = min(diagonal + (label != other), row[column] + 1, row[column - 1] + 1)
            diagonal, row[column] = row[column], cost
    return row[-1]


def _unused(labels: Labels) -> int:
    return int(labels.max(initial=BACKGROUND)) + 1


def _same_length(predicted: Labels, true: Labels) -> None:
    require(
        predicted.ndim == 1 and predicted.shape == true.shape,
        "labels", "two sequences (T,) of one length", f"{describe(predicted)}, {describe(true)}",
    )  # fmt: skip

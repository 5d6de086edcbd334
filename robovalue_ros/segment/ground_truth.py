"""Thresholds and scores against boundaries that somebody marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.types import Array
from robovalue_ros.contracts.validate import require
from robovalue_ros.segment.boundaries import Agreement, Interval, boundaries, greedy_agreement
from robovalue_ros.segment.hysteresis import HysteresisOptions
from robovalue_ros.segment.mean_precision import FoundSegment, average_precision
from robovalue_ros.segment.series import series_segments, span_seconds

OVERLAPS = (0.5, 0.75)


@dataclass(frozen=True, slots=True, eq=False)
class MarkedSeries:
    """A video's energies (T,), `step_s` apart, and its true segments in seconds."""

    energy: Array
    truth: tuple[Interval, ...]
    duration: float
    step_s: float


@dataclass(frozen=True, slots=True)
class SweptThreshold:
    """A threshold and the means of its boundary scores over videos."""

    thr: float
    f1: float
    precision: float
    recall: float

    def to_mapping(self) -> dict[str, float]:
        """Return the scores under the names of the reports."""
        return {
            "thr": self.thr, "F1_mean": self.f1, "Precision_mean": self.precision,
            "Recall_mean": self.recall,
        }  # fmt: skip


def truth_candidates(values: Array) -> NDArray[np.float64]:
    """Return thresholds worth trying for energies (T,): some quantiles, the middles between
    them, and both ends; in order."""
    pooled = np.asarray(values, np.float64)
    quantiles = np.unique(np.quantile(pooled, [0.10, 0.25, 0.50, 0.75, 0.90]))
    middles = (quantiles[:-1] + quantiles[1:]) / 2.0
    return np.unique(np.concatenate([quantiles, middles, [pooled.min(), pooled.max()]]))


def sweep_against_truth(
    videos: Sequence[MarkedSeries], options: HysteresisOptions, tolerance: float
) -> list[SweptThreshold]:
    """Return the mean boundary scores of every candidate threshold.

    options: the guards; their threshold is replaced, max_duration_windows alone limits a duration.
    """
    require(len(videos) > 0, "videos", "at least one", "none")
    pooled = np.concatenate([np.asarray(video.energy, np.float64) for video in videos])
    return [
        _scores(float(threshold), videos, replace(options, threshold=float(threshold)), tolerance)
        for threshold in truth_candidates(pooled)
    ]


def best_against_truth(swept: Sequence[SweptThreshold]) -> SweptThreshold:
    """Return the threshold with the best F1, then precision; the last of equally good ones."""
    best = swept[0]
    for other in swept[1:]:
        if (other.f1, other.precision) >= (best.f1, best.precision):
            best = other
    return best


@dataclass(frozen=True, slots=True, eq=False)
class MarkedVideo:
    """A video's true segments and those found in it; found None: nobody looked at it."""

    truth: tuple[Interval, ...]
    found: tuple[FoundSegment, ...] | None
    duration: float


def evaluate_segments(
    videos: Mapping[str, MarkedVideo], tolerances: Sequence[float] = (2.0,)
) -> dict[str, Any]:
    """Return scores per video and in sum, under the names of the evaluation's JSON.

    A video that nobody looked at scores 0, and its true segments count as missed.
    """
    per_video: dict[str, dict[str, Any]] = {}
    for name, video in videos.items():
        found = None if video.found is None else tuple(segment.span for segment in video.found)
        scores = [_agreement(found, video.truth, video.duration, tol) for tol in tolerances]
        per_video[name] = _video_scores(scores, tolerances, found is not None)
    summary: dict[str, float] = {"num_videos": len(videos)}
    for tolerance in tolerances:
        for title in ("F1", "Precision", "Recall"):
            values = [
                scores[f"{title.lower()}@{_seconds(tolerance)}"] for scores in per_video.values()
            ]
            summary[f"{title}@{_seconds(tolerance)}_mean"] = (
                float(np.mean(values)) if values else 0.0
            )
    everything = [segment for video in videos.values() for segment in video.found or ()]
    truth = {name: video.truth for name, video in videos.items()}
    for overlap in OVERLAPS:
        summary[f"mAP@{overlap:g}"] = average_precision(everything, truth, overlap)
    return {"per_video": per_video, "summary": summary}


def _scores(
    threshold: float, videos: Sequence[MarkedSeries], options: HysteresisOptions, tolerance: float
) -> SweptThreshold:
    agreements = []
    for video in videos:
        spans = series_segments(video.energy, options)
        found = [span_seconds(span, video.step_s) for span in spans]
        agreements.append(_agreement(found, video.truth, video.duration, tolerance))
    return SweptThreshold(
        threshold,
        float(np.mean([one.f1 for one in agreements])),
        float(np.mean([one.precision for one in agreements])),
        float(np.mean([one.recall for one in agreements])),
    )


def _agreement(
    found: Sequence[Interval] | None, truth: Sequence[Interval], duration: float, tolerance: float
) -> Agreement:
    marked = boundaries(truth, duration, distinct=False)
    return greedy_agreement(boundaries(found or (), duration, distinct=False), marked, tolerance)


def _video_scores(
    scores: Sequence[Agreement], tolerances: Sequence[float], looked_at: bool
) -> dict[str, Any]:
    def told(value: float) -> float:
        return value if looked_at else 0.0

    first = scores[0]
    named: dict[str, Any] = {
        "num_gt_boundaries": first.true, "num_pred_boundaries": first.predicted,
        "f1_at_tol": told(first.f1), "precision_at_tol": told(first.precision),
        "recall_at_tol": told(first.recall),
    }  # fmt: skip
    for tolerance, one in zip(tolerances, scores, strict=True):
        at = _seconds(tolerance)
        named[f"f1@{at}"] = told(one.f1)
        named[f"precision@{at}"] = told(one.precision)
        named[f"recall@{at}"] = told(one.recall)
    return named


def _seconds(tolerance: float) -> str:
    return f"{float(tolerance)}s"

"""How found segments fit the simulator's substeps, and how sure the means are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.segment_study.seeing import Seen
from benchmarks.segment_study.settings import FPS, TOLERANCE
from robovalue_ros.data.segment_files import NamedSpan
from robovalue_ros.pipelines.segment.evaluate import ActionScores, action_scores
from robovalue_ros.segment.boundaries import Interval, agreement, boundaries, greedy_agreement
from robovalue_ros.segment.cuts import cuts, pieces

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Found:
    """What a method found in one episode, seconds. spans: its segments, with rests if it has any.

    shift: subtracted from every cut; how late the method is, as the training episodes showed.
    """

    spans: tuple[Interval, ...]
    shift: float = 0.0

    @property
    def cuts(self) -> Floats:
        return cuts(self.spans) - self.shift


@dataclass(frozen=True)
class Scores:
    """Scores of one episode. f1: cuts within the tolerance. both_ends: starts and ends both count."""

    f1: float
    precision: float
    recall: float
    both_ends: float
    segments: int
    actions: ActionScores


def true_cuts(seen: Seen) -> Floats:
    """Return when substeps begin, seconds."""
    return np.asarray(seen.cuts, np.float64) / FPS


def cut_f1(found: Sequence[float] | Floats, seen: Seen) -> float:
    """Return the F1 of cuts (seconds) within the tolerance, as many pairs as possible."""
    inside = np.array([time for time in found if 0.0 < time < seen.duration])
    return agreement(inside, true_cuts(seen), TOLERANCE).f1


def score(found: Found, seen: Seen) -> Scores:
    """Judge what was found in an episode."""
    truth = pieces(true_cuts(seen), seen.duration)
    made = pieces(found.cuts, seen.duration)
    inside = np.array([stop for _, stop in made[:-1]])
    agreed = agreement(inside, true_cuts(seen), TOLERANCE)
    shifted = [(start - found.shift, stop - found.shift) for start, stop in found.spans]
    ends = greedy_agreement(
        boundaries(shifted, seen.duration, distinct=False),
        boundaries(truth, seen.duration, distinct=False),
        TOLERANCE,
    )
    actions = action_scores(_named(made), _named(truth), seen.duration, FPS, TOLERANCE)
    return Scores(agreed.f1, agreed.precision, agreed.recall, ends.f1, len(made), actions)


def _named(spans: Sequence[Interval]) -> list[NamedSpan]:
    return [NamedSpan(*span, f"segment_{number}") for number, span in enumerate(spans)]


@dataclass(frozen=True)
class Mean:
    """A mean over episodes with its 95 % interval."""

    value: float
    low: float
    high: float

    def text(self, digits: int = 2) -> str:
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


def resampled(values: Sequence[float] | Floats, draws: int, rng: np.random.Generator) -> Mean:
    """Return the mean of values, one per episode; those that are no number are left out."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if not len(known):
        return Mean(float("nan"), float("nan"), float("nan"))
    picked = rng.integers(len(known), size=(draws, len(known)))
    low, high = np.quantile(known[picked].mean(axis=1), [0.025, 0.975])
    return Mean(float(known.mean()), float(low), float(high))


def numbers(scores: Sequence[Scores]) -> Mapping[str, Floats]:
    """Return each score (episodes,) by the name of its column."""

    def column(values: list[float]) -> Floats:
        return np.array(values, np.float64)

    return {
        "boundary F1, 0.5 s": column([one.f1 for one in scores]),
        "precision": column([one.precision for one in scores]),
        "recall": column([one.recall for one in scores]),
        "starts and ends": column([one.both_ends for one in scores]),
        "F1@10": column([one.actions.f1_10 for one in scores]),
        "F1@25": column([one.actions.f1_25 for one in scores]),
        "F1@50": column([one.actions.f1_50 for one in scores]),
        "Edit": column([one.actions.edit for one in scores]),
        "MoF": column([100.0 * one.actions.mof for one in scores]),
        "late s": column([one.actions.delay for one in scores]),
        "over": column([one.actions.over for one in scores]),
        "under": column([one.actions.under for one in scores]),
    }

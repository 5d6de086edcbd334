"""What any segmenter should beat: even pieces, and sub-goals by the distance to the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from benchmarks.segment_study.scores import Floats, Found, cut_f1
from benchmarks.segment_study.seeing import Seen
from benchmarks.segment_study.settings import FPS
from robovalue_ros.segment.cuts import pieces


def usual_counts(training: Sequence[Seen]) -> Mapping[str, int]:
    """Return the mean number of segments of each task, rounded."""
    tasks = sorted({seen.task for seen in training})
    return {
        task: round(float(np.mean([len(seen.cuts) + 1 for seen in training if seen.task == task])))
        for task in tasks
    }


def uniform(seen: Seen, counts: Mapping[str, int]) -> Found:
    """Cut an episode into equal pieces, as many as its task usually has."""
    edges = np.linspace(0.0, seen.duration, counts[seen.task] + 1)
    return Found(tuple(pieces(edges[1:-1], seen.duration)))


@dataclass(frozen=True)
class SubGoals:
    """Options of `sub_goals`. width: of the smoothing, least: shortest segment; both in frames."""

    width: float
    least: int
    shift: float
    f1: float = 0.0

    def words(self) -> str:
        return f"smoothed over {self.width:g} frames, segments of {self.least} frames or more, {self.shift:.1f} s late"  # fmt: skip


def sub_goals(vectors_TD: Floats, width: float, least: int) -> list[int]:
    """Return frames at which sub-goals are reached, by vectors of all frames.

    The last frame is a goal. From it backward: where the smoothed distance to it last rose, another
    sub-goal was reached; that frame is the next goal.
    """
    found: list[int] = []
    goal = len(vectors_TD) - 1
    while goal > 2 * least:
        distance = np.linalg.norm(vectors_TD[: goal + 1] - vectors_TD[goal], axis=1)
        even = gaussian_filter1d(distance, width)
        peaks, _ = find_peaks(even)
        peaks = peaks[(peaks >= least) & (peaks <= goal - least)]
        if not len(peaks):
            break
        goal = int(peaks[-1])
        found.append(goal)
    return found[::-1]


def fit_sub_goals(vectors: Sequence[Floats], training: Sequence[Seen]) -> SubGoals:
    """Choose smoothing and shortest segment by the cuts of the training episodes."""
    best: SubGoals | None = None
    for width, least in product((1.0, 2.0, 4.0, 6.0, 9.0, 13.0, 18.0), (6, 12, 20, 30)):
        goals = [np.array(sub_goals(one, width, least)) / FPS for one in vectors]
        for shift in (-0.4, -0.2, 0.0, 0.2, 0.4):
            f1 = float(
                np.mean(
                    [cut_f1(at - shift, seen) for at, seen in zip(goals, training, strict=True)]
                )
            )
            if best is None or f1 > best.f1:
                best = SubGoals(width, least, shift, f1)
    assert best is not None
    return best


def goal_cuts(seen: Seen, vectors_TD: Floats, options: SubGoals) -> Found:
    """Return an episode cut at its sub-goals."""
    at = np.array(sub_goals(vectors_TD, options.width, options.least)) / FPS - options.shift
    return Found(tuple(pieces(at, seen.duration)))


@dataclass(frozen=True)
class Minima:
    """Options of `minima`. prominence: of a dip. apart: least frames between two."""

    prominence: float
    apart: int
    f1: float = 0.0

    def words(self) -> str:
        return f"dips of {self.prominence:.3g} or more, {self.apart} windows apart"


def minima(seen: Seen, options: Minima, first: int, stride: int) -> Found:
    """Cut where the velocity energy of the whole episode has its dips; looks ahead.

    first: the frame in the middle of window 0.
    """
    dips, _ = find_peaks(-seen.energy, prominence=options.prominence, distance=options.apart)
    return Found(tuple(pieces((first + stride * dips) / FPS, seen.duration)))


def fit_minima(training: Sequence[Seen], first: int, stride: int) -> Minima:
    """Choose how deep a dip must be by the cuts of the training episodes."""
    pooled = np.concatenate([seen.energy for seen in training])
    best: Minima | None = None
    for prominence, apart in product(np.quantile(pooled, np.linspace(0.05, 0.9, 25)), (1, 3, 5, 7)):
        tried = Minima(float(prominence), apart)
        f1 = float(
            np.mean([cut_f1(minima(seen, tried, first, stride).cuts, seen) for seen in training])
        )
        if best is None or f1 > best.f1:
            best = Minima(tried.prominence, apart, f1)
    assert best is not None
    return best

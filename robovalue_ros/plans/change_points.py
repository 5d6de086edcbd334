"""Where the state of a robot jumps: the boundaries of stages that follow what happens."""

from __future__ import annotations

import numpy as np

from robovalue_ros.contracts.types import Array
from robovalue_ros.plans.peaks import local_peaks, strongest
from robovalue_ros.plans.ragged import Floats, Ints, Runs, lagged, quantiles

NEVER = np.iinfo(np.int64).max
JUMP_QUANTILE = 0.9


def jump_scores(states_TD: Array, runs: Runs, delta: int) -> Floats:
    """Return how far the state moved within delta frames, (T,); 0 where there is nothing before."""
    moved = lagged(np.asarray(states_TD, np.float64), runs, delta)
    scores: Floats = np.sqrt(np.einsum("td,td->t", moved, moved))
    return scores


def change_points(states_TD: Array, runs: Runs, stages: int, delta: int, min_gap: int) -> Ints:
    """Return the boundaries (E, stages - 1) of each series, ascending; NEVER where there are fewer.

    The largest jumps above the 0.9-quantile, at least min_gap apart. Where there are too few, equal
    parts of the time fill up, as far as they keep that distance.
    """
    wanted = stages - 1
    found = np.full((len(runs), max(0, wanted)), NEVER)
    if wanted <= 0:
        return found
    scores = jump_scores(states_TD, runs, delta)
    peaks = local_peaks(scores, runs, quantiles(scores, runs, [JUMP_QUANTILE])[0])
    run, at = runs.run[peaks], runs.at[peaks]
    kept = strongest(at, scores[peaks], min_gap, run, wanted)
    run, at = run[kept], at[kept]
    counts = np.bincount(run, minlength=len(runs))
    found[run, np.arange(len(run)) - (np.cumsum(counts) - counts)[run]] = at
    _fill(found, counts, runs.counts, min_gap)
    short = runs.counts < delta + 3
    found[short] = equal_parts(runs.counts[short], stages)
    return np.sort(found, axis=1)


def equal_parts(counts: Ints, stages: int) -> Ints:
    """Return boundaries (E, stages - 1) that cut `counts` frames evenly, none before frame 1."""
    parts = np.arange(1, stages)
    return np.maximum(1, np.rint(parts * counts[:, None] / stages)).astype(np.int64)


def _fill(found: Ints, counts: Ints, lengths: Ints, min_gap: int) -> None:
    """Put evenly spread boundaries beside those in found (E, K - 1), which hold the first counts."""
    wanted = found.shape[1]
    for part in range(1, wanted + 1):
        place = np.rint(part * (lengths - 1) / (wanted + 1)).astype(np.int64)
        open_ = (counts < wanted) & (place > 0) & (place < lengths - 1)
        free = (found == NEVER) | (np.abs(found - place[:, None]) >= min_gap)
        chosen = np.flatnonzero(open_ & free.all(axis=1))
        found[chosen, counts[chosen]] = place[chosen]
        counts[chosen] += 1

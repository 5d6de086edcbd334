"""Peaks of series, and which of them stay when strong ones push aside their neighbours."""

from __future__ import annotations

import numpy as np

from robovalue_ros.plans.ragged import Floats, Ints, Runs


def local_peaks(values: Floats, runs: Runs, above: Floats, ends: bool = False) -> Ints:
    """Return where values (n,) are peaks higher than `above` (E,) of their series.

    A peak is not lower than the entry before and higher than the one after, so the last entry of a
    plateau; never the first entry of a series, and the last one only with ends.
    """
    before, after = np.full_like(values, np.inf), np.full_like(values, np.inf)
    before[1:], after[:-1] = values[:-1], values[1:]
    before[runs.at == 0] = np.inf
    after[runs.at == runs.counts[runs.run] - 1] = -np.inf if ends else np.inf
    return np.flatnonzero((values >= before) & (values > after) & (values > above[runs.run]))


def strongest(
    at: Ints, scores: Floats, min_gap: int, run: Ints | None = None, limit: int | None = None
) -> Ints:
    """Return which of the candidates stay, as indices in the order of (run, at).

    at, scores, run (m,): place, strength and series. From the strongest down, one stays that is at
    least min_gap from all that stay in its series, at most `limit` in each. Of equally strong ones
    the later comes first.
    """
    run = np.zeros(len(at), np.int64) if run is None else run
    if len(at) == 0:
        return np.empty(0, np.int64)
    rank = np.empty(len(at), np.int64)
    rank[np.lexsort((at, run, scores))] = np.arange(1, len(at) + 1)
    order = _apart(at, run, rank, min_gap) if min_gap > 0 else np.lexsort((at, run))
    if limit is not None:
        by_rank = order[np.lexsort((-rank[order], run[order]))]
        starts = np.flatnonzero(np.diff(run[by_rank], prepend=run[by_rank[0]] - 1))
        counts = np.diff(starts, append=len(by_rank))
        ahead = np.arange(len(by_rank)) - np.repeat(starts, counts)
        kept = by_rank[ahead < limit]
        order = kept[np.lexsort((at[kept], run[kept]))]
    return order


def _apart(at: Ints, run: Ints, rank: Ints, min_gap: int) -> Ints:
    """Drop candidates nearer than min_gap to a stronger one that stays.

    The candidates are laid on one line, series min_gap apart and gaps no longer than that, at
    every second place: so each is a peak of its own, as high as its rank.
    """
    twins = np.lexsort((rank, at, run))
    last_of_twins = np.append((np.diff(run[twins]) != 0) | (np.diff(at[twins]) != 0), True)
    single = twins[last_of_twins]
    same = np.diff(run[single], prepend=run[single[0]]) == 0
    step = np.where(same, np.minimum(np.diff(at[single], prepend=at[single[0]]), min_gap), min_gap)
    place = 2 * np.cumsum(step) + 1
    line = np.zeros(int(place[-1]) + 2)
    line[place] = rank[single]
    # Loading it takes seconds, and most plans need no peaks.
    from scipy.signal import find_peaks

    found = find_peaks(line, distance=2 * min_gap)[0]
    kept: Ints = single[np.searchsorted(place, found)]
    return kept

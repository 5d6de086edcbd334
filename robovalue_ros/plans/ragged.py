"""Many series of different lengths in one long array, worked on all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
SPARSE = 4  # a table of series with more cells than this many per entry is not worth it


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Where each of E series lies: series e is [starts[e], starts[e] + counts[e]).

    run, at (n,): series of each entry and its place there.
    """

    starts: Ints
    counts: Ints
    run: Ints
    at: Ints

    def __len__(self) -> int:
        return len(self.counts)


def runs_of(counts: NDArray[Any]) -> Runs:
    """Return the layout of series with `counts` (E,) entries."""
    counts = np.asarray(counts, np.int64)
    starts = np.cumsum(counts) - counts
    run = np.repeat(np.arange(len(counts)), counts)
    return Runs(starts, counts, run, np.arange(len(run)) - starts[run])


def spans(starts: Ints, counts: Ints) -> Ints:
    """Return the numbers of all half-open spans [start, start + count), one after the other."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    found: Ints = np.arange(total) + np.repeat(starts - (ends - counts), counts)
    return found


def quantiles(values: Floats, runs: Runs, q: Sequence[float], skip: int = 0) -> list[Floats]:
    """Return quantiles (E,) of each series, between the two nearest entries; 0 where it has none.

    q: which, in 0..1. skip: entries left out at the beginning of each series that has more.
    """
    left_out = np.where(runs.counts > skip, skip, 0)
    counts = runs.counts - left_out
    if skip:
        values = np.where(runs.at < left_out[runs.run], -np.inf, values)
    ordered = _ordered(values, runs)
    some = np.flatnonzero(counts > 0)
    first = (runs.starts + left_out)[some]
    found = []
    for share in q:
        place = (counts[some] - 1) * share
        low = np.floor(place)
        rest = place - low
        below = ordered[first + low.astype(np.int64)]
        above = ordered[first + np.ceil(place).astype(np.int64)]
        between = np.zeros(len(runs))
        # From the nearer side, as numpy does, so that equal neighbours give exactly themselves.
        between[some] = np.where(
            rest < 0.5, below + (above - below) * rest, above - (above - below) * (1.0 - rest)
        )
        found.append(between)
    return found


def _ordered(values: Floats, runs: Runs) -> Floats:
    """Return each series in ascending order."""
    longest = int(runs.counts.max(initial=0))
    if longest * len(runs) > SPARSE * len(values):
        uneven: Floats = values[np.lexsort((values, runs.run))]
        return uneven
    table = np.full((len(runs), longest), np.inf)
    filled = np.arange(longest) < runs.counts[:, None]
    table[filled] = values
    table.sort(axis=1)
    ordered: Floats = table[filled]
    return ordered


def lagged(values: NDArray[Any], runs: Runs, lag: int) -> NDArray[Any]:
    """Return values[t] - values[t - lag] inside each series, 0 where there is nothing before."""
    found = np.zeros_like(values)
    if 0 < lag < len(values):
        found[lag:] = values[lag:] - values[:-lag]
        found[runs.at < lag] = 0
    return found


def largest(values: Floats, runs: Runs) -> Floats:
    """Return the largest entry (E,) of each series of numbers that are not negative."""
    found = np.zeros(len(runs))
    np.maximum.at(found, runs.run, values)
    return found

"""Quantiles of rows that come in parts: exact while the rows can be kept, from digests beyond."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robovalue_ros.contracts.types import Array
from robovalue_ros.plans.digest import (
    CLUSTERS,
    EMPTY,
    Digest,
    digest_of,
    digest_quantile,
    joined_digests,
)
from robovalue_ros.plans.ragged import Floats, Ints

EXACT_VALUES = 1 << 23  # numbers of a signal that are kept: 64 MiB
WAITING_VALUES = 1 << 20  # numbers that are gathered at once beyond that


class Quantiles:
    """What is known of the distribution of each dimension; never more than `exact_values` numbers.

    exact_values: 0 keeps none, every answer is then from digests.
    """

    def __init__(
        self, width: int, exact_values: int = EXACT_VALUES, clusters: int = CLUSTERS
    ) -> None:
        self.width, self.exact_values, self.clusters = width, exact_values, clusters
        self._waiting: list[tuple[Floats, Ints]] = []
        self._held = 0
        self._digests: list[Digest] | None = None

    @property
    def exact(self) -> bool:
        """Whether every number is still there."""
        return self._digests is None

    def add(self, rows: Array, counts: Ints | None = None) -> None:
        """Take up finite rows (N, D). counts (N,): how often each is there; rows of 0 are not."""
        counts = np.ones(len(rows), np.int64) if counts is None else np.asarray(counts, np.int64)
        there = counts > 0
        values = np.array(rows, np.float64)[there]
        self._wait(values, counts[there])

    def merge(self, other: Quantiles) -> None:
        """Take up all that another one of the same width has seen."""
        if other._digests is not None:
            self._join(other._digests)
        for values, counts in other._waiting:
            self._wait(values, counts)

    def answer(self, q: Sequence[float]) -> list[Floats]:
        """Return each quantile (D,); nothing may be missing, so call it after the first row."""
        if self._digests is not None:
            self._fold()
            found = [[digest_quantile(one, share) for one in self._digests] for share in q]
            return [np.array(row) for row in found]
        values = np.concatenate([part for part, _ in self._waiting])
        counts = np.concatenate([part for _, part in self._waiting])
        each = [ranked(values[:, at], counts, q) for at in range(self.width)]
        return [np.array([column[place] for column in each]) for place in range(len(q))]

    def _wait(self, values: Floats, counts: Ints) -> None:
        if not len(values):
            return
        self._waiting.append((values, counts))
        self._held += values.size
        if self._held > (self.exact_values if self.exact else WAITING_VALUES):
            self._fold()

    def _fold(self) -> None:
        """Turn what waits into digests."""
        parts, self._waiting, self._held = self._waiting, [], 0
        if not parts:
            self._digests = self._digests or [EMPTY] * self.width
            return
        values = np.concatenate([part for part, _ in parts])
        counts = np.concatenate([part for _, part in parts])
        self._join([digest_of(column, counts, self.clusters) for column in values.T])

    def _join(self, others: Sequence[Digest]) -> None:
        held = self._digests or [EMPTY] * self.width
        self._digests = [
            joined_digests(one, other, self.clusters)
            for one, other in zip(held, others, strict=True)
        ]


def ranked(values: Floats, counts: Ints, q: Sequence[float]) -> list[float]:
    """Return quantiles of numbers (N,) that are there `counts` times, as numpy's linear rule."""
    order = np.argsort(values, kind="stable")
    ends = np.cumsum(counts[order])
    ordered = values[order]
    found = []
    for share in q:
        place = share * (int(ends[-1]) - 1)
        low = int(np.floor(place))
        below = ordered[np.searchsorted(ends, low, side="right")]
        above = ordered[np.searchsorted(ends, int(np.ceil(place)), side="right")]
        rest = place - low
        near = (
            below + (above - below) * rest if rest < 0.5 else above - (above - below) * (1 - rest)
        )
        found.append(float(near))
    return found

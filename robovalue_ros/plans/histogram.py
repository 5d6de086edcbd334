"""Statistics by the rule of older tools, with what it loses, so that stored numbers can be replayed.

Sums stay in the precision of the rows, so squares of large numbers cancel. Quantiles are left
edges of a histogram; where its range grows, counts move to the bin of their old left edge.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.types import Array, NormStats
from robovalue_ros.plans.errors import PlanError

BINS = 5000
MARGIN = 1e-10
BATCH = 8
TOO_FEW = "Cannot compute statistics for less than 2 vectors."


class HistogramStats:
    """Statistics of batches (B, D) of one signal, all of one type."""

    def __init__(self) -> None:
        self.count = 0
        self._mean: NDArray[Any] = np.zeros(0)
        self._mean_square: NDArray[Any] = np.zeros(0)
        self._low: NDArray[Any] = np.zeros(0)
        self._high: NDArray[Any] = np.zeros(0)
        self._edges: list[NDArray[Any]] = []
        self._counts: list[NDArray[Any]] = []

    def add(self, batch: Array) -> None:
        """Take up a batch (..., D)."""
        rows = np.asarray(batch).reshape(-1, np.shape(batch)[-1])
        if self.count == 0:
            self._begin(rows)
        else:
            self._widen(rows)
        self.count += len(rows)
        share = len(rows) / self.count
        self._mean = self._mean + (rows.mean(axis=0) - self._mean) * share
        self._mean_square = self._mean_square + ((rows**2).mean(axis=0) - self._mean_square) * share
        for at, edges in enumerate(self._edges):
            self._counts[at] = self._counts[at] + np.histogram(rows[:, at], bins=edges)[0]

    def _begin(self, rows: NDArray[Any]) -> None:
        self._low, self._high = rows.min(axis=0), rows.max(axis=0)
        self._mean, self._mean_square = rows.mean(axis=0), (rows**2).mean(axis=0)
        self._edges = [
            np.linspace(low - MARGIN, high + MARGIN, BINS + 1)
            for low, high in zip(self._low, self._high, strict=True)
        ]
        self._counts = [np.zeros(BINS) for _ in self._edges]

    def _widen(self, rows: NDArray[Any]) -> None:
        low, high = rows.min(axis=0), rows.max(axis=0)
        wider = bool((low < self._low).any() or (high > self._high).any())
        self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)
        if not wider:
            return
        for at, edges in enumerate(self._edges):
            new = np.linspace(self._low[at], self._high[at], BINS + 1)
            self._counts[at] = np.histogram(edges[:-1], bins=new, weights=self._counts[at])[0]
            self._edges[at] = new

    def result(self) -> NormStats:
        """Return the statistics in the precision of the rows; PlanError for less than two."""
        if self.count < 2:
            raise PlanError(TOO_FEW)
        variance = self._mean_square - self._mean**2
        std = np.sqrt(np.maximum(0, variance))
        return NormStats(self._mean, std, self._quantile(0.01), self._quantile(0.99))

    def _quantile(self, q: float) -> NDArray[Any]:
        found = [
            edges[np.searchsorted(np.cumsum(counts), q * self.count)]
            for edges, counts in zip(self._edges, self._counts, strict=True)
        ]
        return np.array(found)


def reference_batches(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield the rows that older tools look at, 8 at a time: those that fill no batch are left out."""
    size = min(BATCH, len(rows))
    for number in range(len(rows) // size if size else 0):
        yield rows[number * size : (number + 1) * size]

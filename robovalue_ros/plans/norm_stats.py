"""What states and actions are normalised with: mean, deviation and outer quantiles of a signal.

Every row is seen, in double precision. The rule of older tools is `histogram`, on request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from robovalue_ros.contracts.types import Array, NormStats
from robovalue_ros.contracts.validate import describe, require
from robovalue_ros.plans.errors import PlanError
from robovalue_ros.plans.histogram import TOO_FEW, HistogramStats
from robovalue_ros.plans.moments import Moments, joined, moments_of
from robovalue_ros.plans.options import Compat
from robovalue_ros.plans.quantiles import EXACT_VALUES, Quantiles
from robovalue_ros.plans.ragged import Ints

OUTER = (0.01, 0.99)


class Statistics(Protocol):
    """What takes up batches of a signal and then says its statistics."""

    def add(self, batch: Array) -> None: ...

    def result(self) -> NormStats: ...


class RunningStats:
    """Statistics of one signal, from batches in any number, size and order.

    exact_values: numbers that are kept for exact quantiles; a signal with more has its quantiles
    from digests, whose error is far below a thousandth of the rows. Moments are exact either way.
    """

    def __init__(self, exact_values: int = EXACT_VALUES) -> None:
        self.exact_values = exact_values
        self._moments: Moments | None = None
        self._quantiles: Quantiles | None = None

    @property
    def count(self) -> int:
        """Rows that were taken up."""
        return 0 if self._moments is None else self._moments.count

    @property
    def exact(self) -> bool:
        """Whether quantiles are exact so far."""
        return self._quantiles is None or self._quantiles.exact

    def add(self, batch: Array, counts: Ints | None = None) -> None:
        """Take up rows (..., D), all finite. counts (N,): how often each of (N, D) rows is there.

        Windows that overlap are so taken up without being spelled out, see `window_counts`.
        """
        given = np.asarray(batch)
        require(given.ndim >= 2 and given.dtype.kind in "biuf", "batch", "numbers (..., D)",
                describe(given))  # fmt: skip
        rows = given.reshape(-1, given.shape[-1])
        if counts is not None:
            require(counts.shape == (len(rows),), "counts", f"({len(rows)},)", describe(counts))
        self._require_usable(rows)
        if not len(rows):
            return
        found = moments_of(rows, counts)
        self._moments = found if self._moments is None else joined(self._moments, found)
        if self._quantiles is None:
            self._quantiles = Quantiles(rows.shape[1], self.exact_values)
        self._quantiles.add(rows, counts)

    def merge(self, other: RunningStats) -> None:
        """Take up all that other statistics of the same signal have seen."""
        if other._moments is None or other._quantiles is None:
            return
        width = len(other._moments.mean)
        if self._moments is None or self._quantiles is None:
            self._moments, self._quantiles = other._moments, Quantiles(width, self.exact_values)
        else:
            self._require_width(width)
            self._moments = joined(self._moments, other._moments)
        self._quantiles.merge(other._quantiles)

    def result(self) -> NormStats:
        """Return the statistics (D,) in double precision; PlanError for less than two rows."""
        if self._moments is None or self._quantiles is None or self.count < 2:
            raise PlanError(TOO_FEW)
        q01, q99 = self._quantiles.answer(OUTER)
        return NormStats(self._moments.mean, self._moments.std, q01, q99)

    def _require_usable(self, rows: Array) -> None:
        if self._moments is not None:
            self._require_width(rows.shape[1])
        if rows.dtype.kind == "f":
            bad = np.flatnonzero(~np.isfinite(rows).all(axis=0))
            require(
                len(bad) == 0, "batch", "finite numbers",
                f"NaN or infinite in dimension {bad[0] if len(bad) else ''}",
            )  # fmt: skip

    def _require_width(self, width: int) -> None:
        assert self._moments is not None
        have = len(self._moments.mean)
        require(width == have, "batch", f"{have} dimensions", f"{width} wide")


def new_statistics(compat: Compat = "off", exact_values: int = EXACT_VALUES) -> Statistics:
    """Return statistics of nothing yet, by the rule that `compat` asks for."""
    return HistogramStats() if compat == "reference" else RunningStats(exact_values)


def norm_stats(batches: Mapping[str, Any], compat: Compat = "off") -> dict[str, NormStats]:
    """Return the statistics of signals, each given as its batches (B, D)."""
    found = {}
    for name, parts in batches.items():
        statistics = new_statistics(compat)
        for part in parts:
            statistics.add(part)
        found[name] = statistics.result()
    return found


def norm_document(stats: Mapping[str, NormStats]) -> dict[str, Any]:
    """Return what `norm_stats.json` holds of signals, in plain numbers."""
    names = ("mean", "std", "q01", "q99")
    return {
        "norm_stats": {
            signal: {name: getattr(found, name).tolist() for name in names}
            for signal, found in stats.items()
        }
    }

"""Mean and deviation of rows that come in parts, without loss where all values are alike.

Each part is centred on its own mean, and parts are joined by the difference of their means
(Chan, Golub and LeVeque), so nothing cancels that a sum of squares would lose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robovalue_ros.contracts.types import Array
from robovalue_ros.plans.ragged import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """count rows; mean and squares (D,), the sum of squared differences to the mean."""

    count: int
    mean: Floats
    squares: Floats

    @property
    def std(self) -> Floats:
        """The deviation (D,) of these rows, not an estimate for more of them."""
        return np.sqrt(self.squares / max(1, self.count))


def no_moments(width: int) -> Moments:
    """Return the moments of no rows at all."""
    return Moments(0, np.zeros(width), np.zeros(width))


def moments_of(rows: Array, counts: Ints | None = None) -> Moments:
    """Return the moments of rows (N, D). counts (N,): how often each row is there, at least 0."""
    given = np.asarray(rows, np.float64)
    total = len(given) if counts is None else int(counts.sum())
    if total == 0:
        return no_moments(given.shape[1])
    times = np.ones((len(given), 1)) if counts is None else counts[:, None]
    # Around one of the rows, so that rows which are all alike have exactly that mean.
    origin = given[0]
    away = given - origin
    shift = (away * times).sum(axis=0) / total
    squares = ((away - shift) ** 2 * times).sum(axis=0)
    return Moments(total, origin + shift, squares)


def joined(first: Moments, second: Moments) -> Moments:
    """Return the moments of the rows of both."""
    if first.count == 0 or second.count == 0:
        return second if first.count == 0 else first
    total = first.count + second.count
    apart = second.mean - first.mean
    mean = first.mean + apart * (second.count / total)
    between = apart**2 * (first.count * (second.count / total))
    return Moments(total, mean, first.squares + second.squares + between)

"""Success rates and their differences, with the chance of episodes and that of seeds told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.value.metrics.bootstrap import (
    percentile_interval,
    resample_counts,
    weighted_mean,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with two 95 % intervals. seeds: the mean of each seed.

    episodes: for other initial states with these trained policies. both: for other seeds too, as
    far as the few that there are can tell.
    """

    value: float
    episodes: tuple[float, float]
    both: tuple[float, float]
    seeds: tuple[float, ...]

    @property
    def one_sided(self) -> bool:
        """Whether neither interval holds 0."""
        return all(low > 0.0 or high < 0.0 for low, high in (self.episodes, self.both))


@dataclass(frozen=True, slots=True, eq=False)
class Resamples:
    """How often each of all seeds' episodes was drawn (1 + draws, S * E): the first row is the data.

    episodes: drawn again within each seed. both: of seeds that are drawn again as wholes.
    """

    seed_of: NDArray[np.int64]
    episodes: Floats
    both: Floats

    def estimate(self, values: Sequence[Floats]) -> Estimate:
        """Return the mean of values (E,), one array per seed."""
        joined = np.concatenate(list(values))
        within = percentile_interval(weighted_mean(joined, self.episodes))
        over = percentile_interval(weighted_mean(joined, self.both))
        return Estimate(
            within.value, (within.low, within.high), (over.low, over.high),
            tuple(float(np.mean(part)) for part in values),
        )  # fmt: skip


def resamples(seeds: int, episodes: int, draws: int, rng: np.random.Generator) -> Resamples:
    """Draw resamples once, so that all rows and their differences share them."""
    seed_of = np.repeat(np.arange(seeds), episodes)
    within = resample_counts(seed_of, draws, rng)
    times = np.ones((1 + draws, seeds))
    times[1:] = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws)
    return Resamples(seed_of, within, within * times[:, seed_of])

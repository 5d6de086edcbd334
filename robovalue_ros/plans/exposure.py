"""What a training run will see of a plan, before its first step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robovalue_ros.contracts.types import Array
from robovalue_ros.plans.ragged import Floats

TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Exposure:
    """Figures of a run. drawn: samples, steps times batch size.

    ess: effective number of samples. expected_unique, coverage: different samples that are drawn,
    and their share. avg_repeat: how often each of these. effective_repeat: drawn over ess.
    dropped_unique, dropped_repeat: the same when each pass drops what does not fill a batch, which
    matters only without replacement, and is estimated. most: draws of the most frequent sample.
    """

    drawn: int
    samples: int
    ess: float
    expected_unique: float
    coverage: float
    avg_repeat: float
    effective_repeat: float
    dropped_unique: float
    dropped_repeat: float
    most: float

    def metrics(self) -> dict[str, float]:
        """Return what is added to every logged step."""
        return {
            "exposure_n": self.drawn,
            "exposure_ESS": self.ess,
            "exposure_expected_unique": self.expected_unique,
            "exposure_expected_coverage": self.coverage,
            "exposure_avg_repeat": self.avg_repeat,
        }


def effective_samples(weights: Array) -> float:
    """Return the effective number of samples of weights (N,): 1 over the sum of squared shares."""
    shares = _shares(weights)
    return float(1.0 / np.sum(shares**2))


def exposure(weights: Array, steps: int, batch_size: int, replacement: bool) -> Exposure:
    """Return what steps of batch_size see of samples with weights (N,), not all zero."""
    shares = _shares(weights)
    samples, drawn = len(shares), steps * batch_size
    ess = effective_samples(weights)
    unique = expected_unique(shares, drawn) if replacement else float(min(samples, drawn))
    dropped, most = unique, drawn * float(shares.max())
    if not replacement:
        dropped = unique_of_passes(shares, steps, batch_size)
        most = float(-(-drawn // max(1, samples // batch_size * batch_size)))
    return Exposure(
        drawn=drawn, samples=samples, ess=ess, expected_unique=unique, coverage=unique / samples,
        avg_repeat=drawn / max(TINY, unique), effective_repeat=drawn / max(TINY, ess),
        dropped_unique=dropped, dropped_repeat=drawn / max(TINY, dropped), most=most,
    )  # fmt: skip


def _shares(weights: Array) -> Floats:
    given = np.asarray(weights, np.float64)
    shares: Floats = given / given.sum()
    return shares


def expected_unique(shares: Floats, drawn: int) -> float:
    """Return how many different samples `drawn` draws with replacement are expected to give."""
    if drawn == 0:
        return 0.0
    with np.errstate(divide="ignore"):  # a share of 1 is drawn for certain
        return float(np.sum(-np.expm1(drawn * np.log1p(-shares))))


def unique_of_passes(shares: Floats, steps: int, batch_size: int) -> float:
    """Estimate how many different samples passes without replacement give.

    A pass draws all samples and drops the last that fill no batch: mostly rare ones. Less than a
    batch of samples gives nothing.
    """
    per_pass = len(shares) // batch_size
    if per_pass == 0 or steps == 0:
        return 0.0
    whole, rest = divmod(steps, per_pass)
    missed = (1.0 - seen_early(shares, per_pass * batch_size)) ** whole
    if rest:
        missed = missed * (1.0 - seen_early(shares, rest * batch_size))
    return float(np.sum(1.0 - missed))


def seen_early(shares: Floats, first: int) -> Floats:
    """Return each sample's chance (N,) to be among the `first` of a weighted permutation.

    As if every sample came at a random time, sooner when its share is larger, and the time were up
    when `first` are expected to have come. Samples of weight 0 come last.
    """
    able = shares > 0
    count = int(np.count_nonzero(able))
    if first >= count:
        late = (first - count) / max(1, len(shares) - count)
        return np.where(able, 1.0, late)
    low, high = 0.0, 1.0 / float(shares[able].min())
    while _come(shares, high) < first:
        high *= 2.0
    for _ in range(100):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _come(shares, middle) < first else (low, middle)
    return -np.expm1(-shares * high)


def _come(shares: Floats, time: float) -> float:
    return float(np.sum(-np.expm1(-shares * time)))

"""Quantiles of numbers that are too many to keep: a t-digest of one signal.

Sorted numbers are gathered in clusters that are narrow at both ends of the distribution and wider in its
middle: cluster borders are even steps of k(q) = arcsin(2q - 1) (Dunning). So memory is bounded,
outer quantiles stay sharp, and digests of parts can be joined in any order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robovalue_ros.plans.ragged import Floats, Ints

CLUSTERS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Digest:
    """means (C,) ascending, counts (C,) of each cluster; the least and the largest number."""

    means: Floats
    counts: Ints
    least: float
    largest: float

    @property
    def count(self) -> int:
        return int(self.counts.sum())


EMPTY = Digest(np.zeros(0), np.zeros(0, np.int64), np.inf, -np.inf)


def digest_of(values: Floats, counts: Ints | None = None, clusters: int = CLUSTERS) -> Digest:
    """Return the digest of finite numbers (N,). counts (N,): how often each is there, at least 1."""
    if len(values) == 0:
        return EMPTY
    counts = np.ones(len(values), np.int64) if counts is None else counts
    return _gathered(values, counts, float(values.min()), float(values.max()), clusters)


def joined_digests(first: Digest, second: Digest, clusters: int = CLUSTERS) -> Digest:
    """Return the digest of the numbers of both."""
    if first.count == 0 or second.count == 0:
        return second if first.count == 0 else first
    return _gathered(
        np.concatenate([first.means, second.means]),
        np.concatenate([first.counts, second.counts]),
        min(first.least, second.least), max(first.largest, second.largest), clusters,
    )  # fmt: skip


def _gathered(values: Floats, counts: Ints, least: float, largest: float, clusters: int) -> Digest:
    order = np.argsort(values, kind="stable")
    values, counts = values[order], counts[order]
    ends = np.cumsum(counts)
    middle = (ends - counts / 2.0) / ends[-1]
    step = (clusters / np.pi) * (np.arcsin(2.0 * middle - 1.0) + np.pi / 2.0)
    starts = np.flatnonzero(np.diff(np.floor(step), prepend=-1.0))
    gathered = np.add.reduceat(counts, starts)
    # Around the first of each cluster, so that equal numbers have exactly that mean.
    first = values[starts]
    sizes = np.diff(starts, append=len(values))
    away = np.add.reduceat((values - np.repeat(first, sizes)) * counts, starts)
    means = np.clip(first + away / gathered, first, values[starts + sizes - 1])
    return Digest(means, gathered, least, largest)


def digest_quantile(digest: Digest, q: float) -> float:
    """Return the quantile q, in 0..1, of the numbers of a digest that is not empty.

    Between the middles of neighbouring clusters, which is numpy's linear rule where every cluster
    is one number.
    """
    total = digest.count
    middles = np.cumsum(digest.counts) - (digest.counts + 1) / 2.0
    places = np.concatenate([[0.0], middles, [total - 1.0]])
    known = np.concatenate([[digest.least], digest.means, [digest.largest]])
    return float(np.interp(q * (total - 1), places, known))

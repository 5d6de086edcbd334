"""Vectors that describe a sequence without a network: which codes, which pairs, which averages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.validate import require
from robovalue_ros.segment.codes.sequences import Doubles, Floats, Ints

Transform = Literal["none", "sqrt", "log1p", "tfidf"]
SMOOTHING = 1e-8
FIRST_FACTOR, SECOND_FACTOR = 1_315_423_911, 2_654_435_761
BIGRAM_DIM = 512


def code_counts(codes: Sequence[Ints], size: int) -> Doubles:
    """Count each code, (N, size); a code beyond the book counts as its last one."""
    counts = np.zeros((len(codes), size))
    for row, sequence in zip(counts, codes, strict=True):
        row += np.bincount(np.clip(sequence, 0, size - 1), minlength=size)
    return counts


def bag_of_words(counts_NK: Doubles, transform: Transform = "none") -> Doubles:
    """Return unit vectors (N, K) of smoothed shares of codes, transformed.

    tfidf weighs a code by how few sequences hold it. That is told from the counts themselves: the
    smoothed shares are above zero everywhere.
    """
    smooth = counts_NK + SMOOTHING
    shares = smooth / smooth.sum(axis=1, keepdims=True)
    if transform == "sqrt":
        shares = np.sqrt(shares)
    elif transform == "log1p":
        shares = np.log1p(shares)
    elif transform == "tfidf":
        shares = shares * smooth_idf(counts_NK)
    return unit_length(shares)


def smooth_idf(counts_NK: Doubles) -> Doubles:
    """Return ln((n + 1) / (df + 1)) + 1 of each code, (K,); df: sequences that hold it."""
    held = (counts_NK > 0).sum(axis=0)
    weights: Doubles = np.log((len(counts_NK) + 1) / (held + 1)) + 1
    return weights


def shares_of_codes(codes: Sequence[Ints], size: int) -> Floats:
    """Return the share of each code, (N, size) float32; zeros for an empty sequence."""
    return scaled_to_sum(code_counts(codes, size)).astype(np.float32)


def tfidf(codes: Sequence[Ints], size: int) -> Floats:
    """Return unit vectors (N, size) of counts weighed by smooth idf."""
    counts = code_counts(codes, size)
    return unit_length(counts * smooth_idf(counts)).astype(np.float32)


def bigram_counts(codes: Sequence[Ints], dim: int = BIGRAM_DIM, *, shares: bool = False) -> Floats:
    """Count pairs of neighbouring codes in `dim` hashed places, (N, dim) float32."""
    require(dim > 0, "dim", "at least one", dim)
    counts = np.zeros((len(codes), dim))
    for row, sequence in zip(counts, codes, strict=True):
        first, second = sequence[:-1].astype(np.int64), sequence[1:].astype(np.int64)
        places = (FIRST_FACTOR * first + SECOND_FACTOR * second) % dim
        row += np.bincount(places, minlength=dim)
    return (scaled_to_sum(counts) if shares else counts).astype(np.float32)


def mean_vectors(vectors: Sequence[Floats]) -> Doubles:
    """Return the mean (N, D) of each sequence's vectors (m, D)."""
    return np.stack([rows.astype(np.float64).mean(axis=0) for rows in vectors])


def norm_weighted_mean(rows_MD: NDArray[Any]) -> Doubles:
    """Return the mean (D,) of vectors weighed by their lengths; the plain one when all are zero."""
    rows = np.asarray(rows_MD, np.float64)
    lengths = np.linalg.norm(rows, axis=1)
    total = lengths.sum()
    weights = lengths / total if total > 0 else np.full(len(rows), 1 / len(rows))
    mean: Doubles = weights @ rows
    return mean


def piecewise_means(values_T: NDArray[Any], pieces: int) -> Doubles:
    """Shorten a series (T,) to `pieces` means of its parts; a shorter one stays as it is.

    Sample i belongs to part floor(i * pieces / T).
    """
    values = np.asarray(values_T, np.float64)
    if len(values) <= pieces:
        return values
    part = np.arange(len(values)) * pieces // len(values)
    means: Doubles = np.bincount(part, values) / np.bincount(part)
    return means


def unit_length(rows_ND: NDArray[Any]) -> Doubles:
    """Bring every row to length one; a zero row stays zero."""
    rows = np.asarray(rows_ND, np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    result: Doubles = rows / np.where(lengths > 0, lengths, 1.0)
    return result


def scaled_to_sum(counts_NK: Doubles) -> Doubles:
    """Divide every row by its sum; a zero row stays zero."""
    sums = counts_NK.sum(axis=1, keepdims=True)
    result: Doubles = counts_NK / np.where(sums > 0, sums, 1.0)
    return result

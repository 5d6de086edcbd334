"""Vectors of code files by the name of a feature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.types import Finding
from robovalue_ros.pipelines.codes.config import PlainFeature, Transform
from robovalue_ros.segment.codes.features import (
    bag_of_words,
    bigram_counts,
    code_counts,
    mean_vectors,
    norm_weighted_mean,
    tfidf,
    unit_length,
)
from robovalue_ros.segment.codes.reduce import reduced, standardised
from robovalue_ros.segment.codes.sequences import CodeSequence, Doubles, codebook_size
from robovalue_ros.segment.codes.warping import placed, strength_series, warping_distances

NEED_VECTORS = ("avg", "attn_norm", "dtw")
Rows = Doubles


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """rows (N, D) of the sequences that have what the feature asks for."""

    sequences: tuple[CodeSequence, ...]
    rows: Rows
    findings: tuple[Finding, ...]


def described(
    sequences: Sequence[CodeSequence], feature: PlainFeature, transform: Transform, root: Path
) -> Described:
    """Return vectors of sequences; those without vectors of their tokens are named and left out.

    Raises DataError when none is left.
    """
    if feature not in NEED_VECTORS:
        codes = [sequence.codes for sequence in sequences]
        size = codebook_size(sequences)
        if feature == "bow":
            rows = bag_of_words(code_counts(codes, size), transform)
        elif feature == "tfidf":
            rows = tfidf(codes, size).astype(np.float64)
        else:
            rows = unit_length(bigram_counts(codes))
        return Described(tuple(sequences), rows, ())
    kept, findings = _with_vectors(sequences, root)
    vectors = [sequence.vectors for sequence in kept if sequence.vectors is not None]
    if feature == "avg":
        return Described(kept, reduced(mean_vectors(vectors)).points, findings)
    if feature == "dtw":
        distances = warping_distances([strength_series(rows) for rows in vectors])
        return Described(kept, placed(distances), findings)
    pooled = np.stack([norm_weighted_mean(rows) for rows in vectors])
    return Described(kept, unit_length(standardised(pooled)), findings)


def _with_vectors(
    sequences: Sequence[CodeSequence], root: Path
) -> tuple[tuple[CodeSequence, ...], tuple[Finding, ...]]:
    """Keep sequences with token vectors, all of the width that most have."""
    widths = [s.vectors.shape[1] for s in sequences if s.vectors is not None]
    if not widths:
        raise DataError(
            root, "no file holds vectors of its tokens", "latent_matrix or quantized_windows",
            "Use --feature bow, or export codes again.",
        )  # fmt: skip
    width = max(sorted(set(widths)), key=widths.count)
    kept, findings = [], []
    for sequence in sequences:
        if sequence.vectors is None:
            findings.append(Finding("warning", sequence.name, "left out: no vectors of its tokens"))
        elif sequence.vectors.shape[1] != width:
            text = f"left out: vectors of {sequence.vectors.shape[1]} numbers, most have {width}"
            findings.append(Finding("warning", sequence.name, text))
        else:
            kept.append(sequence)
    return tuple(kept), tuple(findings)

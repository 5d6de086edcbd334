"""The functions behind the entries of segmenter.json about code sequences (uv_*, seq_max_len_*).

`CALLS` answers to the function of an entry; an entry of `umap_vis` names its own function as the
second argument.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from robovalue_ros.segment.codes.features import (
    bigram_counts,
    norm_weighted_mean,
    piecewise_means,
    shares_of_codes,
    tfidf,
)
from robovalue_ros.segment.codes.lengths import auto_max_len
from robovalue_ros.segment.codes.quality import spread


def _codes(sequences: Any) -> list[Any]:
    return [np.array(sequence, np.int64) for sequence in sequences]


def _spread(rows: Any, labels: Any, metric: str) -> list[float]:
    found = spread(np.array(rows, float), np.array(labels), metric)
    return [found.intra, found.inter, found.ratio]


def _bigrams(sequences: Any, dim: int, shares: bool = False) -> Any:
    return bigram_counts(_codes(sequences), dim, shares=shares)


PARTS: dict[str, Callable[..., Any]] = {
    "intra_inter_stats": _spread,
    "paa_reduce": lambda series, pieces: piecewise_means(np.array(series, float), pieces),
    "build_bow": lambda sequences, size: shares_of_codes(_codes(sequences), size),
    "build_tfidf": lambda sequences, size: tfidf(_codes(sequences), size),
    "build_bigram_hash": _bigrams,
}


def umap_vis(_module: str, name: str, *given: Any) -> Any:
    """Run the part that is named; raises KeyError for one that nothing stands behind.

    A pooling is named in its function's name or among the arguments.
    """
    if "attn_norm" in name or "attn_norm" in [word for word in given if isinstance(word, str)]:
        return norm_weighted_mean(np.array(given[0], float))
    return PARTS[name](*given)


def max_len_auto(lengths: Any, cap: int | None = None) -> int:
    return auto_max_len(lengths, cap)


CALLS: dict[str, Callable[..., Any]] = {
    "umap_vis": umap_vis,
    "formula:max_len_auto": max_len_auto,
}

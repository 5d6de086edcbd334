"""How long the network's input is: from the lengths of the sequences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from robovalue_ros.contracts.validate import require

QUANTILE, MULTIPLE = 0.98, 16
PERCENTILES = (10, 25, 50, 75, 90, 95, 98, 99)
MOST_LENGTHS, BINS = 60, 20


def auto_max_len(
    lengths: Sequence[int],
    cap: int | None = None,
    quantile: float = QUANTILE,
    multiple: int = MULTIPLE,
) -> int:
    """Return a length that nearly all sequences fit in.

    It is the quantile, rounded up to a multiple, at least the 90th percentile, at most `cap` and
    at most the longest sequence.
    """
    require(len(lengths) > 0, "lengths", "at least one", "none")
    values = np.asarray(lengths, np.float64)
    wanted = float(np.quantile(values, quantile))
    wanted = float(np.ceil(wanted / multiple) * multiple)
    wanted = max(wanted, float(np.quantile(values, 0.9)))
    if cap is not None and cap > 0:
        wanted = min(wanted, float(cap))
    return max(1, round(min(wanted, float(values.max()))))


def resolve_max_len(
    wanted: int | Literal["auto"], lengths: Sequence[int], cap: int | None = None
) -> int:
    """Return the length asked for; `auto`, zero and less mean the rule of `auto_max_len`."""
    if wanted == "auto" or wanted <= 0:
        return auto_max_len(lengths, cap)
    return int(wanted)


def truncation_ratio(lengths: Sequence[int], max_len: int) -> float:
    """Return the share of sequences that are cut at max_len."""
    return float(np.mean(np.asarray(lengths) > max_len))


def length_analysis(lengths: Sequence[int], max_len: int, cap: int | None = None) -> dict[str, Any]:
    """Describe lengths as plain values: moments, percentiles, what was chosen, two histograms."""
    values = np.asarray(lengths, np.int64)
    counts = sorted(Counter(values.tolist()).items())
    heights, edges = np.histogram(values, bins=BINS)
    return {
        "count": len(values),
        "min": int(values.min()),
        "max": int(values.max()),
        "mean": float(values.mean()),
        "std": float(values.std()),
        **{f"p{p}": float(np.percentile(values, p)) for p in PERCENTILES},
        "auto": {
            "quantile": QUANTILE,
            "multiple": MULTIPLE,
            "cap": cap,
            "suggested": auto_max_len(lengths, cap),
            "max_len_resolved": max_len,
            "truncation_ratio": truncation_ratio(lengths, max_len),
        },
        "histogram": {str(length): count for length, count in counts[:MOST_LENGTHS]},
        "histogram_bins": {"edges": edges.tolist(), "counts": heights.tolist()},
    }

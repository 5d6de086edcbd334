"""Which energy separates windows with motion from still ones: labels, sweep and report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import ConfigError, nearest
from robovalue_ros.contracts.types import Array
from robovalue_ros.contracts.validate import describe, require
from robovalue_ros.segment.smoothing import SmoothingOptions

Floats = NDArray[np.float64]
Comparison = Literal["at least", "above"]
TINY = 1e-12


def otsu(values: Array, bins: int = 256) -> float:
    """Return the level that splits values (T,) best in two; NaN and infinite ones are left aside.

    The centre of one of `bins` equal bins, the first of equally good ones. Equal values give theirs.
    """
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    require(finite.size > 0, "values", "at least one finite number", describe(values))
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        return low
    counts, edges = np.histogram(finite, bins, (low, high))
    share = counts / (counts.sum() + TINY)
    centres = (edges[:-1] + edges[1:]) / 2.0
    below, mean_below = np.cumsum(share), np.cumsum(share * centres)
    between = (mean_below[-1] * below - mean_below) ** 2 / (below * (1.0 - below) + TINY)
    return float(centres[int(between.argmax())])


def label_threshold(velocity: Array, spec: str = "auto") -> float:
    """Return the velocity energy above which a window counts as motion.

    spec: `auto` (Otsu), `quantile:q` or `value:x`. Raises ConfigError for anything else.
    """
    kind, _, text = spec.partition(":")
    if spec == "auto":
        return otsu(velocity)
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if kind == "value" and np.isfinite(number):
        return number
    if kind == "quantile" and 0.0 <= number <= 1.0:
        return float(np.quantile(np.asarray(velocity, np.float64), number))
    raise ConfigError(
        f"label threshold {spec!r} is unknown", "auto, quantile:q with q in 0..1, or value:x"
    )


@dataclass(frozen=True, slots=True)
class Counts:
    """How predictions at a threshold agree with labels."""

    thr: float
    tp: int
    tn: int
    fp: int
    fn: int

    def to_mapping(self) -> dict[str, float | int]:
        """Return the counts and their ratios under the names of the reports."""
        tpr = self.tp / (self.tp + self.fn + TINY)
        fpr = self.fp / (self.fp + self.tn + TINY)
        precision = self.tp / (self.tp + self.fp + TINY)
        total = self.tp + self.tn + self.fp + self.fn
        return {
            "thr": self.thr, "tp": self.tp, "tn": self.tn, "fp": self.fp, "fn": self.fn,
            "tpr": tpr, "fpr": fpr, "precision": precision, "recall": tpr,
            "f1": 2.0 * precision * tpr / (precision + tpr + TINY),
            "acc": (self.tp + self.tn) / (total + TINY),
        }  # fmt: skip


def candidates(energy: Array) -> Floats:
    """Return the thresholds worth trying: every distinct energy, then the middles between them."""
    distinct = np.unique(np.asarray(energy, np.float64))
    return np.concatenate([distinct, (distinct[:-1] + distinct[1:]) / 2.0])


def sweep(energy: Array, moving: NDArray[np.bool_], comparison: Comparison) -> list[Counts]:
    """Return the counts at every candidate threshold for labels (T,).

    comparison: a window counts as motion when its energy is at least, or above, the threshold. The
    stream asks for at least.
    """
    values = np.asarray(energy, np.float64)
    require(
        values.ndim == 1 and values.shape == moving.shape and values.size > 0,
        "energy, labels", "two series (T,) of one length", f"{describe(values)}, {describe(moving)}",
    )  # fmt: skip
    tried = candidates(values)
    side: Literal["left", "right"] = "left" if comparison == "at least" else "right"
    positive, negative = np.sort(values[moving]), np.sort(values[~moving])
    missed = np.searchsorted(positive, tried, side)
    rejected = np.searchsorted(negative, tried, side)
    return [
        Counts(float(thr), len(positive) - int(fn), int(tn), len(negative) - int(tn), int(fn))
        for thr, fn, tn in zip(tried, missed, rejected, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class BestThresholds:
    """The best of a sweep: by Youden's J = tpr - fpr, and by F1; the first of equally good ones."""

    by_j: Counts
    by_f1: Counts
    label_spec: str
    label_threshold: float
    positives: int
    negatives: int
    stats: Mapping[str, float]
    comparison: Comparison

    def to_mapping(self, smoothing: SmoothingOptions) -> dict[str, Any]:
        """Return the report as the threshold tools have always written it.

        smoothing: what the energy went through before. The key `comparison` is new. The names
        say quantized_token_diff whatever the energy is.
        """
        by_j, by_f1 = self.by_j.to_mapping(), self.by_f1.to_mapping()
        return {
            "label_spec": self.label_spec,
            "label_threshold_on_velocity_token_diff": self.label_threshold,
            "n_samples": self.positives + self.negatives,
            "n_pos": self.positives,
            "n_neg": self.negatives,
            "quantized_token_diff_best": {
                "best_j": {"J": by_j["tpr"] - by_j["fpr"], **by_j},
                "best_f1": {"F1": by_f1["f1"], **by_f1},
            },
            "quantized_stats": dict(self.stats),
            "smoothing": {
                "enabled": smoothing.enable,
                "method": smoothing.method,
                "alpha": smoothing.alpha,
                "window": smoothing.window,
                "applied_to": "quantized_series_only",
            },
            "comparison": self.comparison,
        }


def best_thresholds(
    energy: Array, velocity: Array, spec: str = "auto", comparison: Comparison = "at least"
) -> BestThresholds:
    """Return the thresholds on `energy` (T,) that tell best what `velocity` (T,) calls motion."""
    values, speeds = np.asarray(energy, np.float64), np.asarray(velocity, np.float64)
    level = label_threshold(speeds, spec)
    moving = speeds > level
    tried = sweep(values, moving, comparison)
    ratios = [counts.to_mapping() for counts in tried]
    by_j = int(np.argmax([found["tpr"] - found["fpr"] for found in ratios]))
    by_f1 = int(np.argmax([found["f1"] for found in ratios]))
    positives = int(moving.sum())
    return BestThresholds(
        tried[by_j], tried[by_f1], spec, level, positives, len(values) - positives,
        describe_series(values), comparison,
    )  # fmt: skip


def describe_series(values: Array) -> dict[str, float]:
    """Return least, most, mean and quantiles of a series."""
    quantiles = {f"q{q}": float(np.quantile(values, q / 100.0)) for q in (25, 50, 75, 90)}
    return {
        "min": float(np.min(values)), "max": float(np.max(values)),
        "mean": float(np.mean(values)), **quantiles,
    }  # fmt: skip


def aligned(*series: Mapping[int, float]) -> tuple[NDArray[np.int64], list[Floats]]:
    """Return the windows that all series have, in order, and their values there."""
    common = sorted(set.intersection(*(set(values) for values in series)))
    return np.array(common, np.int64), [
        np.array([values[window] for window in common], np.float64) for values in series
    ]


def aggregate(
    thresholds: Mapping[str, float], method: Literal["median", "mean"] = "median"
) -> float:
    """Return one threshold for many videos."""
    require(len(thresholds) > 0, "thresholds", "at least one video", "none")
    values = list(thresholds.values())
    return float(np.median(values) if method == "median" else np.mean(values))


def threshold_from_report(report: Mapping[str, Any], key: str) -> float:
    """Return the number at a dotted path of a report.

    Raises ConfigError naming the nearest path for one that is not there, or is no number.
    """
    value: Any = report
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        found = "nothing" if value is None else describe(value)
        raise ConfigError(
            f"the report has {found} at {key!r}", "a number", nearest(key, _number_paths(report))
        )
    return float(value)


def _number_paths(report: Mapping[str, Any], prefix: str = "") -> Sequence[str]:
    paths: list[str] = []
    for key, value in report.items():
        if isinstance(value, Mapping):
            paths.extend(_number_paths(value, f"{prefix}{key}."))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            paths.append(f"{prefix}{key}")
    return paths

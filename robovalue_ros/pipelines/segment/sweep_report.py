"""How well energies tell motion from stillness: JSON, CSV, pictures and a page."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from scipy import stats

from robovalue_ros.contracts.progress import Progress
from robovalue_ros.data.atomic import write_bytes, write_json
from robovalue_ros.pipelines.segment.energies import Floats, Pair
from robovalue_ros.pipelines.segment.sweep_config import SweepConfig
from robovalue_ros.report.page import Band, Report, ReportChapter, ReportEpisode, render
from robovalue_ros.report.sweeps import draw_distributions, draw_sweep
from robovalue_ros.segment.separation import separation
from robovalue_ros.segment.threshold import (
    BestThresholds,
    Comparison,
    best_thresholds,
    describe_series,
    label_threshold,
    sweep,
)

METRICS = ("auc", "cohen_d", "ks", "median_gap", "tail_gap", "pearson", "spearman")
HEADS = (
    "AUC", "Cohen's d", "KS", "gap of medians", "q10 of moving - q90 of still", "Pearson", "Spearman",
)  # fmt: skip
LARGEST_STEP = 2  # windows further apart than this are not one action


def write_report(
    folder: Path, pairs: Sequence[Pair], config: SweepConfig, progress: Progress
) -> list[Path]:
    """Write metrics, statistics, correlations, pictures and a page; returns the files."""
    kinds = list(dict.fromkeys(pair.kind for pair in pairs))
    pooled = {kind: _pooled([pair for pair in pairs if pair.kind == kind]) for kind in kinds}
    rows = {kind: _metrics(pair, config) for kind, pair in pooled.items()}
    files: dict[str, bytes | str] = {
        "metrics.csv": _csv(("energy", *METRICS), [(k, *r.values()) for k, r in rows.items()]),
        "descriptive_stats.csv": _descriptive(pooled, config),
        "correlation.csv": _correlations(pairs),
    }
    with progress.stage("pictures", len(pooled)) as tick:
        for number, (kind, pair) in enumerate(pooled.items()):
            name = "".join(c if c.isalnum() else "_" for c in kind) or f"energy_{number}"
            best = _best(pair, config)
            moving = pair.velocity > best.label_threshold
            files[f"{name}_distributions.png"] = draw_distributions(
                pair.energy[moving], pair.energy[~moving], best.by_f1.thr, kind
            )
            tried = sorted(sweep(pair.energy, moving, best.comparison), key=lambda one: one.thr)
            told = [one.to_mapping() for one in tried]
            files[f"{name}_sweep.png"] = draw_sweep(
                np.array([one.thr for one in tried]),
                {
                    "F1": np.array([one["f1"] for one in told]),
                    "J": np.array([one["tpr"] - one["fpr"] for one in told]),
                },
                {"best F1": best.by_f1.thr, "best J": best.by_j.thr},
                kind,
            )
            tick(1)
    files["report.html"] = render(_page(pairs, rows, config))
    write_json(folder / "metrics.json", {kind: _plain(row) for kind, row in rows.items()})
    for file, content in files.items():
        write_bytes(
            folder / file, content if isinstance(content, bytes) else content.encode("utf-8")
        )
    return [folder / "metrics.json", *(folder / file for file in files)]


def _pooled(pairs: Sequence[Pair]) -> Pair:
    return Pair(
        "all", pairs[0].kind,
        np.concatenate([pair.windows for pair in pairs]),
        np.concatenate([pair.energy for pair in pairs]),
        np.concatenate([pair.velocity for pair in pairs]),
    )  # fmt: skip


def _best(pair: Pair, config: SweepConfig) -> BestThresholds:
    comparison: Comparison = "above" if config.compat == "reference" else "at least"
    return best_thresholds(pair.energy, pair.velocity, config.label_threshold, comparison)


def _metrics(pair: Pair, config: SweepConfig) -> dict[str, float]:
    level = label_threshold(pair.velocity, config.label_threshold)
    return asdict(separation(pair.energy, pair.velocity, pair.velocity > level))


def _descriptive(pooled: Mapping[str, Pair], config: SweepConfig) -> str:
    rows = []
    for kind, pair in pooled.items():
        moving = pair.velocity > label_threshold(pair.velocity, config.label_threshold)
        for group, chosen in (("all", moving | True), ("moving", moving), ("still", ~moving)):
            if chosen.any():
                told = describe_series(pair.energy[chosen])
                rows.append((kind, group, int(chosen.sum()), *told.values()))
    heads = ("energy", "windows", "count", "min", "max", "mean", "q25", "q50", "q75", "q90")
    return _csv(heads, rows)


def _correlations(pairs: Sequence[Pair]) -> str:
    """Return correlations of each energy with the velocity, and of energies of one video."""
    rows: list[Sequence[object]] = []
    for place, pair in enumerate(pairs):
        rows.append((pair.name, pair.kind, "velocity", *_correlation(pair.energy, pair.velocity)))
        for other in pairs[place + 1 :]:
            common, ours, theirs = np.intersect1d(pair.windows, other.windows, return_indices=True)
            if pair.kind != other.kind and len(common):
                values = _correlation(pair.energy[ours], other.energy[theirs])
                rows.append((pair.name, pair.kind, other.kind, *values))
    return _csv(("video", "energy", "with", "pearson", "spearman"), rows)


def _correlation(one: Floats, other: Floats) -> tuple[float, float]:
    if len(one) < 2 or np.ptp(one) == 0.0 or np.ptp(other) == 0.0:
        return float("nan"), float("nan")
    return float(np.corrcoef(one, other)[0, 1]), float(stats.spearmanr(one, other).statistic)


def _page(
    pairs: Sequence[Pair], rows: Mapping[str, Mapping[str, float]], config: SweepConfig
) -> Report:
    level = (
        f"What counts as motion: velocities above the label threshold ({config.label_threshold})."
    )
    table = ReportChapter(
        "How well each energy tells motion", level, ("energy", *HEADS),
        tuple((kind, *(_shown(value) for value in row.values())) for kind, row in rows.items()),
    )  # fmt: skip
    thresholds = []
    episodes = []
    for pair in pairs:
        best = _best(pair, config)
        told = best.by_f1.to_mapping()
        thresholds.append(
            (pair.name, pair.kind, len(pair.windows), best.by_f1.thr, told["f1"], best.by_j.thr)
        )
        episodes.append(_episode(pair, best))
    chapter = ReportChapter(
        "Thresholds", "The best of each video; a stream reads the one in the JSON report.",
        ("video", "energy", "windows", "best F1 at", "F1", "best J at"), tuple(thresholds),
    )  # fmt: skip
    return Report(
        "Energies and thresholds", f"{len(pairs)} series", tuple(episodes), (table, chapter)
    )


def _episode(pair: Pair, best: BestThresholds) -> ReportEpisode:
    """Return a series as the page's viewer draws it: one second stands for one window."""
    above = np.flatnonzero(pair.energy >= best.by_f1.thr)
    bands = []
    if above.size:
        breaks = np.flatnonzero(np.diff(pair.windows[above]) > LARGEST_STEP)
        for group in np.split(above, breaks + 1):
            start, stop = float(pair.windows[group[0]]), float(pair.windows[group[-1]] + 1)
            bands.append(Band(start, stop, "above the best F1"))
    return ReportEpisode(
        f"{pair.name}, {pair.kind}", "", None, 1.0, pair.windows.astype(np.float64),
        signals={"energy": pair.energy, "velocity": pair.velocity},
        facts={"threshold": best.by_f1.thr, "windows": len(pair.windows)},
        notes="One second on the time axis is one window.", bands=tuple(bands),
    )  # fmt: skip


def _csv(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows(rows)
    return stream.getvalue()


def _shown(value: float) -> float | None:
    return None if math.isnan(value) else value


def _plain(row: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _shown(value) for name, value in row.items()}

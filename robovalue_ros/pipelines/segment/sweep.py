"""`robovalue segment sweep`: the threshold that tells motion best, or finds marked boundaries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.atomic import write_json
from robovalue_ros.data.segment_files import read_energies, read_segments
from robovalue_ros.pipelines.segment.energies import Pair, both, energy_files, read_pair, series
from robovalue_ros.pipelines.segment.sweep_config import SweepConfig, TruthOptions
from robovalue_ros.pipelines.segment.sweep_report import write_report
from robovalue_ros.pipelines.segment.truths import true_files
from robovalue_ros.segment.ground_truth import (
    MarkedSeries,
    best_against_truth,
    sweep_against_truth,
)
from robovalue_ros.segment.hysteresis import HysteresisOptions
from robovalue_ros.segment.series import grouped, step_limit
from robovalue_ros.segment.threshold import BestThresholds, Comparison, aggregate, best_thresholds

DEFAULT_PROGRESS = SilentProgress()
Kind = Literal["pair", "videos", "truth"]
PER_FRAME = "optical_flow"  # the only energy of single frames


@dataclass(frozen=True, slots=True)
class SweepResult:
    """report: what was written, None when no window is common to both files.

    best: how the best thresholds are called, and what they reach. files: everything written.
    """

    kind: Kind
    report: dict[str, Any] | None
    best: tuple[tuple[str, float, float], ...]
    videos: int
    files: tuple[Path, ...]
    findings: tuple[Finding, ...]


def sweep_thresholds(config: SweepConfig, *, progress: Progress = DEFAULT_PROGRESS) -> SweepResult:
    """Find thresholds and write the report; raises ConfigError or DataError."""
    kind = _kind(config)
    if kind == "truth":
        return _against_truth(config, progress)
    pairs, findings = _pairs(config, kind, progress)
    if not pairs:
        return SweepResult(kind, None, (), 0, (), tuple(findings))
    comparison: Comparison = "above" if config.compat == "reference" else "at least"
    found = {
        pair.name: best_thresholds(pair.energy, pair.velocity, config.label_threshold, comparison)
        for pair in pairs
    }
    if kind == "pair":
        (only,) = found.values()
        report = only.to_mapping(config.smoothing)
    else:
        report = _joined(config, found)
    best = report["quantized_token_diff_best"]
    rows = [(name, float(best[name]["thr"]), _score(best[name], name)) for name in best]
    write_json(config.output_json, report)
    files = [config.output_json]
    if config.report_dir is not None:
        more = [_further(config, path) for path in config.energies]
        files += write_report(config.report_dir, [*pairs, *more], config, progress)
    return SweepResult(kind, report, tuple(rows), len(pairs), tuple(files), tuple(findings))


def _kind(config: SweepConfig) -> Kind:
    """Say which of the three uses is asked for."""
    given: list[tuple[Kind, tuple[Path | None, Path | None], str]] = [
        ("pair", (config.quantized_jsonl, config.velocity_jsonl),
         "--quantized-jsonl and --velocity-jsonl"),
        ("videos", (config.quantized_root, config.velocity_root),
         "--quantized-root and --velocity-root"),
        ("truth", (config.truth.gt_dir, config.truth.energy_root), "--gt-dir and --energy-root"),
    ]  # fmt: skip
    asked = [(kind, paths, flags) for kind, paths, flags in given if any(paths)]
    if len(asked) != 1:
        choices = "; ".join(flags for _, _, flags in given)
        found = "several things to sweep at once" if asked else "nothing to sweep"
        raise ConfigError(f"segment sweep was given {found}", f"one of: {choices}")
    kind, paths, flags = asked[0]
    if not all(paths):
        raise ConfigError("segment sweep was given one half of a pair", flags)
    return kind


def _pairs(config: SweepConfig, kind: Kind, progress: Progress) -> tuple[list[Pair], list[Finding]]:
    if kind == "pair":
        assert config.quantized_jsonl is not None and config.velocity_jsonl is not None
        name = config.quantized_jsonl.parent.name or config.quantized_jsonl.stem
        pair, noticed = read_pair(
            name, config.quantized_jsonl, config.velocity_jsonl, config.smoothing
        )
        return ([pair] if len(pair.windows) else []), noticed
    assert config.quantized_root is not None and config.velocity_root is not None
    ours = energy_files(config.quantized_root, _word(config.quantized_root, "quantized"))
    theirs = energy_files(config.velocity_root, _word(config.velocity_root, "velocity"))
    names, findings = both(ours, theirs)
    pairs = []
    with progress.stage("videos", len(names)) as tick:
        for name in names:
            try:
                pair, noticed = read_pair(name, ours[name], theirs[name], config.smoothing)
                findings += noticed
                if len(pair.windows):
                    pairs.append(pair)
                else:
                    found = "both files have no window in common"
                    findings.append(Finding("warning", name, found, "It is left out."))
            except DataError as problem:
                findings.append(Finding("error", name, str(problem), "It is left out."))
            tick(1)
    return pairs, findings


def _word(root: Path, word: str) -> str:
    """Return the kind of energy to take from a folder that also holds others, "" where it does not."""
    return word if any(root.rglob(f"*{word}_*.jsonl")) else ""


def _joined(config: SweepConfig, found: dict[str, BestThresholds]) -> dict[str, Any]:
    """Return the report over videos: one threshold, and what each video would choose."""
    source = f"{config.aggregate} over {len(found)} videos"
    by_j = aggregate({name: best.by_j.thr for name, best in found.items()}, config.aggregate)
    by_f1 = aggregate({name: best.by_f1.thr for name, best in found.items()}, config.aggregate)
    per_video = {}
    for name, best in found.items():
        told = best.to_mapping(config.smoothing)
        per_video[name] = {
            "n_samples": told["n_samples"], "n_pos": told["n_pos"], "n_neg": told["n_neg"],
            "label_threshold": best.label_threshold, **told["quantized_token_diff_best"],
        }  # fmt: skip
    first = next(iter(found.values()))
    return {
        "view": config.view,
        "label_spec": config.label_threshold,
        "aggregate_method": config.aggregate,
        "n_videos_considered": len(found),
        "per_video": per_video,
        "quantized_token_diff_best": {
            "best_j": {"thr": by_j, "source": source}, "best_f1": {"thr": by_f1, "source": source},
        },
        "smoothing": first.to_mapping(config.smoothing)["smoothing"],
        "comparison": first.comparison,
    }  # fmt: skip


def _score(best: dict[str, Any], name: str) -> float:
    return float(best.get("J" if name == "best_j" else "F1", float("nan")))


def _further(config: SweepConfig, path: Path) -> Pair:
    if config.velocity_jsonl is None:
        raise ConfigError("--energies has no velocities to be judged by", "--velocity-jsonl")
    pair, _ = read_pair(path.stem, path, config.velocity_jsonl, config.smoothing)
    if not len(pair.windows):
        raise DataError(path, "has no window in common with the velocities")
    return pair


def _against_truth(config: SweepConfig, progress: Progress) -> SweepResult:
    options = config.truth
    assert options.gt_dir is not None and options.energy_root is not None
    truths = true_files(options.gt_dir)
    energies = energy_files(options.energy_root, options.source, options.mode)
    names, findings = both(truths, energies)
    videos = []
    with progress.stage("videos", len(names)) as tick:
        for name in names:
            try:
                video, noticed = _marked(options, energies[name], truths[name])
                videos.append(video)
                findings += noticed
            except DataError as problem:
                findings.append(Finding("error", name, str(problem), "It is left out."))
            tick(1)
    if not videos:
        raise DataError(
            options.gt_dir, "none of its videos has energies that can be read",
            f"the same names as in {options.energy_root}", findings[0].found if findings else "",
        )  # fmt: skip
    step_s = options.stride / options.target_fps
    guards = HysteresisOptions(
        hysteresis_ratio=options.hysteresis_ratio, up_count=options.up_count,
        down_count=options.down_count, cooldown_windows=options.cooldown_windows,
        max_duration_windows=step_limit(options.max_duration_seconds, step_s),
    )  # fmt: skip
    swept = sweep_against_truth(videos, guards, options.tolerance_sec)
    best = best_against_truth(swept)
    report = {
        "label_spec": "gt_boundaries",
        "n_videos": len(videos),
        "n_candidates": len(swept),
        "energy": {"source": options.source, "mode": options.mode},
        "segmentation_params": {
            "target_fps": options.target_fps, "stride": options.stride,
            "hysteresis_ratio": options.hysteresis_ratio, "up_count": options.up_count,
            "down_count": options.down_count, "cooldown_windows": options.cooldown_windows,
            "max_duration_seconds": options.max_duration_seconds,
            "tolerance_sec": options.tolerance_sec,
        },
        f"{options.source}_{options.mode}_best": {"best_f1": best.to_mapping()},
    }  # fmt: skip
    write_json(config.output_json, report)
    rows = (("best_f1", best.thr, best.f1),)
    return SweepResult("truth", report, rows, len(videos), (config.output_json,), tuple(findings))


def _marked(options: TruthOptions, energy: Path, truth: Path) -> tuple[MarkedSeries, list[Finding]]:
    """Return a video's series and its truth on the clock of the series' first value."""
    values, noticed = series(read_energies(energy))
    marked = read_segments(truth)
    offset = 0.0
    if options.source == PER_FRAME:
        values = grouped(values, options.stride)
    else:
        offset = options.window / 2.0 / options.target_fps
    spans = tuple((span.start - offset, span.stop - offset) for span in marked.segments)
    step_s = options.stride / options.target_fps
    return MarkedSeries(values, spans, marked.duration - offset, step_s), noticed

"""`robovalue value check-diffusion`: do the denoisers tell segments and outcomes apart?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.atomic import write_bytes
from robovalue_ros.data.plain_npz import write_arrays
from robovalue_ros.data.value_store.diffusion import (
    SCALER_FILE,
    TRAIN_FILE,
    TrainingRows,
    read_scorers,
    read_training,
    stored_diffusion_cfg,
)
from robovalue_ros.data.value_store.reports import write_report
from robovalue_ros.pipelines.diagnose.config import Kind
from robovalue_ros.pipelines.diagnose.heat_maps import HeatMaps, draw_heat_maps
from robovalue_ros.pipelines.diagnose.inputs import CameraChoice, SeriesOf, metadata_of, picked
from robovalue_ros.pipelines.results import ScoredEpisode, scored_episodes
from robovalue_ros.report.view.heat import draw_confusion, draw_cost_histogram
from robovalue_ros.value.denoise import DiffusionScorer, noise_costs, noise_schedule
from robovalue_ros.value.fusion import fuse
from robovalue_ros.value.identity import short_id

HISTOGRAM_FILE = "segmatch50_diffusion_rollouts_cost_hist.png"
SUMMARY_FILE = "segmatch50_diffusion_check_summary.json"
DEFAULT_PROGRESS = SilentProgress()
T_EVAL, NOISE_SAMPLES = 20, 1
ROWS = 256
Scorers = Mapping[str, Mapping[str, DiffusionScorer]]


@dataclass(frozen=True, slots=True)
class DiffusionCheckOptions:
    """t_eval, noise_samples: None for those of the run. seed: of noise and of the choice."""

    task: str | None = None
    max_train_samples: int = 5000
    seed: int = 0
    t_eval: int | None = None
    noise_samples: int | None = None
    heatmap_num_episodes: int = 2
    heatmap_kind: Kind = "any"


@dataclass(frozen=True, slots=True)
class DiffusionCheck:
    """summary: as written to the summary file. findings: what was left out, and why."""

    summary: Mapping[str, Any]
    findings: tuple[Finding, ...]


def check_diffusion(
    out: Path,
    series_of: SeriesOf,
    options: DiffusionCheckOptions,
    *,
    progress: Progress = DEFAULT_PROGRESS,
) -> DiffusionCheck:
    """Judge the denoisers of a results folder and write pictures and numbers beside them.

    Raises DataError when denoisers or training rows are absent, damaged or of different ids.
    """
    made, cfg = stored_diffusion_cfg(out)
    scorers = read_scorers(out, made)
    if scorers is None:
        raise DataError(out, "holds no denoisers", "those of --segment-match-score diffusion")
    cameras = CameraChoice.of(out / SCALER_FILE, cfg)
    task, keys = picked("task", options.task, scorers)
    scoring = _scoring(out, options)
    trained = read_training(out, made)
    if set(trained.get(task, {})) != set(keys):
        raise DataError(out / TRAIN_FILE, f"lacks rows of {task!r}", "those of every key")
    accuracy, files = _confusion(out, made, task, keys, trained[task], cameras, scoring, progress)
    found, findings = _rollouts(out, made)
    histogram = _histogram(out, task, found)
    maps = HeatMaps(scorers, cameras, scoring.t_eval, scoring.noise_samples, scoring.noise_seed,
                    scoring.seed, options.heatmap_num_episodes, options.heatmap_kind)  # fmt: skip
    drawn = draw_heat_maps(out, found, maps, series_of, progress)
    summary = {
        "out_cache_dir": str(out), "cfg_id": made, "task": task, "key": "+".join(sorted(keys)),
        "confusion_acc": accuracy, "confusion_npz": str(files[0]), "confusion_png": str(files[1]),
        "rollouts_cost_hist_png": None if histogram is None else str(histogram),
        "n_rollouts_success": sum(e.success is True for e in found),
        "n_rollouts_failure": sum(e.success is False for e in found),
        "heatmap_pngs": [str(path) for path in drawn.paths],
    }  # fmt: skip
    write_report(out / SUMMARY_FILE, summary)
    return DiffusionCheck(summary, (*findings, *drawn.findings))


@dataclass(frozen=True, slots=True)
class _Scoring:
    """noise_seed: of the run's episodes; seed: of this check."""

    t_eval: int
    noise_samples: int
    noise_seed: int
    seed: int
    rows: int


def _scoring(out: Path, options: DiffusionCheckOptions) -> _Scoring:
    told = metadata_of(out)

    def number(name: str, given: int | None, default: int) -> int:
        stored = told.get(f"segment_match_diffusion_{name}", default)
        return given if given is not None else int(stored)

    return _Scoring(
        number("t_eval", options.t_eval, T_EVAL),
        max(1, number("noise_samples", options.noise_samples, NOISE_SAMPLES)),
        number("seed", None, 0), options.seed, options.max_train_samples,
    )  # fmt: skip


def _confusion(
    out: Path,
    made: str,
    task: str,
    keys: Mapping[str, DiffusionScorer],
    trained: Mapping[str, TrainingRows],
    cameras: CameraChoice,
    scoring: _Scoring,
    progress: Progress,
) -> tuple[float, tuple[Path, Path]]:
    """Ask the denoisers for the segment of what they were trained on."""
    names = sorted(keys)
    first = trained[names[0]].segment_N
    if any(not np.array_equal(trained[name].segment_N, first) for name in names):
        raise DataError(out / TRAIN_FILE, "has rows of two cameras that do not pair", "pairs")
    count = min(len(first), scoring.rows)
    with progress.stage("matching training samples", count * len(names)) as tick:
        costs = {
            name: _sample_costs(keys[name], trained[name].latents_Nd[:count], place, scoring, tick)
            for place, name in enumerate(names)
        }
    predicted = fuse(costs, cameras.fusion).argmin(axis=1)
    segments = max(scorer.num_segments for scorer in keys.values())
    counts = np.zeros((segments, segments), np.int32)
    np.add.at(counts, (first[:count], predicted), 1)
    accuracy = float(np.mean(predicted == first[:count]))
    key = "+".join(names)
    stem = f"segmatch50_diffusion_confusion__{short_id(task)}__{key}"
    paths = out / f"{stem}.npz", out / f"{stem}.png"
    write_arrays(paths[0], {"cfg_id": made, "task": task, "key": key, "conf": counts,
                            "acc": np.float32(accuracy)})  # fmt: skip
    told = f"{key}: {accuracy:.1%} of {count} training samples find their segment of {segments}"
    write_bytes(paths[1], draw_confusion(counts, task, told))
    return accuracy, paths


def _sample_costs(
    scorer: DiffusionScorer, latents_Nd: NDArray[Any], place: int, scoring: _Scoring, tick: Any
) -> NDArray[np.float32]:
    """Return costs (N, segments), with noise from the seed alone, a few rows at a time."""
    generator = np.random.default_rng((scoring.seed, place))
    schedule = noise_schedule(scorer.options.timesteps)
    parts = []
    for start in range(0, len(latents_Nd), ROWS):
        rows = np.array(latents_Nd[start : start + ROWS], np.float32)
        size = (scoring.noise_samples, *rows.shape)
        noise = generator.standard_normal(size, dtype=np.float32)
        parts.append(
            noise_costs(scorer.model, rows, noise, scoring.t_eval, schedule, scorer.num_segments)
        )
        tick(len(rows))
    return np.concatenate(parts)


def _rollouts(out: Path, made: str) -> tuple[list[ScoredEpisode], list[Finding]]:
    """Return the episodes that these denoisers scored; others are told and left out."""
    episodes, findings = scored_episodes(out)
    found, notes = [], list(findings)
    for episode in episodes:
        values = episode.hindsight
        if values is None or values.method != "segment_match50":
            continue
        score = str(values.meta["segment_match_score"])
        cfg = values.scoring_cfg
        used = made if cfg is None else str(cfg.get("diffusion_cfg_id", ""))
        if score != "diffusion" or used != made:
            text = f"was scored with {score}{'' if score != 'diffusion' else f' {used}'}"
            notes.append(Finding("warning", episode.name, f"{text}, not with {made}; left out",
                                 "Run the estimate again."))  # fmt: skip
            continue
        found.append(episode)
    if not found:
        notes.append(Finding("warning", str(out), "no episode was scored by these denoisers",
                             "Run the estimate with --segment-match-score diffusion."))  # fmt: skip
    return found, notes


def _histogram(out: Path, task: str, found: list[ScoredEpisode]) -> Path | None:
    """Draw mean costs of all scored episodes, each by the denoisers of its own task."""
    if not found:
        return None
    means = {
        label: np.array([_mean_cost(e) for e in found if e.success is label], np.float64)
        for label in (True, False)
    }
    if not any(map(len, means.values())):
        return None
    path = out / HISTOGRAM_FILE
    tasks = {episode.task for episode in found}
    title = next(iter(tasks)) if len(tasks) == 1 else f"{len(tasks)} tasks"
    write_bytes(path, draw_cost_histogram(
        means[True], means[False], title, "mean denoising cost along each episode's matched path",
    ))  # fmt: skip
    return path


def _mean_cost(episode: ScoredEpisode) -> float:
    assert episode.hindsight is not None
    return float(episode.hindsight.sparse["match_cost_sparse"].mean(dtype=np.float64))

"""What a few scored episodes cost in every segment, drawn with the path that was decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import numpy as np

from robovalue_ros.contracts.errors import ContractError, DataError
from robovalue_ros.contracts.progress import Progress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.atomic import write_bytes
from robovalue_ros.pipelines.diagnose.config import Kind
from robovalue_ros.pipelines.diagnose.inputs import CameraChoice, SeriesOf
from robovalue_ros.pipelines.estimate.prepare import recording_key
from robovalue_ros.pipelines.results import ScoredEpisode
from robovalue_ros.report.view.heat import draw_episode_costs
from robovalue_ros.value.denoise import DiffusionScorer, episode_noise
from robovalue_ros.value.fusion import fuse, grouped_embeddings, needed_cameras
from robovalue_ros.value.scaling import Floats

WANTED = {"any": (True, False, None), "success": (True,), "failure": (False,)}


@dataclass(frozen=True, slots=True, eq=False)
class HeatMaps:
    """scorers: task -> key. noise_seed: with which the run drew noise. seed: which are drawn."""

    scorers: Mapping[str, Mapping[str, DiffusionScorer]]
    cameras: CameraChoice
    t_eval: int
    noise_samples: int
    noise_seed: int
    seed: int
    count: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Drawn:
    """Pictures that were written, and what stood in the way of others."""

    paths: list[Path] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def draw_heat_maps(
    out: Path,
    episodes: Sequence[ScoredEpisode],
    options: HeatMaps,
    series_of: SeriesOf,
    progress: Progress,
) -> Drawn:
    """Draw episodes in the order of the seed until enough are done; a failed one is told."""
    drawn = Drawn()
    chosen = [e for e in episodes if e.success in WANTED[options.kind]]
    order = np.random.default_rng(options.seed).permutation(len(chosen))
    wanted = min(options.count, len(chosen))
    names: set[str] = set()
    with progress.stage("heat maps", wanted) as tick:
        for place in order:
            if len(drawn.paths) == wanted:
                break
            episode = chosen[place]
            try:
                cost, path = episode_costs(out, episode, options, series_of)
            except (DataError, ContractError) as problem:
                drawn.findings.append(Finding(
                    "warning", episode.name, f"has no heat map: {problem}",
                    "Run the estimate again to store its embeddings.",
                ))  # fmt: skip
                if len(drawn.findings) >= max(3, wanted):
                    break  # none will do
                continue
            target = out / _file_name(episode, names)
            outcome = {True: "success", False: "failure", None: "outcome not told"}
            title = f"{episode.name}  ·  {outcome[episode.success]}"
            write_bytes(target, draw_episode_costs(cost, path, episode.task, title))
            drawn.paths.append(target)
            tick(1)
    return drawn


def episode_costs(
    out: Path, episode: ScoredEpisode, options: HeatMaps, series_of: SeriesOf
) -> tuple[Floats, Floats]:
    """Return costs (windows, segments) by the denoisers of the episode's own task, and its path.

    The noise is the run's own, so with its options the costs are those that were stored.
    """
    values = episode.hindsight
    if values is None:
        raise DataError(episode.name, "has no hindsight values", "those of segment_match50")
    if episode.task not in options.scorers:
        raise DataError(episode.name, f"is of the task {episode.task!r}", "a task with denoisers")
    count = int(values.meta["segment_match_num_segments"])
    stride = int(values.meta["segment_match_window_stride"])
    stored = series_of(out, episode.recording, f"win{count}s{stride}")
    ends = values.sparse["window_end_t_sparse"].astype(np.int64)
    cameras = options.cameras
    absent = [camera for camera in needed_cameras(cameras.mode) if camera not in stored]
    if absent:
        raise DataError(episode.name, f"has no embeddings of {absent[0]}", "every camera used")
    vectors = {camera: stored[camera].take(ends) for camera in needed_cameras(cameras.mode)}
    costs = {}
    for key, x in grouped_embeddings(vectors, cameras.mode, cameras.fusion).items():
        scorer = options.scorers[episode.task][key]
        noise = episode_noise(
            options.noise_seed, recording_key(episode.recording), key, options.noise_samples,
            len(x), scorer.latent_dim,
        )  # fmt: skip
        costs[key] = scorer.costs(x, noise, options.t_eval)
    return fuse(costs, cameras.fusion), values.sparse["match_seg_idx_sparse"]


def _file_name(episode: ScoredEpisode, taken: set[str]) -> str:
    stem = PurePath(episode.name).name
    stem = stem.removesuffix(".hdf5")
    if stem in taken:  # the same file name in two lists
        stem = episode.name.replace("/", "__").removesuffix(".hdf5")
    taken.add(stem)
    return f"segmatch50_diffusion_heatmap__{stem}.png"

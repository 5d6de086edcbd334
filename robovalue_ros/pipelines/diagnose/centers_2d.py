"""`robovalue value centers-2d`: the segment centres and rollouts, seen in a plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robovalue_ros.contracts.errors import ConfigError, ContractError, DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.atomic import write_bytes
from robovalue_ros.data.value_store.centers import SEGMENT_FILE, read_segment_centers
from robovalue_ros.pipelines.diagnose.config import FitOn, Kind, Sample
from robovalue_ros.pipelines.diagnose.inputs import CameraChoice, SeriesOf, picked
from robovalue_ros.pipelines.diagnose.plane import fit_plane
from robovalue_ros.pipelines.results import ScoredEpisode, scored_episodes
from robovalue_ros.report.view.paths import PlanePath, PlaneView, draw_plane
from robovalue_ros.value.fusion import grouped_embeddings, needed_cameras
from robovalue_ros.value.reference import Group
from robovalue_ros.value.scaling import Floats, unit_rows

WANTED = {"any": (True, False, None), "success": (True,), "failure": (False,)}
DEFAULT_PROGRESS = SilentProgress()


@dataclass(frozen=True, slots=True)
class CentersOptions:
    """mean_success_count: successes in the mean rollout; 0 for none, or all when it is fitted on."""

    task: str | None = None
    fit_on: FitOn = "success_centers"
    ignore_prefix: int = 0
    ignore_suffix: int = 0
    plot_ignored: bool = False
    mean_success_count: int = 0
    mean_success_points: int = 100
    num_rollouts: int = 5
    kind: Kind = "any"
    sample: Sample = "random"
    seed: int = 0
    max_points: int = 250
    l2_normalize: bool = True
    out_png: Path | None = None

    @property
    def file_name(self) -> str:
        return (
            f"segmatch50_centers_and_rollouts_2d_fit{self.fit_on}_ignore{self.ignore_prefix}_"
            f"{self.ignore_suffix}_sample{self.sample}_seed{self.seed}.png"
        )


@dataclass(frozen=True, slots=True)
class CentersDrawing:
    """path: of the picture. findings: rollouts that could not be drawn."""

    path: Path
    findings: tuple[Finding, ...]


def draw_centers(
    out: Path,
    series_of: SeriesOf,
    options: CentersOptions,
    *,
    progress: Progress = DEFAULT_PROGRESS,
) -> CentersDrawing:
    """Draw centres and rollouts of one task and write the picture.

    Raises DataError without centres, or without the rollouts that the plane is to be fitted on.
    """
    stored = read_segment_centers(out / SEGMENT_FILE)
    cameras = CameraChoice.of(out / SEGMENT_FILE, stored.about.cfg)
    task, keys = picked("task", options.task, stored.groups)
    space = _Space(keys, cameras, options.l2_normalize)
    centres = space.centres()
    kept = _kept(len(centres), options)
    reader = _Rollouts(out, series_of, space)
    episodes = _episodes(out, task)
    shown = _sampled([e for e in episodes if e.success in WANTED[options.kind]], options)
    with progress.stage("rollouts", len(shown)) as tick:
        paths = []
        for episode in shown:
            if (x := reader.read(episode)) is not None:
                paths.append((episode, x[_thinned(len(x), options.max_points)]))
            tick(1)
    mean = _mean_rollout(episodes, reader, options, progress)
    plane = fit_plane(_fitted(options, centres[kept], [x for _, x in paths], mean))
    ignored = plane.apply(centres[~kept]) if options.plot_ignored else None
    view = PlaneView(
        title=task,
        subtitle=f"{'+'.join(keys)}: {int(kept.sum())} of {len(centres)} segment centres, "
        f"{len(paths)} rollouts; plane fitted on {options.fit_on.replace('_', ' ')}",
        centres=plane.apply(centres[kept]), share=(float(plane.share[0]), float(plane.share[1])),
        ignored=ignored, mean=None if mean is None else plane.apply(mean),
        paths=[PlanePath(e.name, e.success, plane.apply(x)) for e, x in paths],
    )  # fmt: skip
    target = options.out_png or out / options.file_name
    write_bytes(target, draw_plane(view))
    return CentersDrawing(target, tuple(reader.findings))


@dataclass(frozen=True, slots=True, eq=False)
class _Space:
    """One vector per segment or window, the same for centres and rollouts.

    Fused cameras are one vector and are brought to unit length as one; cameras whose distances
    are fused stay two vectors, each of unit length, side by side.
    """

    groups: Mapping[str, Sequence[Group]]
    cameras: CameraChoice
    unit: bool

    def centres(self) -> Floats:
        """Return the mean of each segment's centres (N, D')."""
        means = {
            key: np.stack([group.centres_CD.mean(axis=0) for group in parts])
            for key, parts in self.groups.items()
        }
        return self._joined(means)

    def rollout(self, by_camera: Mapping[str, Floats]) -> Floats:
        """Return embeddings of windows (K, D') by camera (K, D)."""
        vectors = grouped_embeddings(by_camera, self.cameras.mode, self.cameras.fusion)
        # Centres of such groups are means of unit vectors.
        lengthened = {key: self.groups[key][0].scaler.lengthen(x) for key, x in vectors.items()}
        return self._joined(lengthened)

    def _joined(self, by_key: Mapping[str, Floats]) -> Floats:
        rows = [by_key[key] for key in sorted(self.groups)]
        return np.concatenate([unit_rows(x) if self.unit else x for x in rows], axis=1)


class _Rollouts:
    """Reads rollouts of a folder; those that cannot be read become findings."""

    def __init__(self, out: Path, series_of: SeriesOf, space: _Space) -> None:
        self._out, self._series_of, self._space = out, series_of, space
        self.findings: dict[Finding, None] = {}

    def read(self, episode: ScoredEpisode) -> Floats | None:
        """Return an episode's windows (K, D'), in order of time."""
        values = episode.hindsight
        assert values is not None
        count = int(values.meta["segment_match_num_segments"])
        stride = int(values.meta["segment_match_window_stride"])
        ends = values.sparse["window_end_t_sparse"].astype(np.int64)
        cameras = self._space.cameras
        try:
            stored = self._series_of(self._out, episode.recording, f"win{count}s{stride}")
            absent = [name for name in needed_cameras(cameras.mode) if name not in stored]
            if absent:
                raise DataError(episode.name, f"has no embeddings of {absent[0]}", "every camera")
            vectors = {name: stored[name].take(ends) for name in needed_cameras(cameras.mode)}
            return self._space.rollout(vectors)
        except (DataError, ContractError) as problem:
            self.findings[Finding(
                "warning", episode.name, f"is not drawn: {problem}", "Run the estimate again.",
            )] = None  # fmt: skip
            return None


def _episodes(out: Path, task: str) -> list[ScoredEpisode]:
    found, _ = scored_episodes(out)
    return [
        e for e in found
        if e.task == task and e.hindsight is not None and e.hindsight.method == "segment_match50"
    ]  # fmt: skip


def _kept(count: int, options: CentersOptions) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    left = count - options.ignore_prefix - options.ignore_suffix
    if left < 1:
        raise ConfigError(
            f"{options.ignore_prefix} + {options.ignore_suffix} of {count} centres are ignored",
            "at least one that is left",
        )  # fmt: skip
    kept = np.zeros(count, np.bool_)
    kept[options.ignore_prefix : options.ignore_prefix + left] = True
    return kept


def _sampled(episodes: list[ScoredEpisode], options: CentersOptions) -> list[ScoredEpisode]:
    if options.sample == "first":
        return episodes[: options.num_rollouts]
    order = np.random.default_rng(options.seed).permutation(len(episodes))
    return [episodes[place] for place in order[: options.num_rollouts]]


def _thinned(count: int, most: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return at most so many places, evenly spread, both ends among them."""
    if count <= most:
        return np.arange(count)
    return np.rint(np.linspace(0, count - 1, max(2, most))).astype(np.int64)


def _mean_rollout(
    episodes: Sequence[ScoredEpisode],
    reader: _Rollouts,
    options: CentersOptions,
    progress: Progress,
) -> Floats | None:
    """Return the mean (P, D') of successes, each brought to P points; one is held at a time."""
    successes = [e for e in episodes if e.success is True]
    if options.mean_success_count > 0:
        successes = successes[: options.mean_success_count]
    elif options.fit_on != "mean_success_rollout":
        return None
    total, count = None, 0
    with progress.stage("mean rollout", len(successes)) as tick:
        for episode in successes:
            windows = reader.read(episode)
            if windows is not None:
                even = _resampled(windows, options.mean_success_points)
                total = even if total is None else total + even
                count += 1
            tick(1)
    return None if total is None else (total / count).astype(np.float32)


def _resampled(x_KD: Floats, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    place = np.linspace(0, len(x_KD) - 1, count)
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, len(x_KD) - 1)
    share = (place - low)[:, None]
    even: np.ndarray[tuple[int, int], np.dtype[np.float64]]
    even = x_KD[low].astype(np.float64) * (1 - share) + x_KD[high] * share
    return even


def _fitted(
    options: CentersOptions, centres: Floats, paths: Sequence[Floats], mean: Floats | None
) -> Floats:
    if options.fit_on == "success_centers":
        return centres
    chosen = list(paths) if options.fit_on == "rollouts" else [] if mean is None else [mean]
    if not chosen:
        raise DataError(
            options.fit_on, "there is no rollout to fit the plane on", "stored embeddings of some",
            "Take --fit-on success_centers, or run the estimate again.",
        )  # fmt: skip
    return np.concatenate(chosen)

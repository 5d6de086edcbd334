"""The method progress_warp: how far an episode has come, by its distance to successful ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import ContractError, nearest
from robovalue_ros.contracts.types import Finding
from robovalue_ros.value.config import ProgressConfig
from robovalue_ros.value.distance import group_distances
from robovalue_ros.value.embed import fit_times, sparse_times
from robovalue_ros.value.episodes import EmbeddedEpisode, NotScored
from robovalue_ros.value.findings import group_findings
from robovalue_ros.value.fusion import fuse, grouped_embeddings, needed_cameras
from robovalue_ros.value.progress import (
    NOT_USED,
    Floats,
    SigmoidRange,
    base_value,
    blank_start,
    over_frames,
    scale_running_max,
    scale_to,
    sigmoid_range,
    sigmoid_value,
)
from robovalue_ros.value.reference import Group, fit_group
from robovalue_ros.value.warp import Warp, fit_warp, identity


@dataclass(frozen=True, slots=True, eq=False)
class ProgressModel:
    """What progress_warp learned. groups: task -> key -> centres of the last prefix.

    warp_used: reference episodes that shaped the warp. left_out: references that could not be
    used at all, or not for the warp.
    """

    config: ProgressConfig
    groups: Mapping[str, Mapping[str, Group]]
    warp: Warp
    warp_used: int
    left_out: tuple[NotScored, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ProgressCurve:
    """One scored episode: distance and value per frame (T,), float32.

    by_camera: distance of each camera where these were fused as distances. sigmoid: the range
    that the legacy mapping used.
    """

    episode_id: str
    task: str
    is_success: bool
    distance: Floats
    value: Floats
    by_camera: Mapping[str, Floats] = field(default_factory=dict)
    sigmoid: SigmoidRange = NOT_USED


def fit_progress(references: Sequence[EmbeddedEpisode], config: ProgressConfig) -> ProgressModel:
    """Learn centres of success per task and the warp from successful episodes.

    References need the prefix embedding of their last frame and, for the warp, of `fit_times`.
    Raises ContractError when no reference is usable.
    """
    left_out: list[NotScored] = []
    points: dict[str, dict[str, list[Floats]]] = {}
    usable = []
    for episode in references:
        try:
            found = _grouped(episode, np.array([episode.length - 1]), config)
        except ContractError as problem:
            left_out.append(NotScored(episode.id, str(problem)))
            continue
        usable.append(episode)
        for key, vectors in found.items():
            points.setdefault(episode.task, {}).setdefault(key, []).append(vectors)
    if not usable:
        raise ContractError("references", "at least one usable successful episode", "none")
    groups = {
        task: {
            key: fit_group(np.concatenate(rows), config.clusters, compat=config.compatible)
            for key, rows in keys.items()
        }
        for task, keys in points.items()
    }
    warp, used = _fit_warp(usable, groups, config, left_out)
    whole = {t: {key: (group,) for key, group in keys.items()} for t, keys in groups.items()}
    return ProgressModel(config, groups, warp, used, tuple(left_out), group_findings(whole))


def score_progress(
    model: ProgressModel, episodes: Sequence[EmbeddedEpisode], config: ProgressConfig | None = None
) -> tuple[ProgressCurve | NotScored, ...]:
    """Score episodes, in order; one that cannot be scored does not stop the others.

    Episodes need the prefix embeddings of `sparse_times`. The legacy sigmoid takes its range from
    all episodes of the call. config: options of scoring that differ from those of the fit.
    """
    options = model.config if config is None else config
    measured = [measure_progress(model, episode, options) for episode in episodes]
    return value_progress(model.warp, measured, options)


def value_progress(
    warp: Warp, measured: Sequence[ProgressCurve | NotScored], config: ProgressConfig
) -> tuple[ProgressCurve | NotScored, ...]:
    """Fill in the values of measured episodes, in order; the sigmoid's range spans all of them."""
    ranges = _ranges(measured, config)
    return tuple(
        m if isinstance(m, NotScored) else _valued(m, ranges[m.task], warp, config)
        for m in measured
    )


def _grouped(
    episode: EmbeddedEpisode, times: NDArray[np.int64], config: ProgressConfig
) -> dict[str, Floats]:
    vectors = episode.take(needed_cameras(config.camera_mode), times)
    return grouped_embeddings(vectors, config.camera_mode, config.camera_fusion)


def _fit_warp(
    references: Sequence[EmbeddedEpisode],
    groups: Mapping[str, Mapping[str, Group]],
    config: ProgressConfig,
    left_out: list[NotScored],
) -> tuple[Warp, int]:
    if not config.warp_enable:
        return identity(), 0
    xs, ys, used = [], [], 0
    for episode in references:
        if episode.length < 2:
            continue
        times = fit_times(episode.length, config.success_fit_step_ratio)
        try:
            found = _grouped(episode, times, config)
        except ContractError as problem:
            left_out.append(NotScored(episode.id, f"not used for the warp: {problem}"))
            continue
        by_key = {key: group_distances(x, groups[episode.task][key]) for key, x in found.items()}
        base = base_value(fuse(by_key, config.camera_fusion), config.norm_eps)
        value = scale_running_max(base, 1.0, config.norm_eps)
        if float(value[-1]) <= config.norm_eps:
            left_out.append(NotScored(episode.id, "not used for the warp: no progress"))
            continue
        xs.append(value)
        ys.append((times / (episode.length - 1)).astype(np.float32))
        used += 1
    ends = np.array([0.0, 1.0], np.float32)
    return fit_warp(
        np.concatenate([*xs, ends]), np.concatenate([*ys, ends]), config.warp_method
    ), used


def measure_progress(
    model: ProgressModel, episode: EmbeddedEpisode, config: ProgressConfig
) -> ProgressCurve | NotScored:
    """Return distances per frame and no value yet; `value_progress` fills it in."""
    if episode.task not in model.groups:
        known = nearest(episode.task, model.groups)
        return NotScored(episode.id, f"no reference episode has the task {episode.task!r}. {known}")
    times = sparse_times(episode.length, config.timestep_stride)
    try:
        found = _grouped(episode, times, config)
    except ContractError as problem:
        return NotScored(episode.id, str(problem))
    by_key = {}
    for key, vectors in found.items():
        sparse = group_distances(vectors, model.groups[episode.task][key])
        by_key[key] = over_frames(times, sparse, episode.length).astype(np.float32)
    distance = fuse(by_key, config.camera_fusion)
    cameras = by_key if len(by_key) > 1 else {}
    return ProgressCurve(
        episode.id, episode.task, episode.is_success, distance, np.zeros_like(distance), cameras
    )


def _ranges(
    measured: Sequence[ProgressCurve | NotScored], config: ProgressConfig
) -> dict[str, SigmoidRange]:
    """Return the sigmoid's range of each task."""
    by_task: dict[str, list[ProgressCurve]] = {}
    for curve in measured:
        if isinstance(curve, ProgressCurve):
            by_task.setdefault(curve.task, []).append(curve)
    if config.value_mapping != "sigmoid":
        return dict.fromkeys(by_task, NOT_USED)
    return {
        task: sigmoid_range(
            [curve.distance for curve in curves], [curve.is_success for curve in curves],
            config.norm_scope, config.minmax_skip_prefix_k,
        )
        for task, curves in by_task.items()
    }  # fmt: skip


def _valued(
    curve: ProgressCurve, span: SigmoidRange, warp: Warp, config: ProgressConfig
) -> ProgressCurve:
    value = curve_value(curve.distance, curve.is_success, span, warp, config)
    return ProgressCurve(
        curve.episode_id, curve.task, curve.is_success, curve.distance, value, curve.by_camera, span
    )


def curve_value(
    distance_T: Floats, is_success: bool, span: SigmoidRange, warp: Warp, config: ProgressConfig
) -> Floats:
    """Turn the distances of one episode into its value curve (T,).

    The base value is scaled to its end, warped, scaled again. An episode without progress stays
    at zero; compat warps it too, which lifts all its frames to the end value. The sigmoid is an
    absolute scale, so neither end scaling nor the warp, which was fitted to the other mapping,
    touches it; compat applies both.
    """
    target = 1.0 if is_success else config.failure_end_value
    eps, monotonic = config.norm_eps, config.enforce_monotonic
    if config.value_mapping == "sigmoid":
        base = _sigmoid(distance_T, span, config)
    else:
        base = base_value(distance_T, eps)
    if config.value_mapping == "sigmoid" and not config.compatible:
        value = np.maximum.accumulate(base) if monotonic else base
    else:
        value = scale_to(base, target, monotonic, eps)
        if config.warp_enable and (config.compatible or value.any()):
            value = scale_to(warp.apply(value), target, monotonic, eps)
    value = blank_start(value, config.minmax_skip_prefix_k)
    last_counts = len(value) - 1 >= config.minmax_skip_prefix_k
    if config.set_success_terminal_reward and is_success and last_counts:
        value[-1] = config.success_terminal_reward
    return value


def _sigmoid(distance_T: Floats, span: SigmoidRange, config: ProgressConfig) -> Floats:
    if span.scope == "no_stats":
        return np.zeros_like(distance_T)
    return sigmoid_value(
        distance_T, span.low, span.high, scale=config.reward_scale,
        steepness=config.sigmoid_steepness, offset=config.sigmoid_offset, eps=config.norm_eps,
    )  # fmt: skip

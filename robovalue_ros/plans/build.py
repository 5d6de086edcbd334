"""From the rows of a data set to the plan of which of them training sees, and how often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.config import check_ranges
from robovalue_ros.contracts.types import Array, SamplingPlan
from robovalue_ros.contracts.validate import describe, require
from robovalue_ros.plans.anchors import episode_hashes, strided
from robovalue_ros.plans.change_points import change_points
from robovalue_ros.plans.document import CONTENT_HASH, content_sha256, stored_arrays
from robovalue_ros.plans.episodes import (
    Chunk,
    EpisodeIndex,
    FrameTable,
    check_gapless,
    choose_episodes,
    chunks,
    index_episodes,
    last_starts,
    read_states,
)
from robovalue_ros.plans.errors import PlanError
from robovalue_ros.plans.events import (
    Events,
    check_dims,
    closeness,
    gripper_events,
    parse_dims,
    window_distances,
)
from robovalue_ros.plans.meta import PlanFacts, PlanSource, plan_meta, plan_summary
from robovalue_ros.plans.options import PlanOptions
from robovalue_ros.plans.ragged import Floats, Ints
from robovalue_ros.plans.stages import (
    segment_boundaries,
    stages_of,
    time_stages,
    value_boundaries,
)
from robovalue_ros.plans.weights import advantage_weights, sample_weights, value_weights


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """What is known of each row (N,) of a data set beyond its states; None: nothing.

    values: how far the task has come, NaN in episodes without a curve. begins: an action begins
    here. advantages: how much better than usual it goes on from here.
    """

    values: Array | None = None
    begins: Array | None = None
    advantages: Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Starts:
    """Anchors and all starts that they are taken from.

    kept: positions of kept episodes. valid: how many starts each of them has (kept,). rows, frames,
    episodes (N,): row of each anchor, its frame and the position of its episode.
    """

    kept: Ints
    valid: Ints
    rows: Ints
    frames: Ints
    episodes: Ints
    stride: int


def build_plan(
    table: FrameTable,
    options: PlanOptions,
    source: PlanSource,
    signals: Signals | None = None,
) -> SamplingPlan:
    """Return the plan of a data set; its meta lacks only the time and the hash of its file.

    Raises PlanError in the words of older tools where there is no such plan, and ContractError for
    states or signals that cannot be used.
    """
    _check(table, options)
    index = index_episodes(table)
    starts = find_starts(table, index, options)
    if options.compatible:
        check_gapless(index)
        if (index.lengths[starts.episodes] <= options.action_horizon).any():
            raise PlanError(
                "Found episodes with length <= horizon; cannot construct valid start frames."
            )
    known = signals or Signals()
    stages = _stages(table, index, starts, options, known)
    events, event_counts = _event_factor(table, index, starts, options)
    samples = _sample_factor(table, index, starts, options, known)
    weights = sample_weights(stages, events, samples, options)
    facts = PlanFacts(
        len(table), table.has_episode_fields, len(index),
        tuple(index.ids[starts.kept].tolist()), starts.stride, int(starts.valid.sum()),
        event_counts,
    )  # fmt: skip
    summary = plan_summary(stages, weights, options.num_stages_K, facts)
    meta = plan_meta(options, source, facts, summary)
    meta[CONTENT_HASH] = content_sha256(meta, stored_arrays(starts.rows, stages, weights))
    return SamplingPlan(starts.rows, weights.astype(np.float32), stages, meta)


def _check(table: FrameTable, options: PlanOptions) -> None:
    check_ranges(options, "plan")
    if options.num_episodes_keep <= 0:
        raise PlanError("--num_episodes_keep must be positive.")
    if not table.has_episode_fields and options.num_episodes_keep != 1:
        raise PlanError(
            "Dataset missing episode_index/frame_index; episode subset sampling is unavailable. "
            "Use --num_episodes_keep 1 or regenerate the dataset with episode fields."
        )
    needs_states = options.stage_strategy == "change_point_state" or options.gripper_event_enabled
    if needs_states and table.states is None:
        raise PlanError(
            "Dataset missing observation.state, required for "
            "stage_strategy=change_point_state or gripper_event_enabled."
        )


def find_starts(table: FrameTable, index: EpisodeIndex, options: PlanOptions) -> Starts:
    """Choose episodes and anchors of a table."""
    ids = choose_episodes(index.ids, options.num_episodes_keep, options.episode_selection_seed)
    kept = np.searchsorted(index.ids, ids)
    last = np.full(len(index), -1)
    last[kept] = last_starts(index.lengths, options.action_horizon, options.tail)[kept]
    rows = np.flatnonzero(table.frame <= last[index.position])
    episodes, frames = index.position[rows], table.frame[rows]
    valid = np.bincount(episodes, minlength=len(index))[kept]
    hashes = np.zeros(len(index), np.uint64)
    hashes[kept] = episode_hashes(options.plan_seed, ids.tolist())
    chosen, stride = strided(frames, episodes, hashes, options.stride_S, options.least_anchors)
    return Starts(
        kept, valid, rows[chosen], frames[chosen], episodes[chosen].astype(np.int64), stride
    )


def _stages(
    table: FrameTable, index: EpisodeIndex, starts: Starts, options: PlanOptions, known: Signals
) -> Ints:
    count = options.num_stages_K
    if options.stage_strategy == "time_quantile":
        spans = np.maximum(1, index.lengths - options.action_horizon)[starts.episodes]
        return time_stages(starts.frames, spans, count, options.compatible)
    found = np.empty((len(index), count - 1), np.int64)
    # Anchors end before their episode does, so its last part would be a stage without any.
    looked_at = None if options.compatible else starts.valid
    for chunk in chunks(index, starts.kept, looked_at):
        boundaries = _boundaries(table, index, chunk, options, known)
        if not options.compatible:
            boundaries = _frames_of(boundaries, table, chunk)
        found[chunk.episodes] = boundaries
    return stages_of(starts.frames, found, starts.episodes)


def _boundaries(
    table: FrameTable, index: EpisodeIndex, chunk: Chunk, options: PlanOptions, known: Signals
) -> Ints:
    count = options.num_stages_K
    if options.stage_strategy == "value":
        values = _signal("values", known.values, table, index, chunk.rows)
        return value_boundaries(values, chunk.runs, count)
    if options.stage_strategy == "segments":
        begins = _signal("begins", known.begins, table, index, chunk.rows)
        return segment_boundaries(begins != 0, chunk.runs, count)
    states = read_states(table, chunk)
    delta, gap = options.change_point_delta, options.change_point_min_gap
    return change_points(states, chunk.runs, count, delta, gap)


def _frames_of(places_EB: Ints, table: FrameTable, chunk: Chunk) -> Ints:
    """Return the frames that lie at places of their episode, which differ where some are missing.

    Places behind the last row stay as they are.
    """
    found = places_EB.copy()
    episode, which = np.nonzero(places_EB < chunk.runs.counts[:, None])
    place = chunk.runs.starts[episode] + places_EB[episode, which]
    found[episode, which] = table.frame[chunk.rows[place]]
    return found


def _event_factor(
    table: FrameTable, index: EpisodeIndex, starts: Starts, options: PlanOptions
) -> tuple[Floats, Ints]:
    """Return the weight (N,) that events near by give, and how many each kept episode has."""
    if not options.gripper_event_enabled:
        return np.ones(len(starts.rows)), np.zeros(len(starts.kept), np.int64)
    dims = parse_dims(options.gripper_dims)
    check_dims(dims, table.state_dim)
    run, at = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for chunk in chunks(index, starts.kept):
        found = gripper_events(read_states(table, chunk, dims), chunk.runs, options)
        run.append(chunk.episodes[found.run])
        place = chunk.rows[chunk.runs.starts[found.run] + found.at]
        at.append(found.at if options.compatible else table.frame[place])
    events = Events(np.concatenate(run), np.concatenate(at))
    away = window_distances(starts.frames, starts.episodes, options.action_horizon, events)
    near = closeness(away, options)
    return 1.0 + options.gripper_gamma * near, events.counts(len(index))[starts.kept]


def _sample_factor(
    table: FrameTable, index: EpisodeIndex, starts: Starts, options: PlanOptions, known: Signals
) -> Floats:
    """Return the weight (N,) of each anchor for its value or advantage."""
    if options.sample_weighting == "none":
        return np.ones(len(starts.rows))
    if options.sample_weighting == "advantage" and known.advantages is not None:
        gains = _signal("advantages", known.advantages, table, index, starts.rows)
    else:
        gains = _gains(table, index, starts, options.action_horizon, known.values)
    if options.sample_weighting == "value":
        found = value_weights(gains, options.value_gain_floor)
        require(bool(found.any()), "values", "windows that gain value", "none that does")
        return found
    return advantage_weights(gains, options.advantage_temperature, options.advantage_limit)


def _gains(
    table: FrameTable, index: EpisodeIndex, starts: Starts, horizon: int, values: Array | None
) -> Floats:
    """Return the value (N,) that each window gains; of one that passes the end, at its pace."""
    begin = _signal("values", values, table, index, starts.rows)
    held = np.arange(len(table)) if index.order is None else index.order
    here = starts.rows
    if index.order is not None:
        place = np.empty(len(table), np.int64)
        place[index.order] = np.arange(len(table))
        here = place[starts.rows]
    last = (index.starts + index.rows - 1)[starts.episodes]
    end = np.minimum(here + horizon, last)
    gained = _signal("values", values, table, index, held[end]) - begin
    gains: Floats = gained * horizon / np.maximum(1, end - here)
    return gains


def _signal(
    name: str,
    values: Array | None,
    table: FrameTable,
    index: EpisodeIndex,
    rows: NDArray[np.int64],
) -> Floats:
    """Return a signal of rows as numbers, all of them finite."""
    require(values is not None, name, "one for each row, for these options", "none")
    given = np.asarray(values)
    require(
        given.shape == (len(table),) and given.dtype.kind in "biuf",
        name, f"numbers ({len(table)},)", describe(given),
    )  # fmt: skip
    found = given[rows].astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(found))
    if len(bad):
        episode = int(index.ids[index.position[rows[bad[0]]]])
        require(False, name, "a number for each row of kept episodes", f"none in episode {episode}")
    return found

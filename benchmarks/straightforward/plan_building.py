"""Build a plan frame by frame, episode by episode, in the words of its rules."""

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robovalue_ros.plans.episodes import FrameTable
from robovalue_ros.plans.options import PlanOptions

State = Sequence[float]


@dataclass
class PlainPlan:
    """What a plan draws from: rows, their stages and weights."""

    anchors: list[int]
    stages: list[int]
    weights: list[float]
    stride: int


@dataclass
class _Episode:
    id: int
    rows: list[int]
    frames: list[int]
    length: int
    states: list[State]


def plain_plan(table: FrameTable, options: PlanOptions) -> PlainPlan:
    """Return the plan of a table by time or jumps of the state, with gripper events or without."""
    episodes = _episodes(table, options)
    stride = options.stride_S
    starts = [(e, i) for e in episodes for i in range(len(e.rows)) if _valid(e, i, options)]
    while True:
        first = {e.id: _offset(options.plan_seed, e.id, stride) for e in episodes}
        chosen = [(e, i) for e, i in starts if (e.frames[i] - first[e.id]) % stride == 0]
        if len(chosen) >= options.least_anchors or stride == 1:
            break
        stride = max(1, stride // 2)
    chosen.sort(key=lambda anchor: anchor[0].rows[anchor[1]])
    boundaries, events = {}, {}
    for episode in episodes:
        if options.stage_strategy == "change_point_state":
            reach = sum(_valid(episode, i, options) for i in range(len(episode.rows)))
            looked_at = episode.states if options.compatible else episode.states[:reach]
            boundaries[episode.id] = _change_points(looked_at, options)
        if options.gripper_event_enabled:
            events[episode.id] = _events(episode.states, options)
    stages, factors = [], []
    for episode, i in chosen:
        frame = episode.frames[i]
        if options.stage_strategy == "change_point_state":
            stage = sum(boundary <= frame for boundary in boundaries[episode.id])
        else:
            span = max(1, episode.length - options.action_horizon)
            stage = options.num_stages_K * frame // span
        stages.append(min(stage, options.num_stages_K - 1))
        factors.append(1.0)
        if options.gripper_event_enabled:
            near = _closeness(frame, events[episode.id], options)
            factors[-1] += options.gripper_gamma * near
    weights = _weights(stages, factors, options)
    return PlainPlan([e.rows[i] for e, i in chosen], stages, weights, stride)


def _episodes(table: FrameTable, options: PlanOptions) -> list[_Episode]:
    rows: dict[int, list[int]] = {}
    for row, episode in enumerate(table.episode.tolist()):
        rows.setdefault(episode, []).append(row)
    ids = sorted(rows)
    if options.num_episodes_keep < len(ids):
        rng = np.random.default_rng(options.episode_selection_seed)
        ids = sorted(rng.choice(ids, size=options.num_episodes_keep, replace=False).tolist())
    found = []
    for number in ids:
        in_order = sorted(rows[number], key=lambda row: int(table.frame[row]))
        frames = [int(table.frame[row]) for row in in_order]
        states = [] if table.states is None else table.states(np.array(in_order)).tolist()
        found.append(_Episode(number, in_order, frames, max(frames) + 1, states))
    return found


def _valid(episode: _Episode, i: int, options: PlanOptions) -> bool:
    tail = min(max(options.valid_start_tail_keep, 0), max(0, options.action_horizon - 1))
    last = min(episode.length - options.action_horizon + tail, episode.length - 1)
    return episode.frames[i] <= last


def _offset(seed: int, episode: int, stride: int) -> int:
    digest = hashlib.sha256(f"{seed}:{episode}".encode("ascii")).digest()
    return sum(byte << (8 * place) for place, byte in enumerate(digest[:8])) % stride


def _quantile(values: Sequence[float], q: float) -> float:
    if not values:
        return 0.0
    ordered = sorted(values)
    place = (len(ordered) - 1) * q
    low = math.floor(place)
    share = place - low
    below, above = ordered[low], ordered[math.ceil(place)]
    if share < 0.5:
        return below + (above - below) * share
    return above - (above - below) * (1.0 - share)


def _peaks(values: Sequence[float], level: float, ends: bool) -> list[int]:
    found = []
    for t in range(1, len(values)):
        if t == len(values) - 1:
            falls = ends
        else:
            falls = values[t] > values[t + 1]
        if values[t] >= values[t - 1] and falls and values[t] > level:
            found.append(t)
    return found


def _apart(
    found: Sequence[tuple[int, float]], min_gap: int, limit: int | None = None
) -> list[tuple[int, float]]:
    kept: list[tuple[int, float]] = []
    for at, score in sorted(found, key=lambda pair: (-pair[1], -pair[0])):
        if limit is not None and len(kept) >= limit:
            break
        if all(abs(at - other) >= min_gap for other, _ in kept):
            kept.append((at, score))
    return sorted(kept)


def _change_points(states: Sequence[State], options: PlanOptions) -> list[int]:
    stages, delta, gap = (
        options.num_stages_K, options.change_point_delta, options.change_point_min_gap,
    )  # fmt: skip
    n = len(states)
    if stages <= 1:
        return []
    if n < delta + 3:
        return [max(1, round((j + 1) * n / stages)) for j in range(stages - 1)]
    scores = []
    for t in range(n):
        if t < delta:
            scores.append(0.0)
            continue
        pairs = zip(states[t], states[t - delta], strict=True)
        scores.append(math.sqrt(sum((now - then) ** 2 for now, then in pairs)))
    level = _quantile(scores, 0.9)
    peaks = [(t, scores[t]) for t in _peaks(scores, level, ends=False)]
    found = [at for at, _ in _apart(peaks, gap, stages - 1)]
    for j in range(stages - 1):
        place = round((j + 1) * (n - 1) / stages)
        fits = 0 < place < n - 1 and all(abs(place - other) >= gap for other in found)
        if len(found) < stages - 1 and fits:
            found.append(place)
    return sorted(found)


def _events(states: Sequence[State], options: PlanOptions) -> list[int]:
    dims = [int(part) for part in options.gripper_dims.split(",") if part.strip()]
    deltas = [options.gripper_delta1, options.gripper_delta2]
    if options.compatible:
        opening = [max(abs(state[dim]) for dim in dims) for state in states]
        change = _changes(_smooth(opening, options.gripper_smooth_window), deltas)
        tail = change[max(deltas) :] or change
        level = _quantile(tail, options.gripper_quantile_q)
        peaks = [(t, change[t]) for t in _peaks(change, level, ends=False)]
        return [at for at, _ in _apart(peaks, options.gripper_min_gap)]
    merged: list[tuple[int, float]] = []
    for dim in dims:
        merged += _gripper_events([state[dim] for state in states], deltas, options)
    return [at for at, _ in _apart(merged, max(1, options.gripper_min_gap))]


def _gripper_events(
    opening: Sequence[float], deltas: Sequence[int], options: PlanOptions
) -> list[tuple[int, float]]:
    smooth = _smooth(opening, options.gripper_smooth_window)
    change, steps = _changes(smooth, deltas), _changes(smooth, [1])
    longest = max(deltas)
    q = max(0.0, 1.0 - longest * (1.0 - options.gripper_quantile_q))
    level = _quantile(change[longest:] or change, q)
    bends = [0.0, 0.0][: len(opening)]
    for t in range(2, len(opening)):
        bends.append(abs(opening[t] - 2.0 * opening[t - 1] + opening[t - 2]))
    noise = _quantile(bends[2:] or bends, 0.5) / (0.6745 * math.sqrt(6.0))
    level = max(level, options.gripper_noise_ratio * noise, 0.1 * max(change, default=0.0))
    peaks = [(t, change[t]) for t in _peaks(change, level, ends=True)]
    found = []
    for at, score in _apart(peaks, options.gripper_min_gap):
        steepest = at
        for t in range(at, max(-1, at - longest), -1):
            if steps[t] >= steps[steepest]:
                steepest = t
        found.append((steepest, score / max(change)))
    return found


def _smooth(values: Sequence[float], window: int) -> list[float]:
    if window <= 1:
        return list(values)
    reach = window // 2
    return [
        statistics.median(values[max(0, t - reach) : t + reach + 1]) for t in range(len(values))
    ]


def _changes(values: Sequence[float], deltas: Sequence[int]) -> list[float]:
    found = []
    for t in range(len(values)):
        moved = [abs(values[t] - values[t - delta]) for delta in deltas if 0 < delta <= t]
        found.append(max(moved, default=0.0))
    return found


def _closeness(frame: int, events: Sequence[int], options: PlanOptions) -> float:
    if not events:
        return 0.0
    end = frame + options.action_horizon - 1
    away = min(max(frame - event, event - end, 0) for event in events)
    if options.gripper_event_mode == "hard":
        return 1.0 if away <= options.gripper_window_w else 0.0
    return math.exp(-(away / max(1e-6, options.gripper_sigma)))


def _weights(stages: Sequence[int], factors: Sequence[float], options: PlanOptions) -> list[float]:
    power = options.inv_freq_power if options.stage_balance == "inv_freq" else 1.0
    counts = [0] * options.num_stages_K
    for stage in stages:
        counts[stage] += 1
    balance = [1.0 / counts[stage] ** power for stage in stages]
    if options.compatible:
        product = [one * other for one, other in zip(balance, factors, strict=True)]
        return _mixed(_clipped(product, options), options)
    beside = _mixed(_clipped(factors, options), options)
    return [one * other for one, other in zip(balance, beside, strict=True)]


def _clipped(weights: Sequence[float], options: PlanOptions) -> list[float]:
    middle = statistics.median(weights)
    middle = middle if middle > 0 else 1.0
    low, high = middle / options.clip_ratio, middle * options.clip_ratio
    return [min(max(weight, low), high) for weight in weights]


def _mixed(weights: Sequence[float], options: PlanOptions) -> list[float]:
    mean = sum(weights) / len(weights)
    share = options.epsilon_mix
    return [(1.0 - share) * weight + share * mean for weight in weights]

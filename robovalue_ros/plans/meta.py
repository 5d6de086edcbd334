"""What a plan says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from robovalue_ros.plans.events import parse_dims
from robovalue_ros.plans.exposure import effective_samples
from robovalue_ros.plans.options import PlanOptions
from robovalue_ros.plans.ragged import Floats, Ints

VERSION = "plan-star-v1"


@dataclass(frozen=True, slots=True)
class PlanSource:
    """Where the rows of a plan come from, as a plan records it.

    dataset_fingerprint: what the data set's library says, changes with its version. data_sha256: of
    the data themselves. Both are empty where nobody knows.
    """

    repo_id: str
    train_config_name: str = ""
    dataset_fingerprint: str = ""
    data_sha256: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class PlanFacts:
    """What a build found, for the document of its plan.

    stride: the one that was used at last. valid_frames: starts of kept episodes. event_counts: of
    each kept episode, all 0 where no events are looked for.
    """

    rows: int
    has_episode_fields: bool
    episodes_total: int
    episodes_keep: tuple[int, ...]
    stride: int
    valid_frames: int
    event_counts: Ints


def plan_meta(
    options: PlanOptions, source: PlanSource, facts: PlanFacts, summary: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the document of a plan under the names of older tools, without time and hashes.

    New are data_sha256, compat, gripper_noise_ratio and sample_weighting.
    """
    dims = parse_dims(options.gripper_dims) if options.gripper_event_enabled else ()
    jumps = options.stage_strategy == "change_point_state"
    hard = options.gripper_event_mode == "hard"
    return {
        "plan_version": VERSION,
        "train_config_name": source.train_config_name,
        "repo_id": source.repo_id,
        "dataset_fingerprint": source.dataset_fingerprint,
        "data_sha256": source.data_sha256,
        "dataset_len": facts.rows,
        "has_episode_fields": facts.has_episode_fields,
        "num_episodes_total": facts.episodes_total,
        "num_episodes_keep": options.num_episodes_keep,
        "episodes_keep": list(facts.episodes_keep),
        "episode_selection_seed": options.episode_selection_seed,
        "plan_seed": options.plan_seed,
        "sampler_seed": options.sampler_seed,
        "replacement": options.replacement,
        "action_horizon_H": options.action_horizon,
        "batch_size": options.batch_size,
        "valid_start_rule": {
            "tail_keep": options.tail,
            "formula": "f_i <= min(L_e - H + tail_keep, L_e - 1)",
        },
        "anchor_strategy": {
            "mode": "episode_stride",
            "stride_S": facts.stride,
            "offset_mode": "hash(plan_seed, episode) % S",
            "min_anchors": options.least_anchors,
        },
        "stage_strategy": {
            "type": options.stage_strategy,
            "num_stages_K": options.num_stages_K,
            "delta": options.change_point_delta if jumps else None,
            "min_gap": options.change_point_min_gap if jumps else None,
            "peak_mode": "local_max+nms" if jumps else None,
        },
        "weight_strategy": {
            "stage_balance": options.stage_balance,
            "inv_freq_power": options.inv_freq_power,
            "clip_ratio": options.clip_ratio,
            "epsilon_mix": options.epsilon_mix,
        },
        "gripper_event": {
            "enabled": options.gripper_event_enabled,
            "gripper_dims": list(dims),
            "smoothing": {"method": "median", "window": options.gripper_smooth_window},
            "diff": {"delta1": options.gripper_delta1, "delta2": options.gripper_delta2},
            "threshold": {"method": "quantile", "q": options.gripper_quantile_q},
            "min_gap": options.gripper_min_gap,
            "event_window": {
                "mode": options.gripper_event_mode,
                "sigma_or_w": options.gripper_window_w if hard else options.gripper_sigma,
            },
            "gamma": options.gripper_gamma,
        },
        "compat": options.compat,
        "gripper_noise_ratio": None if options.compatible else options.gripper_noise_ratio,
        "sample_weighting": _sample_weighting(options),
        "summary": dict(summary),
    }


def _sample_weighting(options: PlanOptions) -> dict[str, Any]:
    kind = options.sample_weighting
    found: dict[str, Any] = {"type": kind}
    if kind == "value":
        found["gain_floor"] = options.value_gain_floor
    if kind == "advantage":
        found["temperature"] = options.advantage_temperature
        found["limit"] = options.advantage_limit
    return found


def plan_summary(
    stages: Ints, weights: Floats, stage_count: int, facts: PlanFacts
) -> dict[str, Any]:
    """Return the figures of a plan: stages and weights (N,) in double precision."""
    events = facts.event_counts
    return {
        "num_valid_frames": facts.valid_frames,
        "num_anchors": len(stages),
        "stage_counts": np.bincount(stages, minlength=stage_count).tolist(),
        "num_gripper_events_per_episode": {
            "min": int(events.min()), "mean": float(events.mean()), "max": int(events.max()),
        },
        "weight_stats": weight_stats(weights),
        "ESS_reference": effective_samples(weights),
    }  # fmt: skip


def weight_stats(weights: Floats) -> dict[str, float]:
    """Return the least, the middle and the largest of weights (N,)."""
    return {
        "min": float(weights.min()),
        "median": float(np.median(weights)),
        "max": float(weights.max()),
    }


def event_options(meta: Mapping[str, Any]) -> PlanOptions:
    """Return the options by which a plan looked for events; what it does not tell is as usual.

    Plans of older tools do not say how they looked, so it was as those tools do.
    """
    told = meta.get("gripper_event") or {}
    usual = PlanOptions()
    window, change = told.get("smoothing") or {}, told.get("diff") or {}
    level, around = told.get("threshold") or {}, told.get("event_window") or {}
    noise = meta.get("gripper_noise_ratio")
    return PlanOptions(
        gripper_event_enabled=bool(told.get("enabled", False)),
        gripper_dims=",".join(map(str, told.get("gripper_dims") or ())) or usual.gripper_dims,
        gripper_smooth_window=window.get("window", usual.gripper_smooth_window),
        gripper_delta1=change.get("delta1", usual.gripper_delta1),
        gripper_delta2=change.get("delta2", usual.gripper_delta2),
        gripper_quantile_q=level.get("q", usual.gripper_quantile_q),
        gripper_min_gap=told.get("min_gap", usual.gripper_min_gap),
        gripper_noise_ratio=usual.gripper_noise_ratio if noise is None else noise,
        gripper_event_mode=around.get("mode", usual.gripper_event_mode),
        compat=meta.get("compat", "reference"),
    )

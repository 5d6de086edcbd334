"""The functions behind the entries of plan.json about building, checking and summing up plans.

Plans are built with compat: where an entry shows a defect, that is what older tools made.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from robovalue_ros.contracts.types import SamplingPlan
from robovalue_ros.plans.anchors import episode_hashes, offsets, stable_hash
from robovalue_ros.plans.build import build_plan
from robovalue_ros.plans.change_points import NEVER, change_points
from robovalue_ros.plans.checks import (
    check_arrays,
    check_count,
    check_fields,
    check_hash,
    plan_figures,
)
from robovalue_ros.plans.document import (
    ARRAYS,
    HASH,
    canonical_json,
    plan_arrays,
    plan_sha256,
    sealed,
)
from robovalue_ros.plans.episodes import (
    FrameTable,
    choose_episodes,
    last_starts,
    table_of,
    table_without_episodes,
)
from robovalue_ros.plans.errors import PlanError
from robovalue_ros.plans.events import Events, gripper_events, median_smoothed, window_distances
from robovalue_ros.plans.meta import PlanSource
from robovalue_ros.plans.options import PlanOptions
from robovalue_ros.plans.peaks import local_peaks, strongest
from robovalue_ros.plans.ragged import Runs, runs_of
from robovalue_ros.plans.run_summary import PlanUse, RunFacts, plan_exposure, run_summary
from robovalue_ros.plans.schedule import (
    ConstantSchedule,
    CosineSchedule,
    LearningSchedule,
    RsqrtSchedule,
    ScheduleOptions,
    budgeted,
    fitted,
    schedule_mapping,
)
from robovalue_ros.plans.stages import time_stages

Answer = dict[str, Any]
SCHEDULES: dict[str, Callable[[], LearningSchedule]] = {
    "cosine": CosineSchedule,
    "rsqrt": RsqrtSchedule,
    "constant": ConstantSchedule,
}


def one(length: int) -> Runs:
    return runs_of(np.array([length]))


def sample_episodes(n: int, k: int, seed: int) -> Any:
    return choose_episodes(np.arange(n), k, seed)


def valid_start(lengths: Sequence[int], horizon: int, tail_keep: int) -> Any:
    tail = PlanOptions(action_horizon=horizon, valid_start_tail_keep=tail_keep).tail
    return np.maximum(0, last_starts(np.array(lengths), horizon, tail) + 1)


def median_filter(x: Sequence[float], window: int) -> Any:
    return median_smoothed(np.array(x, np.float64), one(len(x)), window)


def peaks(x: Sequence[float], threshold: float) -> Any:
    return local_peaks(np.array(x, np.float64), one(len(x)), np.array([threshold]))


def nms(indices: Sequence[int], scores: Sequence[float], k: int, min_gap: int) -> Any:
    at = np.array(indices, np.int64)
    return at[strongest(at, np.array(scores, np.float64)[at], min_gap, limit=k)]


def state_changes(state: Any, k: int, delta: int = 3, min_gap: int = 10) -> list[int]:
    states = np.array(state, np.float32)
    found = change_points(states, one(len(states)), k, delta, min_gap)[0]
    return [int(place) for place in found if place != NEVER]


def events_of_grippers(
    state: Any, gripper_dims: Sequence[int] = (0,), smooth_window: int = 5, **given: Any
) -> Any:
    names = {"delta1": "gripper_delta1", "delta2": "gripper_delta2", "q": "gripper_quantile_q",
             "min_gap": "gripper_min_gap"}  # fmt: skip
    options = PlanOptions(
        compat="reference", gripper_smooth_window=smooth_window,
        **{names[key]: value for key, value in given.items()},
    )  # fmt: skip
    states = np.array(state, np.float32).astype(np.float64)[:, list(gripper_dims)]
    return gripper_events(states, one(len(states)), options).at


def event_distance(starts: Sequence[int], horizon: int, events: Sequence[int]) -> Any:
    at = np.array(events, np.int64)
    frames = np.array(starts, np.int64)
    found = Events(np.zeros(len(at), np.int64), at)
    return window_distances(frames, np.zeros(len(frames), np.int64), horizon, found)


def table(
    lengths: Sequence[int], state: Any, with_episodes: bool, episode_ids: Sequence[int] | None
) -> FrameTable:
    states = None if state is None else np.array(state, np.float32)
    if not with_episodes:
        return table_without_episodes(sum(lengths), states)
    return table_of(lengths, episode_ids, states)


def built(
    lengths: Sequence[int],
    horizon: int,
    batch_size: int,
    state: Any = None,
    with_episodes: bool = True,
    episode_ids: Sequence[int] | None = None,
    **given: Any,
) -> SamplingPlan:
    options = PlanOptions(
        action_horizon=horizon, batch_size=batch_size, compat="reference", **given
    )
    source = PlanSource("repo", "pi0_base_aloha_robotwin_lora", "fp0")
    return build_plan(table(lengths, state, with_episodes, episode_ids), options, source)


def build(**given: Any) -> Answer:
    plan = built(**given)
    arrays = plan_arrays(plan)
    return {
        "meta": plan.meta,
        **arrays,
        "dtypes": {name: str(values.dtype) for name, values in arrays.items()},
        "order": list(arrays),
    }


def verify(tamper: str | None = None, check_min_anchors: int = 0, **given: Any) -> Answer:
    """Store a plan in memory, damage it, and look at it as the command does."""
    plan = built(**given)
    arrays = plan_arrays(plan)
    content = npz(arrays)
    meta = sealed(plan, content, "2025-01-01T00:00:00")
    if tamper == "meta":
        meta["plan_seed"] += 1
    elif tamper == "arrays":
        content = npz({**arrays, "weights": arrays["weights"] * 2})
    elif tamper == "nosha":
        del meta[HASH]
    elif tamper is not None:
        raise AssertionError(f"nothing here damages {tamper!r}")
    try:
        check_hash(meta, content, "<dir>/plan_meta.json")
        check_arrays(*(arrays[name] for name in ARRAYS), compat=True)
        check_fields(meta)
        check_count(len(arrays["weights"]), check_min_anchors)
    except PlanError as problem:
        text = str(problem).partition(": expected=")
        said = f"{text[0]}: expected=<sha>, computed=<sha>" if text[1] else text[0]
        return {"ok": False, "error": f"ValueError: {said}"}
    return {"ok": True, "error": None, **plan_figures(arrays, meta)}


def npz(arrays: Mapping[str, Any]) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def validate(anchor_indices: Any, stage_ids: Any, weights: Any) -> str:
    def array(values: Any, empty: Any) -> Any:
        return np.array(values, empty if values == [] else None)

    check_arrays(
        array(anchor_indices, np.int64), array(stage_ids, np.int32), array(weights, np.float32),
        compat=True,
    )  # fmt: skip
    return "ok"


def sha256(meta: Mapping[str, Any], arrays_bytes_hex: str) -> str:
    return plan_sha256(meta, bytes.fromhex(arrays_bytes_hex))


def budget_schedule(
    steps: int, schedule: str = "cosine", ratio: float = 0.03, min_warmup: int = 50
) -> Answer:
    options = ScheduleOptions(budget_warmup_ratio=ratio, budget_min_warmup_steps=min_warmup)
    return schedule_mapping(budgeted(SCHEDULES[schedule](), steps, options, compat=True))


def summary_of_run(
    steps: int,
    batch_size: int,
    plan: Mapping[str, Any] | None = None,
    schedule: str = "cosine",
    **given: Any,
) -> Answer:
    options = ScheduleOptions(**given)
    run = RunFacts(
        train_config_name="cfg", exp_name="exp", seed=42, num_train_steps=steps,
        batch_size=batch_size,
    )  # fmt: skip
    if plan is None:
        rates = fitted(SCHEDULES[schedule](), steps, options, compat=True).schedule
        return {"run_summary": None, "lr_schedule": schedule_mapping(rates), "copied": []}
    meta = {
        "plan_version": "plan-star-v1", "repo_id": "repo", "dataset_fingerprint": "fp0",
        "replacement": True, "sampler_seed": 0, HASH: "<sha>", **plan.get("meta", {}),
    }  # fmt: skip
    use = PlanUse("<path>", meta, np.array(plan["weights"], np.float32))
    seen = plan_exposure(use, run, compat=True)
    found = fitted(SCHEDULES[schedule](), steps, options, seen.effective_repeat, compat=True)
    return {
        "run_summary": run_summary(run, options, use, seen, found.scale, compat=True),
        "lr_schedule": schedule_mapping(found.schedule),
        "copied": ["plan_arrays.npz", "plan_meta.json"],
    }


CALLS: dict[str, Callable[..., Any]] = {
    "stable_hash": stable_hash,
    "stride_offset": lambda plan_seed, stride, episodes: offsets(
        episode_hashes(plan_seed, episodes), stride
    ),
    "sample_episodes": sample_episodes,
    "valid_start": valid_start,
    "median_filter": median_filter,
    "local_peaks": peaks,
    "nms": nms,
    "time_stage": lambda frames, denoms, k: time_stages(
        np.array(frames), np.array(denoms), k, single_precision=True
    ),
    "change_points": state_changes,
    "gripper_events": events_of_grippers,
    "event_distance": event_distance,
    "build": build,
    "verify": verify,
    "validate": validate,
    "canonical_json": canonical_json,
    "sha256": sha256,
    "budget_schedule": budget_schedule,
    "run_summary": summary_of_run,
}

"""What a training run says about itself: how long it is, what it draws from, how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from robovalue_ros.contracts.types import Array
from robovalue_ros.plans.document import CONTENT_HASH, HASH
from robovalue_ros.plans.exposure import Exposure, exposure
from robovalue_ros.plans.schedule import ScheduleOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What a run was started with. norm_stats_asset_id: None where it is that of the data."""

    train_config_name: str
    exp_name: str
    seed: int
    num_train_steps: int
    batch_size: int
    norm_stats_asset_id: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PlanUse:
    """The plan of a run: where it lies, its document and weights (N,), and what overrides it.

    seed, replacement: given for this run; None: as the plan says.
    """

    path: str
    meta: Mapping[str, Any]
    weights: Array
    seed: int | None = None
    replacement: bool | None = None

    @property
    def drawn_with_replacement(self) -> bool:
        said = self.meta.get("replacement", True)
        return bool(said if self.replacement is None else self.replacement)

    @property
    def drawn_with_seed(self) -> int | None:
        said = self.meta.get("sampler_seed")
        return said if self.seed is None else self.seed


def plan_exposure(use: PlanUse, run: RunFacts, compat: bool = False) -> Exposure:
    """Return what a run sees of its plan. compat: as if nothing overrode the plan."""
    replacement = use.drawn_with_replacement
    if compat:
        replacement = bool(use.meta.get("replacement", True))
    return exposure(use.weights, run.num_train_steps, run.batch_size, replacement)


def run_summary(
    run: RunFacts,
    options: ScheduleOptions,
    use: PlanUse | None = None,
    seen: Exposure | None = None,
    lr_scale: float | None = None,
    compat: bool = False,
) -> dict[str, Any]:
    """Return the summary under the names of older tools, with and without a plan.

    seen: what the run sees of its samples, where that is known. lr_scale: by which repeats lowered
    the learning rate. compat: only what older tools told, who told nothing without a plan.
    """
    told: dict[str, Any] = {
        "train_config_name": run.train_config_name,
        "exp_name": run.exp_name,
        "seed": run.seed,
        "num_train_steps": run.num_train_steps,
        "batch_size": run.batch_size,
        "freeze_mode": options.freeze_mode,
        "budget_aware_schedule": options.budget_aware_schedule,
        "plan_aware_lr_scale": options.plan_aware_lr_scale,
        "plan_target_effective_repeat": options.plan_target_effective_repeat,
        "norm_stats_asset_id": run.norm_stats_asset_id,
        "sampling_plan_path": None if use is None else use.path,
    }
    if not compat:
        told["plan_lr_scale_power"] = options.plan_lr_scale_power
        told["plan_lr_min_scale"] = options.plan_lr_min_scale
    if use is not None:
        told.update(_plan_part(use, compat))
    if seen is not None:
        told.update(seen.metrics())
        if not compat:
            told["exposure_effective_repeat"] = seen.effective_repeat
            told["exposure_drop_last_unique"] = seen.dropped_unique
            told["exposure_drop_last_avg_repeat"] = seen.dropped_repeat
    if lr_scale is not None and seen is not None:
        told["plan_lr_scale_enabled"] = True
        told["plan_lr_scale"] = lr_scale
        told["plan_effective_repeat"] = seen.effective_repeat
    return told


def _plan_part(use: PlanUse, compat: bool) -> dict[str, Any]:
    meta = use.meta
    told = {
        "plan_sha256": meta.get(HASH),
        "plan_version": meta.get("plan_version"),
        "plan_repo_id": meta.get("repo_id"),
        "plan_dataset_fingerprint": meta.get("dataset_fingerprint"),
        "plan_num_anchors": len(use.weights),
        "plan_replacement": meta.get("replacement", True),
        "plan_sampler_seed": meta.get("sampler_seed"),
    }
    if not compat:
        told["plan_content_sha256"] = meta.get(CONTENT_HASH)
        told["sampler_replacement"] = use.drawn_with_replacement
        told["sampler_seed"] = use.drawn_with_seed
    return told

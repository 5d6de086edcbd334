"""What a training is told about its plan; read by doors that have no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robovalue_ros.contracts.config import option, to_mapping
from robovalue_ros.plans.schedule import ScheduleOptions


@dataclass(frozen=True)
class PlanChoice:
    """Which plan samples are drawn by; without one they are drawn as ever."""

    sampling_plan_path: Path | None = option(
        None, "sampling plan: its folder, its plan_meta.json or plan_arrays.npz; none: no plan"
    )
    repo_id: str | None = option(
        None, "data set that the plan and the recordings are of; none: as the plan names it",
        aliases=("--data.repo-id",),
    )  # fmt: skip
    sampler_seed_override: int | None = option(None, "seed of the order, instead of the plan's")
    sampler_replacement_override: bool | None = option(
        None, "whether samples are put back after they are drawn, instead of what the plan says"
    )


def schedule_settings(options: ScheduleOptions) -> dict[str, Any]:
    """Return what a run records of these options: those that are not as usual."""
    usual = to_mapping(ScheduleOptions())
    return {name: value for name, value in to_mapping(options).items() if value != usual[name]}

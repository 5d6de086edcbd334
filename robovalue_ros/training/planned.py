"""Samples of a training in the order that a plan draws them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.contracts.types import Array
from robovalue_ros.plans.exposure import Exposure, exposure
from robovalue_ros.plans.loading import sampler_choice
from robovalue_ros.plans.ragged import Ints
from robovalue_ros.plans.run_summary import PlanUse
from robovalue_ros.plans.sampler import PlanBatches
from robovalue_ros.plans.schedule import ScheduleOptions
from robovalue_ros.plans.stream import WeightedStream

SAMPLING_PLAN = "sampling_plan"


@dataclass(frozen=True, eq=False)
class PlannedSamples:
    """What a plan draws from a trainer's samples.

    use: the whole plan. files: where it lies. weights (M,): of what is drawn. samples (M,): number of
    the trainer's sample that each stands for. seed: of the training, where nobody says another.
    """

    use: PlanUse
    files: tuple[Path, ...]
    weights: Array
    samples: Ints
    seed: int

    def __post_init__(self) -> None:
        if len(self.weights) != len(self.samples):
            raise ContractError("samples", f"{len(self.weights)}, as weights", len(self.samples))

    @cached_property
    def stream(self) -> WeightedStream:
        use = self.use
        choice = sampler_choice(use.meta, self.seed, use.seed, use.replacement)
        return WeightedStream(self.weights, seed=choice.seed, replacement=choice.replacement)

    def batches(self, batch_size: int) -> PlanBatches:
        """Return the endless batches of sample numbers; raises PlanError when none is filled."""
        return PlanBatches(self.stream, batch_size, rows=self.samples)

    def order(self, number: int, batch_size: int, limit: int = 0) -> Ints:
        """Return the sample numbers of a pass that fill batches. limit: of so many draws; 0: all."""
        per_pass = len(self.batches(batch_size)) * batch_size
        used = per_pass if not limit else min(per_pass, max(1, limit // batch_size) * batch_size)
        drawn: Ints = self.samples[self.stream.draws(number)[:used]]
        return drawn

    def seen(self, steps: int, batch_size: int) -> Exposure:
        """Return what a run sees of what can be drawn."""
        return exposure(self.weights, steps, batch_size, self.stream.replacement)

    def settings(self) -> Mapping[str, Any]:
        """Return plain values that differ where another plan draws other samples."""
        rows = hashlib.sha256(np.ascontiguousarray(self.samples, "<i8").tobytes()).hexdigest()
        return {SAMPLING_PLAN: {**self.stream.describe(), "rows": rows}}


@dataclass(frozen=True, eq=False)
class RunPlan:
    """What a run is beside its network, samples and loop: its seed, schedule, and plan if any."""

    seed: int = 0
    schedule: ScheduleOptions = field(default_factory=ScheduleOptions)
    planned: PlannedSamples | None = None


NO_PLAN = RunPlan()

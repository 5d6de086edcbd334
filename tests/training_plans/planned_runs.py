"""Plans over small trainings, with what a training saw."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
from moving_points import pushes
from small_runs import LOOP, StopsAfter, network

from robovalue_ros.contracts.types import SamplingPlan
from robovalue_ros.data.plan_files.folder import write_plan
from robovalue_ros.plans.run_summary import PlanUse
from robovalue_ros.plans.schedule import ScheduleOptions
from robovalue_ros.segment.tokenizer.config import LossConfig
from robovalue_ros.training.interruption import Interruption
from robovalue_ros.training.loop import TrainingResult, train
from robovalue_ros.training.options import LoopConfig
from robovalue_ros.training.planned import PlannedSamples, RunPlan
from robovalue_ros.training.task import TrainingData
from robovalue_ros.training.tokenizer import TokenizerTask

SAMPLES = 21
ROWS = np.array([20, 3, 4, 4, 9, 11, 0, 17, 15, 2])  # sample of each anchor; one is twice there
WEIGHTS = np.array([1, 2, 3, 1, 0.5, 4, 1, 1, 2, 0.25], np.float32)


class Seen:
    """Samples that remember which were asked for."""

    def __init__(self, points: torch.Tensor) -> None:
        self._points, self.numbers = points, list[int]()

    def __len__(self) -> int:
        return len(self._points)

    def __getitem__(self, index: int) -> torch.Tensor:
        self.numbers.append(index)
        return self._points[index]


def planned(
    folder: Path,
    *,
    replacement: bool = True,
    rows: np.ndarray[Any, Any] = ROWS,
    seed: int | None = None,
    replacement_override: bool | None = None,
) -> PlannedSamples:
    """Return a plan that lies in a folder; seed, replacement_override: of the training."""
    meta = {"sampler_seed": 5, "replacement": replacement, "repo_id": "cups"}
    plan = SamplingPlan(np.sort(rows), WEIGHTS, np.zeros(len(rows), np.int64), meta)
    stored = write_plan(folder, plan, "2025-01-31T12:00:00")
    use = PlanUse(str(folder), stored.meta, WEIGHTS, seed, replacement_override)
    places = stored.places
    return PlannedSamples(use, (places.meta, places.arrays), WEIGHTS, rows, 7)


def learn_by(
    folder: Path,
    plan: PlannedSamples | None,
    loop: LoopConfig = LOOP,
    schedule: ScheduleOptions = ScheduleOptions(),  # noqa: B008 - frozen
    *,
    stop_after: int = 0,
    resume: bool = False,
    held_out: int = 4,
) -> tuple[TrainingResult, list[int], dict[str, torch.Tensor]]:
    """Train; return what came out, the samples that were seen in order, and the weights."""
    points = torch.from_numpy(pushes(SAMPLES + held_out, np.random.default_rng(1)))
    seen = Seen(points[:SAMPLES])
    judges = list(points[SAMPLES:]) if held_out else None
    task = TokenizerTask(network(), LossConfig(loss_points=5), loop.lr)
    stop = Interruption()
    more: dict[str, Any] = {"progress": StopsAfter(stop_after, stop)} if stop_after else {}
    result = train(
        task, TrainingData(seen, judges, torch.stack), loop, folder, rng=np.random.default_rng(7),
        settings={}, run=RunPlan(7, schedule, plan), resume=resume, interruption=stop, **more,
    )  # fmt: skip
    return result, seen.numbers, dict(task.network.state_dict())


def short(**other: Any) -> LoopConfig:
    """Return a loop of three passes of two steps of four."""
    return dataclasses.replace(LOOP, epochs=3, batch_size=4, micro_batch=3, **other)

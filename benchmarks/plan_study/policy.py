"""A small policy: observation to a chunk of actions, learned from demonstrations."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.plan_study.demonstrations import Demo, Singles
from benchmarks.plan_study.settings import StudyConfig
from robovalue_ros.plans.moments import moments_of
from robovalue_ros.plans.sampler import PlanBatches
from robovalue_ros.plans.schedule import (
    CosineSchedule,
    ScheduleOptions,
    budgeted,
    learning_rate,
)

LEAST_STD = 1e-2  # what hardly ever changes shall not look large when it does
LAST_SHARE = 0.05
FINAL_RATE = 0.01  # of the highest


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Every row of all demonstrations: observations (N, O) and chunks of actions (N, H, 7)."""

    observations: Singles
    chunks: Singles


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """Mean and deviation (D,) of something."""

    mean: Tensor
    std: Tensor

    def scaled(self, values: Tensor) -> Tensor:
        return (values - self.mean) / self.std

    def restored(self, values: Tensor) -> Tensor:
        return values * self.std + self.mean


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A trained network with its scales."""

    network: nn.Module
    seen: Scale
    done: Scale
    horizon: int

    def chunks(self, observations: Singles) -> Singles:
        """Return chunks (N, H, 7) for observations (N, O)."""
        with torch.no_grad():
            found = self.done.restored(self._answer(torch.from_numpy(observations)))
        answer: Singles = found.numpy()
        return answer

    def loss(self, samples: Samples, rows: NDArray[np.int64]) -> float:
        """Return the mean loss over rows, each counted once."""
        wanted = self.done.scaled(torch.from_numpy(samples.chunks[rows]))
        with torch.no_grad():
            found = self._answer(torch.from_numpy(samples.observations[rows]))
        return float((found - wanted).abs().mean())

    def _answer(self, observations: Tensor) -> Tensor:
        flat: Tensor = self.network(self.seen.scaled(observations))
        return flat.view(len(observations), self.horizon, -1)


def samples_of(demos: Sequence[Demo], horizon: int) -> Samples:
    """Return all samples; a chunk that passes the end repeats the last action, which holds still."""
    chunks = []
    for demo in demos:
        rows = np.arange(len(demo.actions))[:, None] + np.arange(horizon)
        chunks.append(demo.actions[np.minimum(rows, len(demo.actions) - 1)])
    return Samples(np.concatenate([demo.observations for demo in demos]), np.concatenate(chunks))


def trained(
    config: StudyConfig,
    samples: Samples,
    kept: NDArray[np.int64],
    batches: PlanBatches,
    seed: int,
) -> tuple[Policy, float]:
    """Return a policy and its loss over the last steps.

    kept: rows that the scales are taken from, the same for every way of drawing. Loss: the mean
    absolute difference of scaled actions. seed: of the first weights.
    """
    seen = _scale(samples.observations[kept])
    done = _scale(samples.chunks[kept][:, 0])
    network = _network(samples, config.width, torch.Generator().manual_seed(seed))
    policy = Policy(network, seen, done, config.horizon)
    inputs = seen.scaled(torch.from_numpy(samples.observations))
    wanted = done.scaled(torch.from_numpy(samples.chunks)).flatten(1)
    schedule = budgeted(
        CosineSchedule(peak_lr=config.rate, decay_lr=FINAL_RATE * config.rate),
        config.steps,
        ScheduleOptions(),
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.rate)
    losses = []
    for step, rows in zip(range(config.steps), batches, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(schedule, step)
        loss = (network(inputs[rows]) - wanted[rows]).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return policy, float(np.mean(losses[-max(1, round(LAST_SHARE * config.steps)) :]))


def _scale(rows: Singles) -> Scale:
    found = moments_of(rows)
    std = np.maximum(found.std, LEAST_STD)
    return Scale(
        torch.from_numpy(found.mean.astype(np.float32)),
        torch.from_numpy(std.astype(np.float32)),
    )


def _network(samples: Samples, width: int, generator: torch.Generator) -> nn.Module:
    outputs = int(np.prod(samples.chunks.shape[1:]))
    sizes = [samples.observations.shape[1], width, width, outputs]
    layers: list[nn.Module] = []
    for inside, outside in itertools.pairwise(sizes):
        layer = nn.Linear(inside, outside)
        bound = inside**-0.5
        nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
        nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
        layers += [layer, nn.GELU()]
    return nn.Sequential(*layers[:-1])

"""What stands around a sampler in a training: settings from a plan, worker seeds, and going on."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.contracts.types import SamplingPlan
from robovalue_ros.plans.sampler import PlanBatches
from robovalue_ros.plans.stream import SampleStream, ShuffledStream, WeightedStream, worker_base

WORD = 2**32
NO_PREALLOCATION = "XLA_PYTHON_CLIENT_PREALLOCATE"


@dataclass(frozen=True, slots=True)
class SamplerChoice:
    """Seed and replacement that a training uses."""

    seed: int
    replacement: bool


def sampler_choice(
    meta: Mapping[str, Any],
    config_seed: int,
    seed_override: int | None = None,
    replacement_override: bool | None = None,
) -> SamplerChoice:
    """Return what a training uses: its own overrides before the plan's, and then its seed."""
    planned = meta.get("sampler_seed")
    seed = config_seed if planned is None else int(planned)
    replacement = bool(meta.get("replacement", True))
    return SamplerChoice(
        seed if seed_override is None else seed_override,
        replacement if replacement_override is None else replacement_override,
    )


def training_stream(
    samples: int,
    config_seed: int,
    plan: SamplingPlan | None = None,
    seed_override: int | None = None,
    replacement_override: bool | None = None,
) -> SampleStream:
    """Return the order in which a training sees its samples.

    samples: rows of the data set. Without a plan they are shuffled, as a seeded loader does; with
    one, sample i of the stream is anchor i.
    """
    if plan is None:
        return ShuffledStream(samples, seed=config_seed)
    choice = sampler_choice(plan.meta, config_seed, seed_override, replacement_override)
    return WeightedStream(plan.weights, seed=choice.seed, replacement=choice.replacement)


class WorkerSeeds:
    """A loader's `worker_init_fn`: worker i gets seed base + i, whatever came before.

    Seeds Python, numpy and torch, and keeps JAX from taking a whole GPU for each worker.
    """

    def __init__(self, seed: int) -> None:
        self.base = worker_base(torch.Generator().manual_seed(seed))

    def __call__(self, worker: int) -> None:
        seed = (self.base + worker) % WORD
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        os.environ[NO_PREALLOCATION] = "false"


class PlanLoader:
    """A loader whose state is what training has got, not what its workers have asked for.

    loader: yields one item for each of `batches`, in order, as a DataLoader with that
    `batch_sampler` does, also when accelerate has prepared it. dealt: processes among which a prepared
    loader deals out the batches of one sampler; 1 where each rank has its own.
    """

    def __init__(self, loader: Iterable[Any], batches: PlanBatches, dealt: int = 1) -> None:
        if dealt < 1:
            raise ConfigError(f"batches are dealt out to {dealt} processes", "at least 1")
        self.loader, self.batches, self.dealt = loader, batches, dealt
        self._place = batches.place

    def __len__(self) -> int:
        """Items of a pass."""
        return len(self.batches) // self.dealt

    def __iter__(self) -> Iterator[Any]:
        # What workers of an earlier iteration have asked for, and nobody got, is asked for again.
        begin = self.batches.after(self._place, 0)
        self.batches.go_to(begin)
        for got, item in enumerate(self.loader, 1):
            self._place = self.batches.after(begin, got * self.dealt)
            yield item

    def state_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint: after the last item that training got."""
        return self.batches.stored(self._place)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a stored loader stopped, at the next iteration; raises ConfigError."""
        self.batches.load_state_dict(state)
        self._place = self.batches.place

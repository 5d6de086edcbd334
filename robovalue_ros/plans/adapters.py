"""Plans for trainers of others: views of a data set that any of them can read.

Nothing here knows a trainer. One that takes a sampler gets `row_sampler`; one that takes only a
data set gets a `PlannedDataset`, whose item i is what the plan draws i-th, to be read in order;
one that takes any iterable of batches, as trainers in JAX do, gets a `plan_loader`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from torch.utils.data import DataLoader, Dataset, Subset

from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.contracts.types import SamplingPlan
from robovalue_ros.plans.loading import PlanLoader, WorkerSeeds, training_stream
from robovalue_ros.plans.sampler import PlanBatches, PlanSampler
from robovalue_ros.plans.stream import SampleStream

Collate = Callable[[list[Any]], Any]
WorkerStart = Literal["spawn", "forkserver"]


class Rows(Protocol):
    """A data set with its samples by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int, /) -> Any: ...


def row_sampler(
    plan: SamplingPlan, stream: SampleStream, *, rank: int = 0, world_size: int = 1
) -> PlanSampler:
    """Return a sampler of rows of the whole data set, for `DataLoader(dataset, sampler=...)`."""
    return PlanSampler(stream, rank=rank, world_size=world_size, rows=plan.anchors)


class PlannedDataset(Dataset[Any]):
    """A data set in the order of a plan, for a trainer that must not shuffle it.

    dataset: the whole one; what else it has (names, statistics) is there as before. draws: items,
    usually steps times batch size; none: one pass. Any process finds the same item i.
    """

    def __init__(
        self, dataset: Rows, plan: SamplingPlan, stream: SampleStream, draws: int | None = None
    ) -> None:
        if stream.samples != len(plan.anchors):
            raise ConfigError(
                f"the stream has {stream.samples} samples", f"the plan's {len(plan.anchors)}"
            )
        self._dataset, self._plan, self._stream = dataset, plan, stream
        self._draws = stream.samples if draws is None else draws

    def __len__(self) -> int:
        return self._draws

    def __getitem__(self, number: int) -> Any:
        return self._dataset[self.row(number)]

    def row(self, number: int) -> int:
        """Return the row of the data set that is item `number`."""
        if not -self._draws <= number < self._draws:
            raise IndexError(f"item {number} of {self._draws}")
        passes, at = divmod(number % self._draws, self._stream.samples)
        return int(self._plan.anchors[self._stream.draws(passes)[at]])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # also while a copy is not whole yet
            raise AttributeError(name)
        return getattr(self._dataset, name)


def plan_loader(
    dataset: Rows,
    batch_size: int,
    *,
    seed: int,
    plan: SamplingPlan | None = None,
    seed_override: int | None = None,
    replacement_override: bool | None = None,
    workers: int = 0,
    rank: int = 0,
    world_size: int = 1,
    collate: Collate | None = None,
    start: WorkerStart = "spawn",
) -> PlanLoader:
    """Return batches of a data set without end, by a plan or shuffled; `state_dict` to go on.

    batch_size: of this rank. collate: samples to a batch; none: `stack_samples`. Samples with torch
    tensors need torch's own `default_collate`. start: how workers begin; a fork server is quicker
    with many of them.
    """
    stream = training_stream(len(dataset), seed, plan, seed_override, replacement_override)
    batches = PlanBatches(stream, batch_size, rank=rank, world_size=world_size)
    seen: Any = dataset if plan is None else Subset(_Held(dataset), plan.anchors.tolist())
    loader: DataLoader[Any] = DataLoader(
        seen, batch_sampler=batches, num_workers=workers, collate_fn=collate or stack_samples,
        multiprocessing_context=start if workers else None, persistent_workers=workers > 0,
        worker_init_fn=WorkerSeeds(seed),
    )  # fmt: skip
    return PlanLoader(loader, batches)


class _Held(Dataset[Any]):
    """A data set of any kind as torch wants it."""

    def __init__(self, dataset: Rows) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, row: int) -> Any:
        return self.dataset[row]


def stack_samples(samples: Sequence[Any]) -> Any:
    """Return samples as one batch: nested mappings of numpy arrays with a new first axis."""
    first = samples[0]
    if isinstance(first, dict):
        return {name: stack_samples([sample[name] for sample in samples]) for name in first}
    return np.stack([np.asarray(sample) for sample in samples])

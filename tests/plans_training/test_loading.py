"""Samplers inside real loaders: workers, accelerate, and trainers of others."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.data_loader import prepare_data_loader
from seen_samples import Dice, Numbers, rows_to_tensor
from torch.utils.data import DataLoader

from robovalue_ros.contracts.types import SamplingPlan
from robovalue_ros.plans.adapters import (
    PlannedDataset,
    WorkerStart,
    plan_loader,
    row_sampler,
    stack_samples,
)
from robovalue_ros.plans.loading import PlanLoader, WorkerSeeds, sampler_choice, training_stream
from robovalue_ros.plans.sampler import PlanBatches
from robovalue_ros.plans.stream import ShuffledStream, WeightedStream

ANCHORS = np.arange(3, 90, 3)
PLAN = SamplingPlan(
    ANCHORS, np.linspace(1, 4, len(ANCHORS)), np.zeros(len(ANCHORS), np.int64),
    {"sampler_seed": 8, "replacement": False},
)  # fmt: skip
DATA = Numbers(100)


def wanted(count: int, size: int = 4) -> list[list[int]]:
    """Return the rows of the first batches of PLAN."""
    stream = WeightedStream(PLAN.weights, seed=8, replacement=False)
    drawn = itertools.islice(PlanBatches(stream, size), count)
    return [ANCHORS[batch].tolist() for batch in drawn]


def rows(loader: Any, count: int) -> list[list[int]]:
    return [batch["row"].tolist() for batch in itertools.islice(loader, count)]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize(
    ("workers", "start"), [(0, "spawn"), (1, "spawn"), (2, "forkserver"), (4, "forkserver")]
)
def test_the_stream_is_the_same_for_any_number_of_workers(workers: int, start: WorkerStart) -> None:
    """Stopped after a batch, while workers have asked for more, and gone on with none of them."""
    loader = plan_loader(DATA, 4, seed=1, plan=PLAN, workers=workers, start=start)
    expected = wanted(20)
    found = iter(loader)
    assert rows(found, 9) == expected[:9]
    state = loader.state_dict()
    assert rows(found, 3) == expected[9:12]
    later = plan_loader(DATA, 4, seed=1, plan=PLAN)
    later.load_state_dict(state)
    assert rows(later, 11) == expected[9:20]
    assert later.state_dict()["drawn"] == 24 and later.state_dict()["passes"] == 2


def test_an_iteration_that_is_left_loses_nothing() -> None:
    loader = plan_loader(DATA, 4, seed=1, plan=PLAN, workers=1, start="forkserver")
    assert rows(loader, 3) + rows(loader, 6) == wanted(9)
    assert len(loader) == 7


def test_without_a_plan_it_is_the_shuffle_of_a_seeded_loader() -> None:
    theirs: DataLoader[Any] = DataLoader(
        Numbers(30), batch_size=4, shuffle=True, drop_last=True, num_workers=1,
        multiprocessing_context="forkserver", persistent_workers=True, collate_fn=stack_samples,
        generator=torch.Generator().manual_seed(17), worker_init_fn=WorkerSeeds(17),
    )  # fmt: skip
    shuffled = [batch["row"].tolist() for _ in range(3) for batch in theirs]
    assert rows(plan_loader(Numbers(30), 4, seed=17), 21) == shuffled


def test_workers_draw_their_seeds_from_the_run() -> None:
    def throws(seed: int) -> Any:
        loader: DataLoader[Any] = DataLoader(
            Dice(), batch_size=2, num_workers=2, worker_init_fn=WorkerSeeds(seed),
            multiprocessing_context="forkserver", collate_fn=stack_samples,
            generator=torch.Generator().manual_seed(99 - seed),
        )  # fmt: skip
        return [batch.tolist() for batch in loader]

    first = throws(5)
    assert first == throws(5)
    assert first[0] != first[1]
    base = int(torch.empty((), dtype=torch.int64).random_(generator=torch.manual_seed(5)).item())
    assert WorkerSeeds(5).base == base
    with torch.random.fork_rng():
        torch.manual_seed(base % 2**32)
        assert first[0][0][2] == int(torch.randint(10**6, ()))


def test_accelerate_prepares_it_with_workers_and_it_goes_on() -> None:
    accelerator = Accelerator(cpu=True)
    loader = plan_loader(DATA, 4, seed=1, plan=PLAN, workers=2, collate=rows_to_tensor)
    prepared = PlanLoader(accelerator.prepare(loader.loader), loader.batches)
    assert rows(prepared, 8) == wanted(8)
    later = plan_loader(DATA, 4, seed=1, plan=PLAN)
    later.load_state_dict(prepared.state_dict())
    assert rows(later, 4) == wanted(12)[8:]


def test_accelerate_deals_batches_out_to_processes() -> None:
    """Each process holds the whole sampler; accelerate gives each every second batch."""
    Accelerator(cpu=True)
    states = []
    for rank in range(2):
        loader = plan_loader(DATA, 4, seed=1, plan=PLAN, collate=rows_to_tensor)
        shard = prepare_data_loader(
            loader.loader, torch.device("cpu"), num_processes=2, process_index=rank,
            put_on_device=False,
        )  # fmt: skip
        dealt = PlanLoader(shard, loader.batches, dealt=2)
        assert rows(dealt, 8) == wanted(16)[rank::2]
        states.append(dealt.state_dict())
        alone = plan_loader(DATA, 4, seed=1, plan=PLAN)
        alone.load_state_dict(states[-1])
        assert rows(alone, 2) == wanted(18)[16:]
    assert states[0] == states[1]


def test_a_trainer_that_takes_a_sampler_of_rows() -> None:
    stream = training_stream(len(DATA), 0, PLAN)
    loader: DataLoader[Any] = DataLoader(
        DATA, batch_size=4, sampler=row_sampler(PLAN, stream), collate_fn=stack_samples
    )
    assert rows(loader, 7) == wanted(7)


def test_a_trainer_that_takes_only_a_data_set() -> None:
    stream = training_stream(len(DATA), 0, PLAN)
    data = copy.copy(PlannedDataset(DATA, PLAN, stream, draws=60))
    assert data.fps == 20 and len(data) == 60
    passes = [ANCHORS[stream.draws(number)].tolist() for number in range(3)]
    assert [data.row(at) for at in range(60)] == list(itertools.chain(*passes))[:60]
    reader: DataLoader[Any] = DataLoader(
        data, batch_size=5, num_workers=1, multiprocessing_context="forkserver",
        collate_fn=stack_samples,
    )  # fmt: skip
    batch = next(iter(reader))
    assert batch["row"].tolist() == passes[0][:5]
    assert batch["nested"]["half"].shape == (5, 1)
    with pytest.raises(IndexError):
        data[60]
    with pytest.raises(AttributeError):
        _ = data.nothing


def test_what_a_training_says_goes_before_the_plan() -> None:
    meta = {"sampler_seed": 8, "replacement": False}
    choice = sampler_choice(meta, 42)
    assert (choice.seed, choice.replacement) == (8, False)
    choice = sampler_choice(meta, 42, seed_override=0, replacement_override=True)
    assert (choice.seed, choice.replacement) == (0, True)
    choice = sampler_choice({"sampler_seed": None}, 42)
    assert (choice.seed, choice.replacement) == (42, True)
    other = training_stream(100, 42, PLAN, seed_override=1, replacement_override=True)
    assert other.describe()["seed"] == 1 and other.describe()["replacement"] is True
    assert isinstance(training_stream(100, 42), ShuffledStream)

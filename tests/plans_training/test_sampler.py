"""What is drawn: torch's numbers, by weight, shared among ranks, and going on where it stopped."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch.utils.data import WeightedRandomSampler

from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.plans.errors import PlanError
from robovalue_ros.plans.sampler import PlanBatches, PlanSampler
from robovalue_ros.plans.stream import SampleStream, ShuffledStream, WeightedStream, draw_many

WEIGHTS = np.random.default_rng(0).uniform(0.1, 5.0, 37).astype(np.float32)


def stream(seed: int = 3, replacement: bool = True) -> WeightedStream:
    return WeightedStream(WEIGHTS, seed=seed, replacement=replacement)


def batches(source: SampleStream, count: int, size: int = 4, **kwargs: int) -> list[list[int]]:
    return list(itertools.islice(PlanBatches(source, size, **kwargs), count))


@pytest.mark.parametrize("replacement", [True, False])
def test_passes_are_those_of_torch_with_one_generator(replacement: bool) -> None:
    generator = torch.Generator().manual_seed(11)
    theirs = WeightedRandomSampler(
        WEIGHTS.astype(np.float64), 37, replacement=replacement, generator=generator
    )
    ours = PlanSampler(stream(11, replacement))
    assert len(ours) == 37
    for _ in range(4):
        assert list(ours) == list(theirs)


@pytest.mark.parametrize("many", [False, True], ids=["torch", "many"])
def test_frequencies_are_the_weights(many: bool) -> None:
    weights = np.array([0.0, 1.0, 2.0, 3.0, 10.0, 0.5])
    counts = np.zeros(6)
    draws = WeightedStream(weights, seed=1)
    generator = torch.Generator().manual_seed(1)
    for number in range(4000):
        drawn = draws.draws(number)
        if many:
            drawn = draw_many(torch.from_numpy(weights), 6, True, generator=generator).numpy()
        counts += np.bincount(drawn, minlength=6)
    assert counts[0] == 0
    expected = counts.sum() * weights[1:] / weights.sum()
    assert chisquare(counts[1:], expected).pvalue > 1e-3


@pytest.mark.parametrize("many", [False, True], ids=["torch", "many"])
def test_without_replacement_the_first_draw_is_by_weight_too(many: bool) -> None:
    weights = np.array([1.0, 0.0, 2.0, 5.0])
    counts = np.zeros(4)
    draws = WeightedStream(weights, seed=2, replacement=False)
    generator = torch.Generator().manual_seed(2)
    for number in range(3000):
        drawn = draws.draws(number)
        if many:
            drawn = draw_many(torch.from_numpy(weights), 4, False, generator=generator).numpy()
        assert sorted(drawn.tolist()) == [0, 1, 2, 3] and drawn[-1] == 1
        counts[drawn[0]] += 1
    some = counts[[0, 2, 3]]
    assert chisquare(some, 3000 * np.array([1, 2, 5]) / 8).pvalue > 1e-3


def test_batches_have_no_end_and_drop_the_rest_of_each_pass() -> None:
    drawn = [stream().draws(number).tolist() for number in range(3)]
    expected = [one[at : at + 4] for one in drawn for at in range(0, 36, 4)]
    assert batches(stream(), 27) == expected
    one_pass = PlanBatches(stream(), 4, endless=False)
    assert len(one_pass) == 9
    assert [*one_pass, *one_pass, *one_pass] == expected
    whole = PlanBatches(stream(), 4, endless=False, drop_last=False)
    assert len(whole) == 10
    assert [number for batch in whole for number in batch] == drawn[0]
    assert [number for batch in whole for number in batch] == drawn[1]


@settings(max_examples=60, deadline=None)
@given(
    stops=st.lists(st.integers(0, 25), min_size=1, max_size=4), size=st.integers(1, 37),
    replacement=st.booleans(), drop_last=st.booleans(),
)  # fmt: skip
def test_stopped_anywhere_it_goes_on_to_the_bit(
    stops: list[int], size: int, replacement: bool, drop_last: bool
) -> None:
    def fresh() -> PlanBatches:
        return PlanBatches(stream(5, replacement), size, drop_last=drop_last)

    whole = list(itertools.islice(fresh(), sum(stops) + 5))
    seen, state = [], None
    for stop in [*stops, 5]:
        part = fresh()
        if state is not None:
            part.load_state_dict(json.loads(json.dumps(state)))
        seen += list(itertools.islice(part, stop))
        state = part.state_dict()
    assert seen == whole


@given(stop=st.integers(0, 120))
def test_a_sampler_of_numbers_goes_on_too(stop: int) -> None:
    def endless(sampler: PlanSampler) -> itertools.chain[int]:
        return itertools.chain.from_iterable(iter(sampler) for _ in itertools.count())

    first = PlanSampler(stream())
    seen = list(itertools.islice(endless(first), stop))
    second = PlanSampler(stream())
    second.load_state_dict(first.state_dict())
    seen += list(itertools.islice(endless(second), 50))
    assert seen == list(itertools.islice(endless(PlanSampler(stream())), stop + 50))


@settings(max_examples=40, deadline=None)
@given(world=st.integers(1, 6), size=st.integers(1, 6), replacement=st.booleans())
def test_ranks_share_one_stream(world: int, size: int, replacement: bool) -> None:
    count = 2 * (37 // (world * size)) + 1
    parts = [
        batches(stream(9, replacement), count, size, rank=rank, world_size=world)
        for rank in range(world)
    ]
    together = batches(stream(9, replacement), count, size * world)
    for number in range(count):
        union = sorted(itertools.chain(*(part[number] for part in parts)))
        assert union == sorted(together[number])
    ranks = [PlanSampler(stream(9, replacement), rank=r, world_size=world) for r in range(world)]
    shares = [list(rank) for rank in ranks]
    assert {len(share) for share in shares} == {37 // world}
    dealt = [number for row in zip(*shares, strict=True) for number in row]
    assert dealt == stream(9, replacement).draws(0).tolist()[: 37 // world * world]


def test_a_run_goes_on_with_another_number_of_ranks() -> None:
    two = [PlanBatches(stream(), 4, rank=rank, world_size=2) for rank in range(2)]
    for part in two:
        list(itertools.islice(part, 3))
    assert two[0].state_dict() == two[1].state_dict()
    four = PlanBatches(stream(), 2, rank=1, world_size=4)
    four.load_state_dict(two[0].state_dict())
    one = batches(stream(), 4, 8)
    assert next(iter(four)) == one[3][1::4]


def test_a_pass_can_be_drawn_again_from_nothing_but_the_seed() -> None:
    ours = stream()
    far = ours.draws(700).tolist()
    assert len(ours._states) <= 256
    assert stream().draws(3).tolist() == ours.draws(3).tolist()
    assert ours.draws(700).tolist() == far


def test_what_cannot_be_is_refused() -> None:
    text = r"^Local batch size \(38\) is larger than the dataset size \(37\)\.$"
    for source in (stream(), ShuffledStream(37, seed=0)):
        with pytest.raises(ValueError, match=text):
            PlanBatches(source, 38)
    assert len(PlanBatches(stream(), 38, drop_last=False)) == 1
    with pytest.raises(PlanError, match="do not fill a batch of 10 on each of 4 ranks"):
        PlanBatches(stream(), 10, world_size=4)
    with pytest.raises(ConfigError, match="rank is 2 of 2"):
        PlanSampler(stream(), rank=2, world_size=2)
    for weights in ([], [0.0, 0.0], [1.0, -1.0], [1.0, np.nan]):
        with pytest.raises(PlanError):
            WeightedStream(np.array(weights), seed=0)
    with pytest.raises(ConfigError, match="seed"):
        stream(2**64)


def test_a_state_of_another_stream_is_refused() -> None:
    state = PlanBatches(stream(), 4).state_dict()
    others = (
        stream(4), stream(replacement=False), WeightedStream(WEIGHTS[::-1], seed=3),
        ShuffledStream(37, seed=3),
    )  # fmt: skip
    for other in others:
        with pytest.raises(ConfigError, match="stored sampler is"):
            PlanBatches(other, 4).load_state_dict(state)
    same = PlanBatches(stream(), 4)
    for damage in (
        {"version": 0}, {"passes": -1}, {"drawn": "1"}, {"drawn": 38}, {"generator": "AAAA"},
        {"generator": None}, {"stream": None},
    ):  # fmt: skip
        with pytest.raises(ConfigError):
            same.load_state_dict({**state, **damage})
    same.load_state_dict(state)
    assert batches(stream(), 1) == list(itertools.islice(same, 1))

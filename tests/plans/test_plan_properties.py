"""A thousand random data sets: what holds for every plan, and that the rules give the same plan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_data import SOURCE, plan_of, random_options, random_signals, random_table, shuffled

from benchmarks.straightforward.plan_building import plain_plan
from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.plans import episodes as episodes_module
from robovalue_ros.plans.build import build_plan
from robovalue_ros.plans.checks import check_arrays, check_content
from robovalue_ros.plans.document import CONTENT_HASH, plan_arrays
from robovalue_ros.plans.episodes import last_starts
from robovalue_ros.plans.errors import PlanError

seeds = st.integers(0, 2**32 - 1)
REFUSALS = ("Not enough anchors for one batch", "Found episodes with length <= horizon")


@settings(max_examples=1000, deadline=None)
@given(seeds)
def test_every_plan_draws_from_valid_starts_with_usable_weights(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table, _ = random_table(rng)
    ids = np.unique(table.episode)
    options = random_options(rng, num_episodes_keep=int(rng.integers(1, len(ids) + 1)))
    signals = random_signals(rng, table)
    try:
        plan = build_plan(table, options, SOURCE, signals)
    except PlanError as problem:
        assert str(problem).startswith(REFUSALS[0])
        return
    except ContractError as problem:  # nothing gains, and nothing is mixed in
        assert problem.field == "values" and options.sample_weighting == "value"
        return
    kept = plan.meta["episodes_keep"]
    assert len(kept) == options.num_episodes_keep and set(kept) <= set(ids.tolist())
    assert (np.diff(plan.anchors) > 0).all()
    assert set(table.episode[plan.anchors].tolist()) <= set(kept)
    lengths = {number: table.frame[table.episode == number].max() + 1 for number in kept}
    here = np.array([lengths[number] for number in table.episode[plan.anchors]])
    last = last_starts(here, options.action_horizon, options.tail)
    assert (table.frame[plan.anchors] <= last).all()
    assert len(plan.anchors) >= options.least_anchors
    assert np.isfinite(plan.weights).all() and plan.weights.dtype == np.float32
    zero_allowed = options.sample_weighting == "value" and options.epsilon_mix == 0.0
    assert (plan.weights >= 0).all() if zero_allowed else (plan.weights > 0).all()
    assert plan.stages.min() >= 0 and plan.stages.max() < options.num_stages_K
    summary = plan.meta["summary"]
    assert summary["num_anchors"] == len(plan.anchors) == sum(summary["stage_counts"])
    arrays = plan_arrays(plan)
    check_arrays(*arrays.values())
    check_content(plan.meta, arrays)
    if seed % 5 == 0:
        again = build_plan(table, options, replace(SOURCE, dataset_fingerprint="other"), signals)
        assert again.meta[CONTENT_HASH] == plan.meta[CONTENT_HASH]


@pytest.mark.parametrize("compat", ["off", "reference"])
@settings(max_examples=150, deadline=None)
@given(seeds)
def test_plans_are_those_that_the_rules_give_frame_by_frame(compat: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    table, _ = random_table(rng, in_order=compat == "reference")
    options = random_options(
        rng, compat=compat, sample_weighting="none",
        stage_strategy=str(rng.choice(["time_quantile", "change_point_state"])),
        num_episodes_keep=int(rng.integers(1, len(np.unique(table.episode)) + 1)),
    )  # fmt: skip
    try:
        plan = build_plan(table, options, SOURCE)
    except PlanError as problem:
        assert str(problem).startswith(REFUSALS)
        return
    expected = plain_plan(table, options)
    assert plan.anchors.tolist() == expected.anchors
    assert plan.stages.tolist() == expected.stages
    np.testing.assert_allclose(plan.weights, expected.weights, rtol=1e-6)
    assert plan.meta["anchor_strategy"]["stride_S"] == expected.stride


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_the_order_of_rows_changes_nothing_but_their_numbers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table, states = random_table(rng, in_order=True)
    options = {"change_point_min_gap": 2, "gripper_event_enabled": True, "gripper_dims": "0,1",
               "stride_S": 1, "stage_strategy": "change_point_state", "batch_size": 1,
               "action_horizon": 1}  # fmt: skip
    plan = plan_of(table, **options)
    mixed = shuffled(table, states, rng)
    other = plan_of(mixed, **options)

    def told(which, data):  # type: ignore[no-untyped-def]
        rows = which.anchors
        keys = zip(data.episode[rows].tolist(), data.frame[rows].tolist(), strict=True)
        return dict(zip(keys, zip(which.stages, which.weights, strict=True), strict=True))

    assert told(plan, table) == told(other, mixed)


def test_how_many_episodes_are_worked_on_at_once_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        table, _ = random_table(rng)
        signals = random_signals(rng, table)
        options = random_options(
            rng, batch_size=1, action_horizon=1, num_episodes_keep=len(np.unique(table.episode))
        )
        whole = build_plan(table, options, SOURCE, signals)
        monkeypatch.setattr(episodes_module, "CHUNK", 1)
        parts = build_plan(table, options, SOURCE, signals)
        monkeypatch.undo()
        assert parts.meta == whole.meta

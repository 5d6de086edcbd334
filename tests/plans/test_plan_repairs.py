"""What older tools got wrong: better by default, as it was with compat."""

from __future__ import annotations

import numpy as np
import pytest
from plan_data import SOURCE, plan_of

from robovalue_ros.contracts.errors import ConfigError, ContractError
from robovalue_ros.plans.build import Signals, build_plan
from robovalue_ros.plans.episodes import (
    FrameTable,
    choose_episodes,
    table_of,
    table_without_episodes,
)
from robovalue_ros.plans.errors import PlanError
from robovalue_ros.plans.exposure import effective_samples
from robovalue_ros.plans.options import PlanOptions


def stage_shares(plan) -> np.ndarray:  # type: ignore[no-untyped-def]
    weights = plan.weights.astype(np.float64)
    found: np.ndarray = np.bincount(plan.stages, weights) / weights.sum()
    return found


def late_jumps() -> FrameTable:
    """Return episodes that jump four times, furthest where no window starts any more."""
    rng = np.random.default_rng(0)
    states = rng.normal(0, 0.001, (4 * 100, 2))
    for episode in range(4):
        for frame, far in ((20, 1.0), (38, 1.0), (70, 3.0), (85, 3.0)):
            states[100 * episode + frame : 100 * (episode + 1)] += far
    return table_of([100] * 4, states=states.astype(np.float32))


def test_every_stage_of_jumps_has_anchors() -> None:
    options = {"action_horizon": 50, "stage_strategy": "change_point_state", "stride_S": 1,
               "num_stages_K": 3}  # fmt: skip
    counts = plan_of(late_jumps(), **options).meta["summary"]["stage_counts"]
    assert sum(counts) == 204 and min(counts) > 40
    older = plan_of(late_jumps(), compat="reference", **options)
    assert older.meta["summary"]["stage_counts"] == [204, 0, 0]


def test_uniform_over_stage_is_uniform() -> None:
    options = {"action_horizon": 50, "valid_start_tail_keep": 49, "stride_S": 1}
    table = table_of([60, 300, 80])
    assert stage_shares(plan_of(table, **options)) == pytest.approx([0.25] * 4, rel=1e-6)
    uneven = {"action_horizon": 50, "valid_start_tail_keep": 49, "stride_S": 1, "num_stages_K": 30}
    assert stage_shares(plan_of(table_of([80] * 4), **uneven)) == pytest.approx(1 / 30, rel=1e-6)
    older = stage_shares(plan_of(table_of([80] * 4), compat="reference", **uneven))
    assert older.max() > 3 * older.min()


def test_inv_freq_reaches_from_no_balance_to_all() -> None:
    table = table_of([80] * 3)
    given = {"valid_start_tail_keep": 9, "stride_S": 1, "stage_balance": "inv_freq"}
    none = plan_of(table, inv_freq_power=0.0, **given)
    assert effective_samples(none.weights) == pytest.approx(len(none.anchors))
    full = plan_of(table, inv_freq_power=1.0, **given)
    assert stage_shares(full) == pytest.approx([0.25] * 4, rel=1e-6)


def test_short_episodes_do_not_stop_a_build() -> None:
    table = table_of([40, 50, 100])
    plan = plan_of(table, action_horizon=50, stride_S=1)
    assert plan.anchors.tolist() == [40, *range(90, 141)]
    assert plan.stages[0] == 0
    tail = plan_of(table, action_horizon=50, stride_S=1, valid_start_tail_keep=49)
    assert len(tail.anchors) == len(table)
    for keep in (0, 49):
        with pytest.raises(PlanError, match=r"^Found episodes with length <= horizon; cannot"):
            plan_of(
                table, action_horizon=50, stride_S=1, valid_start_tail_keep=keep,
                compat="reference",
            )  # fmt: skip


def test_missing_numbers_of_episodes_are_no_gap() -> None:
    table = table_of([30, 30, 30], ids=[2, 5, 9])
    plan = plan_of(table)
    assert plan.meta["episodes_keep"] == [2, 5, 9] and plan.meta["num_episodes_total"] == 3
    with pytest.raises(PlanError) as raised:
        plan_of(table, compat="reference")
    assert str(raised.value) == "Invalid episode lengths for episodes: [0, 1, 3, 4, 6, 7, 8]"


def test_missing_frames_do_not_move_boundaries_and_events() -> None:
    whole = late_jumps()
    states = whole.states(np.arange(len(whole)))  # type: ignore[misc]
    kept = np.flatnonzero((whole.frame < 5) | (whole.frame > 8))
    gaps = FrameTable(
        whole.episode[kept], whole.frame[kept], lambda rows: states[kept][rows], states.shape[1]
    )
    options = {"action_horizon": 50, "stage_strategy": "change_point_state", "stride_S": 1,
               "num_stages_K": 3, "gripper_event_enabled": True, "gripper_dims": "0",
               "gripper_sigma": 3.0}  # fmt: skip
    plan, other = plan_of(whole, **options), plan_of(gaps, **options)
    of_row = dict(zip(plan.anchors.tolist(), plan.stages.tolist(), strict=True))
    assert [of_row[row] for row in kept[other.anchors].tolist()] == other.stages.tolist()
    events = [p.meta["summary"]["num_gripper_events_per_episode"] for p in (plan, other)]
    assert events[0] == events[1] == {"min": 4, "mean": 4.0, "max": 4}


def test_windows_near_events_weigh_more() -> None:
    states = np.zeros((120, 1), np.float32)
    states[60:] = 1.0
    table = table_of([120], states=states)
    plan = plan_of(
        table, stride_S=1, num_stages_K=1, gripper_event_enabled=True, gripper_dims="0",
        gripper_event_mode="hard", gripper_window_w=0, gripper_gamma=3.0, epsilon_mix=0.0,
    )  # fmt: skip
    inside = (plan.anchors <= 60) & (plan.anchors + 9 >= 60)
    assert len(set(plan.weights[inside])) == len(set(plan.weights[~inside])) == 1
    assert plan.weights[inside][0] / plan.weights[~inside][0] == pytest.approx(4.0)


def curve() -> tuple[FrameTable, np.ndarray]:
    """Return one episode that gains nothing, loses, and then gains."""
    values = np.concatenate([np.full(40, 0.3), np.linspace(0.3, 0.1, 20), np.linspace(0.1, 1, 60)])
    return table_of([120]), values


def test_weights_by_value() -> None:
    table, values = curve()
    given = {"stride_S": 1, "num_stages_K": 1, "sample_weighting": "value"}
    plan = plan_of(table, Signals(values), epsilon_mix=0.0, **given)
    still, losing, gaining = plan.weights[5], plan.weights[45], plan.weights[80]
    assert losing == 0.0 < still < gaining
    mixed = plan_of(table, Signals(values), epsilon_mix=0.1, **given)
    assert 0 < mixed.weights[45] < mixed.weights[5] < mixed.weights[80]
    with pytest.raises(ContractError, match="none that does"):
        plan_of(table, Signals(values[::-1].copy() * 0 + np.linspace(1, 0, 120)),
                epsilon_mix=0.0, **given)  # fmt: skip


def test_weights_by_advantage() -> None:
    table, values = curve()
    given = {"stride_S": 1, "num_stages_K": 1, "sample_weighting": "advantage", "epsilon_mix": 0.0}
    plan = plan_of(table, Signals(values), **given)
    assert plan.weights[45] < plan.weights[5] < plan.weights[80]
    said = np.where(np.arange(120) < 50, 2.0, -2.0)
    plan = plan_of(table, Signals(values, None, said), advantage_limit=1.5, **given)
    assert plan.weights[0] / plan.weights[-1] == pytest.approx(1.5 * np.e**1.0, rel=0.35)
    assert plan.weights[0] == pytest.approx(plan.weights.max())


def test_signals_must_be_there_for_what_needs_them() -> None:
    table, values = curve()
    with pytest.raises(ContractError, match="values is none"):
        plan_of(table, stage_strategy="value")
    with pytest.raises(ContractError, match="begins is none"):
        plan_of(table, Signals(values), stage_strategy="segments")
    values[3] = np.nan
    with pytest.raises(ContractError, match="none in episode 0"):
        plan_of(table, Signals(values), stage_strategy="value")
    with pytest.raises(ContractError, match=r"numbers \(120,\)"):
        plan_of(table, Signals(values[:-1]), stage_strategy="value")


def test_value_and_segment_stages_reach_the_plan() -> None:
    table, values = curve()
    begins = np.zeros(120, bool)
    begins[[50, 90]] = True
    plan = plan_of(table, Signals(values, begins), stage_strategy="segments", stride_S=1)
    assert np.flatnonzero(np.diff(plan.stages)).tolist() == [49, 89]
    plan = plan_of(table, Signals(values, begins), stage_strategy="value", stride_S=1)
    assert plan.stages[59] == 0 and plan.meta["summary"]["stage_counts"][3] > 0
    assert stage_shares(plan) == pytest.approx([0.25] * 4, rel=1e-6)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"num_episodes_keep": 0}, "--num_episodes_keep must be positive."),
        ({"num_episodes_keep": 9}, "Requested num_episodes_keep=9 but dataset has 2 episodes."),
        ({"stride_S": 0}, "--stride_S must be positive."),
        ({"gripper_event_enabled": True, "gripper_dims": " "}, "--gripper_dims is empty."),
        ({"gripper_event_enabled": True}, "Invalid gripper_dims=[6, 13] for state_dim=1."),
        (
            {"gripper_event_enabled": True, "gripper_dims": "0", "gripper_smooth_window": 4},
            "median filter window must be odd.",
        ),
        (
            {"min_anchors": 70},
            "Not enough anchors for one batch: anchors=62, required>=70. "
            "Try smaller stride or more demos.",
        ),
        (
            {"action_horizon": 500},
            "Not enough anchors for one batch: anchors=0, required>=2. "
            "Try smaller stride or more demos.",
        ),
    ],
)
def test_what_is_said_of_plans_that_cannot_be(given: dict[str, object], text: str) -> None:
    table = table_of([40, 40], states=np.zeros((80, 1), np.float32))
    with pytest.raises(PlanError) as raised:
        plan_of(table, **given)
    assert str(raised.value) == text and isinstance(raised.value, ValueError)


def test_data_without_states_or_episodes() -> None:
    for given in ({"stage_strategy": "change_point_state"}, {"gripper_event_enabled": True}):
        with pytest.raises(PlanError, match=r"^Dataset missing observation\.state, required for"):
            plan_of(table_of([40]), **given)
    with pytest.raises(PlanError, match=r"^Dataset missing episode_index/frame_index; episode"):
        plan_of(table_without_episodes(80), num_episodes_keep=2)
    plan = plan_of(table_without_episodes(80), num_episodes_keep=1)
    assert plan.meta["has_episode_fields"] is False and plan.meta["episodes_keep"] == [0]


def test_states_are_read_only_where_needed_and_must_be_numbers() -> None:
    def refuse(rows: np.ndarray) -> np.ndarray:
        raise AssertionError("states were read")

    plan_of(FrameTable(np.zeros(40, int), np.arange(40), refuse, 1))
    states = np.zeros((40, 1), np.float32)
    states[17] = np.nan
    with pytest.raises(ContractError, match="row 17"):
        plan_of(table_of([40], states=states), stage_strategy="change_point_state")


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="clip_ratio"):
        plan_of(table_of([40]), clip_ratio=0.5)
    with pytest.raises(ContractError, match="frame"):
        FrameTable(np.zeros(2, int), np.array([-1, 0]))
    with pytest.raises(ContractError, match="at least one row"):
        FrameTable(np.zeros(0, int), np.zeros(0, int))


def test_choices_of_episodes_follow_their_seed() -> None:
    ids = np.arange(50)
    chosen = {tuple(choose_episodes(ids, 10, seed).tolist()) for seed in range(20)}
    assert len(chosen) == 20
    assert choose_episodes(ids, 50, 3).tolist() == ids.tolist()
    options = PlanOptions(num_episodes_keep=10, episode_selection_seed=1, batch_size=1)
    plan = build_plan(table_of([60] * 50), options, SOURCE)
    assert plan.meta["episodes_keep"] == choose_episodes(ids, 10, 1).tolist()

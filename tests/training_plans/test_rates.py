"""Learning rates of a run: as always, in steps, and fitted to a short run."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robovalue_ros.plans.schedule import (
    CosineSchedule,
    RsqrtSchedule,
    ScheduleOptions,
    learning_rate,
)
from robovalue_ros.training.options import LoopConfig
from robovalue_ros.training.rates import run_rates
from robovalue_ros.training.schedule import rate_share

PLAIN = ScheduleOptions()
BUDGET = ScheduleOptions(budget_aware_schedule=True)


@given(
    st.sampled_from(["cosine", "constant"]), st.integers(1, 500), st.floats(0, 0.9),
    st.floats(1e-6, 1.0), st.data(),
)  # fmt: skip
def test_without_options_a_rate_is_what_it_always_was(
    kind: str, steps: int, warm_up: float, lr: float, data: st.DataObject
) -> None:
    config = LoopConfig(lr=lr, lr_schedule=kind, warm_up=warm_up)  # type: ignore[arg-type]
    step = data.draw(st.integers(0, steps - 1))
    found = run_rates(config, steps, PLAIN, None)
    assert found.at(step) == lr * rate_share(config.lr_schedule, step / steps, warm_up)
    assert found.scale is None and not found.notes


@given(st.integers(1, 40_000), st.floats(0, 1), st.integers(0, 3000), st.integers(0, 40_000))
def test_a_budget_sets_warm_up_and_decay(steps: int, ratio: float, least: int, step: int) -> None:
    options = dataclasses.replace(BUDGET, budget_warmup_ratio=ratio, budget_min_warmup_steps=least)
    warmup = max(1, min(max(least, round(ratio * steps)), max(1, steps // 2)))
    cosine = LoopConfig(lr=1e-3, warmup_steps=9, decay_steps=77, decay_lr=1e-4)
    expected = learning_rate(CosineSchedule(warmup, 1e-3, steps, 1e-4), step)
    assert run_rates(cosine, steps, options, None).at(step) == expected
    rsqrt = LoopConfig(lr=1e-3, lr_schedule="rsqrt", timescale=5.0)
    slow = learning_rate(RsqrtSchedule(warmup, 1e-3, float(steps)), step)
    assert run_rates(rsqrt, steps, options, None).at(step) == slow


def test_schedules_that_are_given_in_steps() -> None:
    cosine = run_rates(LoopConfig(lr=2.0, warmup_steps=3, decay_steps=10), 100, PLAIN, None)
    assert cosine.at(0) == pytest.approx(0.5) and cosine.at(3) == 2.0
    assert cosine.at(10) == cosine.at(99) == pytest.approx(0.02)
    rsqrt = LoopConfig(lr=2.0, lr_schedule="rsqrt", warm_up=0.1)
    falling = run_rates(rsqrt, 100, PLAIN, None)
    assert falling.at(10) == 2.0
    assert falling.at(30_010) == pytest.approx(1.0)  # three times the timescale: half


def test_a_constant_rate_stays_and_says_so() -> None:
    found = run_rates(LoopConfig(lr=1.0, lr_schedule="constant"), 50, BUDGET, None)
    assert found.at(49) == 1.0 and "constant" in found.notes[0]


@pytest.mark.parametrize(("repeat", "scale"), [(10.0, 1.0), (200.0, 0.5), (1e9, 0.05)])
@pytest.mark.parametrize("kind", ["cosine", "constant", "rsqrt"])
@pytest.mark.parametrize("budget", [False, True])
def test_repeats_lower_all_rates_after_the_budget(
    repeat: float, scale: float, kind: str, budget: bool
) -> None:
    config = LoopConfig(lr=1.0, lr_schedule=kind, decay_lr=0.2)  # type: ignore[arg-type]
    options = ScheduleOptions(budget_aware_schedule=budget)
    scaled = dataclasses.replace(options, plan_aware_lr_scale=True)
    plain, found = (run_rates(config, 300, one, repeat) for one in (options, scaled))
    assert found.scale == pytest.approx(scale) and plain.scale is None
    for step in (0, 60, 299):
        assert found.at(step) == pytest.approx(scale * plain.at(step))

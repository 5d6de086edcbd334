"""What a run sees of a plan, how fast it learns, and what it says about itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robovalue_ros.plans.errors import PlanError
from robovalue_ros.plans.exposure import exposure, seen_early, unique_of_passes
from robovalue_ros.plans.run_summary import PlanUse, RunFacts, plan_exposure, run_summary
from robovalue_ros.plans.schedule import (
    ConstantSchedule,
    CosineSchedule,
    RsqrtSchedule,
    ScheduleOptions,
    budget_warmup,
    budgeted,
    fitted,
    freeze_filter,
    learning_rate,
    repeat_scale,
    scaled,
)

RUN = RunFacts(train_config_name="c", exp_name="e", seed=1, num_train_steps=7, batch_size=4)


def drawn_unique(
    weights: np.ndarray, steps: int, batch: int, replacement: bool, rng: np.random.Generator
) -> int:
    """Draw as the sampler does, pass by pass, dropping what fills no batch."""
    count, seen, left = len(weights), set(), steps
    shares = weights / weights.sum()
    while left:
        order = rng.choice(count, count, replace=replacement, p=shares)
        used = min(left, count // batch)
        seen |= set(order[: used * batch].tolist())
        left -= used
    return len(seen)


@pytest.mark.parametrize("replacement", [True, False])
def test_expected_figures_are_what_draws_give(replacement: bool) -> None:
    rng = np.random.default_rng(0)
    weights = rng.choice([0.2, 1.0, 4.0], 50)
    for steps in (1, 4, 9, 25):
        found = exposure(weights, steps, 8, replacement)
        draws = [drawn_unique(weights, steps, 8, replacement, rng) for _ in range(300)]
        assert found.dropped_unique == pytest.approx(np.mean(draws), rel=0.02)
        assert found.drawn == 8 * steps and found.coverage <= 1.0
    assert exposure(weights, 4, 8, False).expected_unique == 32.0
    assert exposure(weights, 9, 8, False).expected_unique == 50.0
    assert exposure(weights, 9, 8, False).dropped_unique < 50.0


def test_equal_weights_are_as_many_samples() -> None:
    found = exposure(np.ones(10), 100, 10, True)
    assert found.ess == pytest.approx(10.0) and found.effective_repeat == pytest.approx(100.0)
    assert found.most == pytest.approx(100.0)
    assert exposure(np.ones(1), 3, 2, True).expected_unique == 1.0
    assert exposure(np.ones(4), 0, 2, True).expected_unique == 0.0
    assert unique_of_passes(np.ones(3) / 3, 5, 4) == 0.0


@given(
    st.lists(st.sampled_from([0.0, 1e-6, 0.5, 1.0, 100.0]), min_size=1, max_size=30).filter(any),
    st.integers(0, 30),
)
def test_chances_to_be_seen_add_up(weights: list[float], first: int) -> None:
    shares = np.array(weights) / sum(weights)
    first = min(first, len(shares))
    chances = seen_early(shares, first)
    assert ((chances >= 0) & (chances <= 1)).all()
    assert chances.sum() == pytest.approx(first, abs=1e-3)


@given(st.integers(1, 100_000), st.floats(0, 1), st.integers(0, 2000))
def test_warm_up_is_never_nothing_and_at_most_half(steps: int, ratio: float, least: int) -> None:
    found = budget_warmup(steps, ratio, least)
    assert 1 <= found <= max(1, steps // 2)
    assert budget_warmup(steps, ratio, least, compat=True) in (found, 0)


def test_rates_rise_once_and_fall() -> None:
    options = ScheduleOptions()
    for schedule in (CosineSchedule(), RsqrtSchedule()):
        short = budgeted(schedule, 3000, options)
        rates = [learning_rate(short, step) for step in range(3000)]
        peak = int(np.argmax(rates))
        assert peak == short.warmup_steps == 90 and rates[peak] == short.peak_lr
        assert (np.diff(rates[: peak + 1]) > 0).all() and (np.diff(rates[peak:]) < 0).all()
    cosine = budgeted(CosineSchedule(), 3000, options)
    assert learning_rate(cosine, 3000) == learning_rate(cosine, 9000) == CosineSchedule().decay_lr
    constant = ConstantSchedule()
    assert budgeted(constant, 10, options) == constant and learning_rate(constant, 5) == 2.5e-5
    assert "constant" in fitted(constant, 10, ScheduleOptions(budget_aware_schedule=True)).note


def test_samples_that_repeat_slow_learning_down() -> None:
    options = ScheduleOptions(plan_aware_lr_scale=True)
    assert repeat_scale(10.0, options) == 1.0 and repeat_scale(1e9, options) == 0.05
    assert repeat_scale(200.0, options) == pytest.approx(0.5)
    found = fitted(CosineSchedule(), 100, options, 200.0)
    assert found.scale == pytest.approx(0.5)
    assert found.schedule == scaled(CosineSchedule(), found.scale or 0.0)
    assert fitted(CosineSchedule(), 100, options, None).scale is None


def test_strong_freezing_adds_the_picture_encoder() -> None:
    def base(path: str) -> bool:
        return path.startswith("llm")

    strong = freeze_filter("strong", base)
    paths = ["llm/a", "PaliGemma/img/b", "x/PaliGemma/img2", "head"]
    assert [strong(path) for path in paths] == [True, True, True, False]
    assert [freeze_filter("default", base)(path) for path in paths] == [True, False, False, False]
    assert freeze_filter("strong", base, r"camera\..*")("camera.conv")
    with pytest.raises(PlanError, match=r"^Unknown freeze_mode: weak$"):
        freeze_filter("weak", base)


def test_a_summary_is_written_with_and_without_a_plan() -> None:
    options = ScheduleOptions(plan_aware_lr_scale=True, plan_lr_scale_power=0.7)
    alone = run_summary(RUN, options)
    assert alone["sampling_plan_path"] is None and "plan_sha256" not in alone
    assert alone["plan_lr_scale_power"] == 0.7
    seen = exposure(np.ones(30), 7, 4, False)
    assert run_summary(RUN, options, seen=seen)["exposure_n"] == 28
    meta = {"plan_sha256": "a", "content_sha256": "b", "replacement": True, "sampler_seed": 3}
    use = PlanUse("plan", meta, np.ones(30), seed=8, replacement=False)
    seen = plan_exposure(use, RUN)
    told = run_summary(RUN, options, use, seen, 0.5)
    assert told["plan_replacement"] is True and told["sampler_replacement"] is False
    assert told["plan_sampler_seed"] == 3 and told["sampler_seed"] == 8
    assert told["exposure_expected_unique"] == 28.0 and told["plan_lr_scale"] == 0.5
    older = plan_exposure(use, RUN, compat=True)
    assert older.expected_unique < 28.0
    assert set(run_summary(RUN, options, use, older, 0.5, compat=True)) < set(told)

"""The study of plans runs in its short form and goes on where it stopped; its parts say what they do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.plan_study.__main__ import main
from benchmarks.plan_study.arms import (
    ARMS,
    EVENTS,
    PLANS,
    SHIPPED,
    SHUFFLE,
    drawing,
    kept_demos,
    plan_options,
)
from benchmarks.plan_study.demonstrations import Demo
from benchmarks.plan_study.policy import samples_of, trained
from benchmarks.plan_study.scores import resamples
from benchmarks.plan_study.settings import StudyConfig
from robovalue_ros.plans.options import PlanOptions


@pytest.mark.sim
def test_the_short_study_prints_every_row_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--short", "--out", str(tmp_path)]
    assert main(words) == 0
    told = capsys.readouterr().out
    for name in ARMS:
        assert told.count(name) >= 3, name
    assert "CPU minutes" in told
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    assert len(kept) == len(ARMS) + 1
    torn, *_ = sorted(path for path in kept if "shuffle_0" in path.name)
    torn.write_bytes(torn.read_bytes()[:100])
    assert main(words) == 0
    again = capsys.readouterr().out
    assert again.rpartition("\n")[0].split("CPU")[0] == told.rpartition("\n")[0].split("CPU")[0]
    assert {path for path in kept if path.stat().st_mtime_ns != kept[path]} == {torn}


def test_a_row_that_there_is_not_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--short", "--arms", "value-stage plan", "--out", str(tmp_path)]
    assert main(words) == 2
    assert "value-staged plan" in capsys.readouterr().err


def test_every_row_draws_from_the_same_demonstrations() -> None:
    config = StudyConfig(demos=6, keep=3, horizon=4, batch=8, steps=20)
    demos = [_demo(number, 30 + number) for number in range(config.demos)]
    inside = _rows_of(demos, kept_demos(config, 5).tolist())
    values = np.concatenate([demos[at].progress for at in kept_demos(config, 5)])
    for arm in ARMS:
        drawn = drawing(config, arm, 5, demos, values)
        seen = {row for _, rows in zip(range(200), drawn.batches, strict=False) for row in rows}
        assert seen <= inside, arm
        # As shipped, a plan leaves out frames; the others leave out none.
        assert (drawn.rows == len(inside)) == (arm != SHIPPED), arm
        assert len(seen) > 0.9 * drawn.rows, arm


def test_the_last_stage_of_true_or_found_value_is_drawn_as_often_as_the_first() -> None:
    config = StudyConfig(demos=4, keep=4, horizon=4, batch=8, steps=20)
    demos = [_demo(number, 60) for number in range(config.demos)]
    late = np.concatenate([demo.progress**3 for demo in demos])
    drawn = drawing(config, PLANS[2], 0, demos, late)
    rows = np.array([r for _, part in zip(range(2000), drawn.batches, strict=False) for r in part])
    share = float(np.mean(late[rows] >= 0.75))
    assert drawn.stages[-1] < drawn.stages[0] / 3
    assert share == pytest.approx(0.25, abs=0.03)


def test_plans_are_as_shipped_but_for_what_the_data_ask_for() -> None:
    config = StudyConfig()
    usual, events = PlanOptions(), plan_options(config, EVENTS, 0)
    for name in ("num_stages_K", "clip_ratio", "epsilon_mix", "gripper_gamma", "gripper_sigma"):
        assert getattr(events, name) == getattr(usual, name)
    assert events.gripper_event_enabled and not plan_options(config, PLANS[0], 0).compatible


def test_a_policy_learns_what_it_is_shown_and_does_so_again() -> None:
    config = StudyConfig(demos=4, keep=4, horizon=4, batch=16, steps=200, width=32, rate=1e-2)
    demos = [_demo(number, 50) for number in range(config.demos)]
    samples = samples_of(demos, config.horizon)
    rows = np.arange(len(samples.observations))
    found = [
        trained(config, samples, rows, drawing(config, SHUFFLE, 0, demos, None).batches, seed)
        for seed in (0, 0, 1)
    ]
    (first, loss), (again, _), (other, _) = found
    assert loss < 0.1 and first.loss(samples, rows) < 0.1
    some = samples.observations[:5]
    assert np.array_equal(first.chunks(some), again.chunks(some))
    assert not np.array_equal(first.chunks(some), other.chunks(some))
    assert np.abs(first.chunks(some) - samples.chunks[:5]).mean() < 0.1


def test_chunks_that_pass_the_end_repeat_the_last_action() -> None:
    demo = _demo(0, 6)
    chunks = samples_of([demo], 4).chunks
    assert np.array_equal(chunks[0], demo.actions[:4])
    assert np.array_equal(chunks[4], demo.actions[[4, 5, 5, 5]])


def test_the_chance_of_seeds_shows_where_episodes_do_not_have_it() -> None:
    drawn = resamples(3, 200, 500, np.random.default_rng(0))
    ones, zeros = np.ones(200), np.zeros(200)
    alike = drawn.estimate([ones, ones, ones])
    assert alike.episodes == alike.both == (1.0, 1.0) and alike.one_sided
    apart = drawn.estimate([ones, zeros, zeros])
    assert apart.value == pytest.approx(1 / 3) and apart.seeds == (1.0, 0.0, 0.0)
    assert apart.episodes == pytest.approx((1 / 3, 1 / 3))
    assert apart.both == pytest.approx((0.0, 1.0)) and not apart.one_sided
    mixed = np.arange(200) % 2.0
    even = drawn.estimate([mixed, mixed, mixed])
    assert 0.43 < even.episodes[0] < 0.5 < even.episodes[1] < 0.57


def _demo(number: int, frames: int) -> Demo:
    """Make a demonstration whose actions follow from what is seen."""
    rng = np.random.default_rng(number)
    progress = np.linspace(0.0, 1.0, frames)
    states = np.zeros((frames, 8), np.float32)
    states[:, 0], states[:, 1] = progress, rng.random()
    states[:, 6:] = np.where(np.abs(progress - 0.5) < 0.2, 0.02, 0.04)[:, None]
    actions = np.zeros((frames, 7), np.float32)
    actions[:, 0], actions[:, 6] = 1.0 - progress, np.where(states[:, 6] < 0.03, 1.0, -1.0)
    return Demo(number, "clean", states, states.copy(), actions, progress, {})


def _rows_of(demos: list[Demo], kept: list[int]) -> set[int]:
    ends = np.cumsum([len(demo.states) for demo in demos])
    return {
        row for at in kept for row in range(int(ends[at]) - len(demos[at].states), int(ends[at]))
    }

"""A training that draws its samples by a plan, and the one without a plan as it always was."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from moving_points import pushes
from planned_runs import ROWS, WEIGHTS, learn_by, planned, short
from small_runs import LOOP, learn, network, numbers
from torch.utils.data import WeightedRandomSampler

from robovalue_ros.backends.weights_file import read_weights_file
from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.plans.errors import PlanError
from robovalue_ros.plans.exposure import exposure
from robovalue_ros.plans.schedule import ScheduleOptions
from robovalue_ros.segment.tokenizer.config import LossConfig
from robovalue_ros.training.checkpoints import BEST, LATEST
from robovalue_ros.training.logger import LOG_FILE, read_log
from robovalue_ros.training.run_files import PLAN_FOLDER, SUMMARY
from robovalue_ros.training.tokenizer import TokenizerTask


def summary(folder: Path) -> dict[str, object]:
    return dict(json.loads((folder / SUMMARY).read_text()))


def test_without_a_plan_the_weights_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    """The rule that trainings had before there were plans, written down once more."""
    learn(tmp_path, dataclasses.replace(LOOP, epochs=2))
    points = torch.from_numpy(pushes(25, np.random.default_rng(1)))[:21]
    task = TokenizerTask(network(), LossConfig(loss_points=5), LOOP.lr)
    optimizer = torch.optim.AdamW(
        task.parameters(), lr=LOOP.lr, betas=(0.9, 0.95), weight_decay=0.0
    )
    root, step = int(np.random.default_rng(7).integers(2**62)), 0
    task.train()
    for epoch in range(2):
        rng = np.random.default_rng([root, epoch])
        order = rng.permutation(21)
        for start in range(0, 21, 8):
            chosen, done = order[start : start + 8], step / 6
            fall = 0.5 + 0.5 * math.cos(math.pi * (done - 0.1) / 0.9)
            share = 0.01 + 0.99 * (done / 0.1 if done < 0.1 else fall)
            for at in range(0, len(chosen), 3):
                part = chosen[at : at + 3]
                torch.manual_seed(int(rng.integers(2**62)))
                (task(points[part]).loss * (len(part) / len(chosen))).backward()
            optimizer.param_groups[0]["lr"] = LOOP.lr * share
            torch.nn.utils.clip_grad_norm_(task.parameters(), math.inf)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
    learned, about = read_weights_file(tmp_path / LATEST)
    for name, value in task.network.state_dict().items():
        assert torch.equal(learned[f"network.{name}"], value), name
    assert not {"sampling_plan", "num_train_steps", "freeze_mode"} & set(about["settings"])
    assert "sampler" not in about and not (tmp_path / PLAN_FOLDER).exists()
    told = summary(tmp_path)
    assert told["num_train_steps"] == 6 and told["sampling_plan_path"] is None
    assert not any(name.startswith("exposure") for name in told)


@pytest.mark.parametrize("replacement", [True, False])
def test_samples_come_in_the_order_of_the_weighted_sampler(
    tmp_path: Path, replacement: bool
) -> None:
    _, seen, _ = learn_by(tmp_path, planned(tmp_path / "plan", replacement=replacement), short())
    generator = torch.Generator().manual_seed(5)
    sampler = WeightedRandomSampler(WEIGHTS.astype(float).tolist(), 10, replacement, generator)
    # A pass has ten draws, which fill two batches of four.
    assert seen == [int(ROWS[i]) for _ in range(3) for i in list(sampler)[:8]]


@pytest.mark.parametrize("replacement", [True, False])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_resumed_equals_undisturbed_to_the_bit(
    tmp_path: Path, steps: int, replacement: bool
) -> None:
    """Two steps are a pass, so a run also stops in the middle of the second one."""
    plan = planned(tmp_path / "plan", replacement=replacement)
    _, whole, _ = learn_by(tmp_path / "whole", plan, short())
    again = planned(tmp_path / "plan", replacement=replacement)
    first, before, _ = learn_by(tmp_path / "cut", again, short(), stop_after=steps)
    assert first.interrupted and first.steps == steps
    torch.rand(3)
    again = planned(tmp_path / "plan", replacement=replacement)
    _, after, _ = learn_by(tmp_path / "cut", again, short(), resume=True)
    assert before[: 4 * steps] + after == whole
    assert numbers(tmp_path / "cut") == numbers(tmp_path / "whole")
    for name in (BEST, LATEST):
        one, about_one = read_weights_file(tmp_path / "cut" / name)
        other, about_other = read_weights_file(tmp_path / "whole" / name)
        assert about_one == about_other
        assert all(torch.equal(one[k], other[k]) for k in other)


def test_a_run_may_have_a_number_of_steps(tmp_path: Path) -> None:
    loop = short(num_train_steps=5)
    result, seen, _ = learn_by(tmp_path, planned(tmp_path / "plan"), loop)
    assert (result.steps, result.epochs, len(seen)) == (5, 3, 20)
    assert summary(tmp_path)["num_train_steps"] == 5
    part, _, _ = learn_by(tmp_path / "cut", planned(tmp_path / "plan"), loop, stop_after=3)
    assert part.steps == 3
    learn_by(tmp_path / "cut", planned(tmp_path / "plan"), loop, resume=True)
    assert numbers(tmp_path / "cut") == numbers(tmp_path)
    without, _, _ = learn_by(tmp_path / "none", None, short(num_train_steps=7))
    assert (without.steps, without.epochs) == (7, 2)  # six steps are an epoch of 21 samples


def test_a_run_does_not_go_on_by_another_plan(tmp_path: Path) -> None:
    learn_by(tmp_path, planned(tmp_path / "plan"), short(), stop_after=1)
    before = (tmp_path / SUMMARY).read_bytes()
    for other in (
        planned(tmp_path / "b", rows=ROWS[::-1].copy()),
        planned(tmp_path / "c", seed=6),
        planned(tmp_path / "d", replacement_override=False),
        None,
    ):
        with pytest.raises(ConfigError, match="sampling_plan was"):
            learn_by(tmp_path, other, short(), resume=True)
    assert (tmp_path / SUMMARY).read_bytes() == before


def test_the_summary_and_every_logged_step_tell_the_exposure(tmp_path: Path) -> None:
    """With what overrides the plan, and with the draws that fill no batch told apart."""
    plan = planned(tmp_path / "plan", seed=9, replacement_override=False)
    learn_by(tmp_path, plan, short())
    told, seen = summary(tmp_path), exposure(WEIGHTS, 6, 4, False)
    assert told["plan_replacement"] is True and told["sampler_replacement"] is False
    assert told["plan_sampler_seed"] == 5 and told["sampler_seed"] == 9 and told["seed"] == 7
    assert told["exposure_n"] == 24 and told["exposure_expected_unique"] == 10
    assert told["exposure_drop_last_unique"] == pytest.approx(seen.dropped_unique)
    assert told["exposure_drop_last_unique"] < 10 and told["plan_anchors_drawn"] == 10
    steps = [event for event in read_log(tmp_path / LOG_FILE) if event["kind"] == "step"]
    assert len(steps) == 6
    assert all(event["exposure_avg_repeat"] == pytest.approx(2.4) for event in steps)
    stored = json.loads((tmp_path / "plan" / "plan_meta.json").read_text())
    assert told["plan_sha256"] == stored["plan_sha256"]
    text = (tmp_path / SUMMARY).read_text()
    assert text == json.dumps(told, indent=2, sort_keys=True) + "\n"
    for name in ("plan_meta.json", "plan_arrays.npz"):
        copy = tmp_path / PLAN_FOLDER / name
        assert copy.read_bytes() == (tmp_path / "plan" / name).read_bytes()


def test_a_plan_that_cannot_be_copied_is_told(tmp_path: Path) -> None:
    (tmp_path / PLAN_FOLDER).write_text("in the way")
    result, _, _ = learn_by(tmp_path, planned(tmp_path / "plan"), short())
    found = [finding for finding in result.findings if "could not be copied" in finding.found]
    assert len(found) == 2 and found[0].level == "warning"
    warned = [e for e in read_log(tmp_path / LOG_FILE) if e["kind"] == "warning"]
    assert any("plan_meta.json" in event["found"] for event in warned)


def test_too_few_anchors_for_a_batch(tmp_path: Path) -> None:
    plan = planned(tmp_path / "plan")
    text = r"^Local batch size \(12\) is larger than the dataset size \(10\)\.$"
    with pytest.raises(PlanError, match=text):
        learn_by(tmp_path, plan, dataclasses.replace(LOOP, batch_size=12))
    assert not (tmp_path / SUMMARY).exists()


def test_strong_freezing_leaves_what_makes_codes_as_it_is(tmp_path: Path) -> None:
    before = dict(network().state_dict())
    _, _, weights = learn_by(tmp_path, None, short(), ScheduleOptions(freeze_mode="strong"))
    for name, value in weights.items():
        frozen = name.startswith(("encoder.", "quantize.project_in."))
        if frozen:
            assert torch.equal(value, before[name]), name
    assert not torch.equal(
        weights["decoder.decoder_proj.weight"], before["decoder.decoder_proj.weight"]
    )
    assert summary(tmp_path)["freeze_mode"] == "strong"


def test_a_plan_lowers_the_rate_when_samples_repeat(tmp_path: Path) -> None:
    options = ScheduleOptions(plan_aware_lr_scale=True, plan_target_effective_repeat=1.0)
    loop = short(lr_schedule="constant", warm_up=0.0)
    learn_by(tmp_path, planned(tmp_path / "plan"), loop, options)
    repeat = exposure(WEIGHTS, 6, 4, True).effective_repeat
    told = summary(tmp_path)
    assert told["plan_lr_scale"] == pytest.approx(repeat**-0.5)
    assert told["plan_lr_scale_enabled"] is True
    rates = [event["lr"] for event in numbers(tmp_path) if event["kind"] == "step"]
    assert rates == pytest.approx([LOOP.lr * repeat**-0.5] * 6)
    result, _, _ = learn_by(tmp_path / "none", None, loop, options)
    assert any("without a sampling plan" in finding.found for finding in result.findings)
    assert "plan_lr_scale" not in summary(tmp_path / "none")

"""The commands that people have, as they write them, on the data sets that they have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plan_sets import NAME, Places, Shell

from robovalue_ros.data.plan_files.folder import read_plan
from robovalue_ros.data.plan_files.norm_stats import read_norm_stats

BUILD = """robovalue plan build \\
--repo-id beat_block_hammer-demo_clean-50 \\
--train-config-name pi0_base_aloha_robotwin_lora \\
--num-episodes-keep 10 \\
--episode-selection-seed 0 \\
--plan-seed 0 \\
--sampler-seed 0 \\
--stride-S 2 \\
"""
PLAIN = (
    BUILD
    + """--stage-strategy time_quantile \\
--num-stages-K 4 \\
--stage-balance uniform_over_stage \\
--out-dir sampling_plans/beat_block_hammer/demo10_s0"""
)
JUMPS = (
    BUILD
    + """--stage-strategy change_point_state \\
--num-stages-K 4 \\
--change-point-delta 3 \\
--change-point-min-gap 10 \\
--out-dir sampling_plans/beat_block_hammer/demo10_s0_cp"""
)
GRIPPERS = (
    BUILD
    + """--stage-strategy time_quantile \\
--gripper-event-enabled \\
--gripper-dims "6,13" \\
--gripper-quantile-q 0.95 \\
--gripper-min-gap 10 \\
--gripper-event-mode soft_exp \\
--gripper-sigma 10 \\
--gripper-gamma 2.0 \\
--out-dir sampling_plans/beat_block_hammer/demo10_s0_grip"""
)
FOLDER = Path("sampling_plans/beat_block_hammer")
ONE_EPISODE = "robovalue plan build --repo-id beat_block_hammer-demo_clean-50 --num-episodes-keep 1"


def meta_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "plan_meta.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(params=["v30", "v21", "hdf5"])
def anywhere(
    request: pytest.FixtureRequest, shell: Shell, places: Places, monkeypatch: pytest.MonkeyPatch
) -> Shell:
    """A shell in which the data set's name means the one of this format."""
    monkeypatch.delenv("HF_LEROBOT_HOME")
    if request.param == "hdf5":
        # Found as a path; LeRobot knows no such files.
        (shell.folder / NAME).symlink_to(places.hdf5)
    else:
        monkeypatch.setenv("HF_HOME", str(shell.folder / "hub"))
        home = shell.folder / "hub" / "lerobot"
        home.mkdir(parents=True)
        (home / NAME).symlink_to(getattr(places, request.param))
    return shell


def test_the_fields_of_a_data_set(anywhere: Shell) -> None:
    said = anywhere.run(f"robovalue plan episodes --repo-id {NAME}")
    assert "episodes                50" in said and "observation.state       14 numbers" in said
    assert "the first 5 episodes" in said
    told = json.loads(
        anywhere.run(f"robovalue plan episodes --repo-id {NAME} --max-episodes-print 2 --json")
    )
    assert len(told["listed"]) == 2 and told["episodes"] == 50 and told["uneven"] == []
    low, mean, high = told["lengths"]
    assert 60 <= low <= mean <= high <= 110 and told["rows"] == round(mean * 50)


def test_the_window_at_the_end_of_an_episode(anywhere: Shell) -> None:
    said = json.loads(
        anywhere.run(
            f"robovalue plan horizon --repo-id {NAME} "
            "--train-config-name pi0_base_aloha_robotwin_lora --json"
        )
    )
    assert said["strict"]["shape"] == [50, 14] and said["strict"]["repeated"] == 0
    assert said["last"] == {
        "frame": said["frames"] - 1, "shape": [50, 14], "repeated": 49, "nan": False, "std": 0.0
    }  # fmt: skip
    assert said["strict"]["std"] > 0


def test_plans_of_ten_demonstrations(anywhere: Shell) -> None:
    for line, name in ((PLAIN, "demo10_s0"), (JUMPS, "demo10_s0_cp"), (GRIPPERS, "demo10_s0_grip")):
        anywhere.run(line)
        said = anywhere.run(f"robovalue plan verify --plan-path {FOLDER / name}")
        assert "the plan is whole" in said
        meta = meta_of(FOLDER / name)
        assert meta["repo_id"] == NAME and len(meta["episodes_keep"]) == 10
        assert meta["action_horizon_H"] == 50 and meta["batch_size"] == 32
        assert meta["summary"]["num_anchors"] >= 32
    assert meta["summary"]["num_gripper_events_per_episode"]["min"] >= 1


def test_the_same_numbers_give_the_same_plan_in_every_format(
    shell: Shell, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = set()
    for number, root in enumerate((places.v30, places.v21, places.hdf5)):
        monkeypatch.chdir(root.parent)
        out = shell.folder / f"plan{number}"
        monkeypatch.setenv("HF_LEROBOT_HOME", str(root.parent))
        shell.run(GRIPPERS, "--out-dir", out)
        found.add((meta_of(out)["content_sha256"], meta_of(out)["data_sha256"]))
    assert len(found) == 1


def test_two_builds_differ_in_their_time_alone(shell: Shell) -> None:
    shell.run(PLAIN, "--out-dir", "a")
    shell.run(PLAIN, "--out-dir", "b")
    a, b = meta_of(Path("a")), meta_of(Path("b"))
    for meta in (a, b):
        del meta["created_at_utc"], meta["plan_sha256"]
    assert a == b
    assert Path("a/plan_arrays.npz").read_bytes() == Path("b/plan_arrays.npz").read_bytes()
    assert "training sees the same of both" in shell.run("robovalue plan compare a b")


@pytest.mark.parametrize(
    ("words", "replacement"),
    [
        ("", True), ("--replacement", True), ("--replacement true", True),
        ("--replacement=True", True), ("--no-replacement", False), ("--replacement false", False),
        ("--no-replacement true", False),
    ],
)  # fmt: skip
def test_switches_as_people_write_them(shell: Shell, words: str, replacement: bool) -> None:
    shell.run(f"{ONE_EPISODE} --min-anchors 1 --out-dir out {words}")
    assert meta_of(Path("out"))["replacement"] is replacement


def test_flags_of_older_trainings_and_their_other_spellings(shell: Shell) -> None:
    shell.run(
        f"robovalue plan build --data.repo-id {NAME} --num_episodes_keep 1 --stride-s 3 "
        "--num-stages-k 6 --min_anchors 1 --gripper_event_enabled true --out-dir out"
    )
    meta = meta_of(Path("out"))
    assert meta["anchor_strategy"]["stride_S"] == 3
    assert meta["stage_strategy"]["num_stages_K"] == 6 and meta["gripper_event"]["enabled"]


def test_a_training_of_ones_own_names_its_window_and_batch(shell: Shell) -> None:
    shell.run(
        f"{ONE_EPISODE} --train-config-name my_training --action-horizon 16 --batch-size 4 "
        "--out-dir out"
    )
    assert meta_of(Path("out"))["action_horizon_H"] == 16
    assert meta_of(Path("out"))["train_config_name"] == "my_training"
    said = shell.fails(f"{ONE_EPISODE} --train-config-name pi0_base_aloha_robotwin_lara")
    assert "Did you mean 'pi0_base_aloha_robotwin_lora'?" in said


def test_statistics_of_everything_and_of_a_plan(shell: Shell, places: Places) -> None:
    shell.run(PLAIN)
    said = shell.run(
        f"robovalue plan norm-stats pi0_base_aloha_robotwin_lora --data.repo-id {NAME}"
    )
    base = Path("assets/pi0_base_aloha_robotwin_lora")
    assert str(base / NAME / "norm_stats.json") in said
    shell.run(
        """robovalue plan norm-stats pi0_base_aloha_robotwin_lora \\
        --plan-path sampling_plans/beat_block_hammer/demo10_s0 \\
        --plan-subset-mode episodes_valid \\
        --output-asset-id beat_block_hammer-demo_clean-10_plan10_s0 --plan-verify-sha256 true"""
    )
    every = read_norm_stats(base / NAME / "norm_stats.json")
    some = read_norm_stats(base / "beat_block_hammer-demo_clean-10_plan10_s0/norm_stats.json")
    assert every["state"].mean.shape == some["actions"].q99.shape == (14,)
    assert not np.array_equal(every["state"].mean, some["state"].mean)


def test_a_plan_is_looked_at_and_drawn(shell: Shell) -> None:
    shell.run(GRIPPERS)
    plan = FOLDER / "demo10_s0_grip"
    said = shell.run(
        f"robovalue plan inspect --plan-path {plan} --steps 6000 --batch-size 32 --out look"
    )
    assert "effective samples (ESS)" in said and "expected coverage" in said
    assert Path("look/plan.png").read_bytes().startswith(b"\x89PNG")
    page = Path("look/plan.html").read_text(encoding="utf-8")
    # All that it shows is in it.
    assert "data:image/png;base64," in page
    assert not [word for word in ('src="http', 'href="http', "url(") if word in page]
    told = json.loads(
        shell.run(f"robovalue plan inspect --plan-path {plan} --steps 7 --replacement false --json")
    )
    assert told["run"] == {"steps": 7, "batch_size": 32, "replacement": False}
    assert told["exposure"]["drawn"] == 224
    assert sum(one["anchors"] for one in told["stages"]) == told["exposure"]["samples"]


def test_plans_beside_each_other(shell: Shell) -> None:
    shell.run(PLAIN)
    shell.run(GRIPPERS)
    first, second = FOLDER / "demo10_s0", FOLDER / "demo10_s0_grip"
    said = shell.run(f"robovalue plan compare {first} {second} --out both.html")
    assert "gripper_event.enabled" in said and "the plans differ" in said
    assert Path("both.html").is_file()
    told = json.loads(shell.run(f"robovalue plan compare {first} {second} --json"))
    anchors = len(read_plan(first).plan.anchors)
    assert told["overlap"]["both"] == anchors and told["overlap"]["jaccard"] == 1.0
    assert 0 < told["overlap"]["moved"] < 1 and not told["same"]
    assert told["overlap"]["same_stage"] == 1.0

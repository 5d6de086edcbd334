"""What goes wrong ends with exit code 2 and the words of older tools."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from lerobot_checks import write
from plan_sets import NAME, Shell, as_v21, demonstrations

BUILD = f"robovalue plan build --repo-id {NAME}"
WITHOUT_EPISODES = (
    "Dataset missing episode_index/frame_index; episode subset sampling is unavailable. Use "
    "--num_episodes_keep 1 or regenerate the dataset with episode fields."
)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--num-episodes-keep 0", "--num_episodes_keep must be positive."),
        ("--num-episodes-keep 60", "Requested num_episodes_keep=60 but dataset has 50 episodes."),
        ("--stride-S 0", "--stride_S must be positive."),
        ("--gripper-event-enabled --gripper-dims ,", "--gripper_dims is empty."),
        ("--gripper-event-enabled --gripper-dims 6,14",
         "Invalid gripper_dims=[6, 14] for state_dim=14."),
        ("--gripper-event-enabled --gripper-smooth-window 4", "median filter window must be odd."),
    ],
)  # fmt: skip
def test_plans_that_cannot_be(shell: Shell, words: str, text: str) -> None:
    assert shell.fails(f"{BUILD} {words}") == text
    assert not Path("sampling_plans").exists()


def test_too_few_anchors(shell: Shell) -> None:
    said = shell.fails(f"{BUILD} --num-episodes-keep 1 --min-anchors 5000")
    assert said.startswith("Not enough anchors for one batch: anchors=")
    assert said.endswith(", required>=5000. Try smaller stride or more demos.")


def test_the_reference_refuses_short_episodes(shell: Shell) -> None:
    words = "--action-horizon 100 --valid-start-tail-keep 99"
    shell.run(f"{BUILD} {words}")
    said = shell.fails(f"{BUILD} {words} --compat reference")
    assert said == "Found episodes with length <= horizon; cannot construct valid start frames."


def test_options_that_need_a_folder(shell: Shell) -> None:
    for words, flag in (
        ("--stage-strategy value", "--values"), ("--sample-weighting advantage", "--values"),
        ("--stage-strategy segments", "--segments"),
    ):  # fmt: skip
        assert f"these options need {flag}" in shell.fails(f"{BUILD} {words}")


def test_a_data_set_that_is_nowhere(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    said = shell.fails("robovalue plan build --repo-id somebody/nothing")
    assert said.startswith("somebody/nothing: no such data set") and "HF_LEROBOT_HOME" in said
    monkeypatch.setenv("HF_LEROBOT_HOME", "/nowhere")
    assert "below /nowhere" in shell.fails(f"robovalue plan episodes --repo-id {NAME}")


def test_data_without_episodes_are_one(shell: Shell) -> None:
    root = as_v21(shell.folder / "plain", demonstrations(1))
    info = json.loads((root / "meta/info.json").read_text())
    for name in ("episode_index", "frame_index"):
        del info["features"][name]
    (root / "meta/info.json").write_text(json.dumps(info))
    (path,) = root.rglob("*.parquet")
    pq.write_table(pq.read_table(path).drop_columns(["episode_index", "frame_index"]), path)
    assert (
        shell.fails("robovalue plan build --repo-id plain --num-episodes-keep 2")
        == WITHOUT_EPISODES
    )
    shell.run("robovalue plan build --repo-id plain --num-episodes-keep 1 --batch-size 2")
    code, said, _ = shell.tried("robovalue plan episodes --repo-id plain")
    assert code == 1 and "--num-episodes-keep 1" in said
    meta = json.loads(Path("sampling_plans/plan_star/plan_meta.json").read_text())
    assert meta["has_episode_fields"] is False and meta["episodes_keep"] == [0]


def test_data_without_states(shell: Shell) -> None:
    episodes = demonstrations(2)
    root = shell.folder / "stateless"
    root.mkdir()
    write(root, episodes)
    info = json.loads((root / "meta/info.json").read_text())
    del info["features"]["observation.state"]
    (root / "meta/info.json").write_text(json.dumps(info))
    shell.run("robovalue plan build --repo-id stateless --num-episodes-keep 2 --batch-size 2")
    said = shell.fails(
        "robovalue plan build --repo-id stateless --num-episodes-keep 2 --gripper-event-enabled"
    )
    assert said == (
        "Dataset missing observation.state, required for "
        "stage_strategy=change_point_state or gripper_event_enabled."
    )


def test_damaged_columns_name_their_file(shell: Shell) -> None:
    root = as_v21(shell.folder / "damaged", demonstrations(3))
    path = sorted(root.rglob("*.parquet"))[1]
    path.write_bytes(path.read_bytes()[:-200])
    said = shell.fails("robovalue plan build --repo-id damaged --num-episodes-keep 3")
    assert str(path.relative_to(shell.folder)) in said


def test_windows_that_an_episode_does_not_have(shell: Shell) -> None:
    line = f"robovalue plan horizon --repo-id {NAME}"
    assert shell.fails(f"{line} --episode-id 77") == "episode_id=77 not found in dataset."
    said = shell.fails(f"{line} --action-horizon 500")
    assert said.startswith("Episode too short for horizon=500: last_f=")


def test_verify_counts_anchors(shell: Shell) -> None:
    shell.run(f"{BUILD} --num-episodes-keep 10")
    line = "robovalue plan verify --plan-path sampling_plans/plan_star --check-min-anchors"
    shell.run(f"{line} 32")
    said = shell.fails(f"{line} 100000")
    assert said.startswith("anchors=") and said.endswith("< check_min_anchors=100000")


def test_other_data_are_told(shell: Shell) -> None:
    shell.run(f"{BUILD} --num-episodes-keep 10")
    as_v21(shell.folder / "others", demonstrations(50, seed=1))
    said = shell.fails(
        "robovalue plan verify --plan-path sampling_plans/plan_star --repo-id others"
    )
    assert said.startswith("Sampling plan dataset_len mismatch: plan=")
    as_v21(shell.folder / "alike", demonstrations(50))
    shell.run("robovalue plan verify --plan-path sampling_plans/plan_star --repo-id alike")


def test_outputs_of_unknown_kinds(shell: Shell) -> None:
    shell.run(f"{BUILD} --num-episodes-keep 10")
    plan = "sampling_plans/plan_star"
    assert "--out x.jpg" in shell.fails(f"robovalue plan inspect --plan-path {plan} --out x.jpg")
    assert "--out look" in shell.fails(f"robovalue plan compare {plan} {plan} --out look")

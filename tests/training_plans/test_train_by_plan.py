"""Trainings by a plan through their commands: what they draw, tell, refuse and go on with."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from planned_sets import LENGTHS, build, run, write_codes, write_episodes, write_tracks
from small_runs import in_two_processes, numbers

from robovalue_ros.backends.weights_file import read_weights_file
from robovalue_ros.data.plan_files.folder import read_plan, write_plan
from robovalue_ros.plans.schedule import CosineSchedule, learning_rate
from robovalue_ros.training.checkpoints import BEST, LATEST
from robovalue_ros.training.logger import LOG_FILE, read_log

NAMES = [f"episode_{number:06d}" for number in range(len(LENGTHS))]
TOKENIZER = ("segment", "train-tokenizer", "tracks", "--hidden-dim", "16", "--num-heads", "2",
             "--codebook-size", "64", "--device", "cpu", "--loss-points", "4", "--batch-size", "8",
             "--log-interval", "1")  # fmt: skip
CODES = ("codes", "train", "--json-root", "codes", "--embedding-dim", "8", "--device", "cpu",
         "--batch-size", "2", "--epochs", "3")  # fmt: skip
PLAN = ("--sampling-plan-path", "plan")
RUNS = Path("checkpoints/motion_tokenizer")
PATIENT = 120  # seconds, for a machine that does other things too


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    (folder / "demos").mkdir()
    write_episodes(folder / "demos")
    write_tracks(folder / "tracks", NAMES)
    write_codes(folder / "codes" / "cup", NAMES)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        build(Path("plan"))
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working directory of its own with data set, recordings, codes and plan."""
    for name in ("demos", "tracks", "codes", "plan"):
        (tmp_path / name).symlink_to(made / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def summary(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "run_summary.json").read_text()))


def steps(folder: Path) -> list[dict[str, Any]]:
    return [event for event in read_log(folder / LOG_FILE) if event["kind"] == "step"]


def test_the_flags_of_older_trainings(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (*TOKENIZER, *PLAN, "--exp-name", "s0", "--num-train-steps", "20", "--num-workers", "0",
             "--seed", "1", "--data.repo-id", "demos", "--budget-aware-schedule", "--freeze-mode",
             "default", "--plan-aware-lr-scale")  # fmt: skip
    assert run(*words, "--overwrite") == 0
    assert "53 anchors drawn" in capsys.readouterr().out
    found = summary(RUNS / "s0")
    assert (found["exp_name"], found["seed"], found["num_train_steps"]) == ("s0", 1, 20)
    assert (found["plan_num_anchors"], found["plan_anchors_drawn"]) == (53, 53)
    assert found["plan_repo_id"] == "demos" and found["exposure_n"] == 160
    told = steps(RUNS / "s0")
    # The share 0.03 of 20 steps is below the least of 50, which is above half of them.
    expected = CosineSchedule(10, 1e-4, 20, 1e-6)
    assert [e["lr"] for e in told] == pytest.approx([learning_rate(expected, k) for k in range(20)])
    assert all(event["exposure_n"] == 160 for event in told)
    first = (RUNS / "s0" / LATEST).read_bytes()
    assert run(*words, "--overwrite") == 0
    assert (RUNS / "s0" / LATEST).read_bytes() == first
    assert {path.name for path in RUNS.iterdir()} == {"s0"}
    assert run(*words, "--overwrite", "--resume") == 2
    assert run(*words, "--resume") == 0  # nothing is left to do


def test_two_processes_learn_what_one_does(place: Path) -> None:
    """Over gloo; each step's micro-batches are shared out, so none is seen twice."""
    words = (*TOKENIZER, *PLAN, "--micro-batch", "4", "--num-train-steps", "9")
    in_two_processes(
        [sys.executable, "-m", "robovalue_ros.cli.main", *words, "--exp-name", "two"], PATIENT
    )
    assert run(*words, "--exp-name", "one") == 0
    for alone, together in zip(*(numbers(RUNS / n) for n in ("one", "two")), strict=True):
        assert together.pop("kind") == alone.pop("kind")
        assert together == pytest.approx(alone, rel=2e-3, abs=2e-3)
    one, two = (read_weights_file(RUNS / name / BEST)[0] for name in ("one", "two"))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("words", [TOKENIZER, CODES])
def test_plans_of_other_data_are_refused_in_the_words_of_old(
    place: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    stored = read_plan(Path("plan")).plan

    def other(**meta: Any) -> Path:
        folder = place / "other"
        shutil.rmtree(folder, ignore_errors=True)
        plan = type(stored)(stored.anchors, stored.weights, stored.stages, {**stored.meta, **meta})
        write_plan(folder, plan, "2025-01-31T12:00:00")
        return folder

    def said(*more: object) -> str:
        assert run(*words, *more) == 2
        (line,) = [e for e in capsys.readouterr().err.splitlines() if "robovalue: error" in e]
        return line.removeprefix("robovalue: error: ")

    assert said(*PLAN, "--data.repo-id", "cups") == (
        "Sampling plan repo_id mismatch: plan=demos config=cups"
    )
    assert said("--sampling-plan-path", other(dataset_len=200)) == (
        "Sampling plan dataset_len mismatch: plan=200 dataset=162"
    )
    data = stored.meta["data_sha256"]
    assert said("--sampling-plan-path", other(data_sha256="0")) == (
        f"Sampling plan data_sha256 mismatch: plan=0 dataset={data}"
    )
    if words is TOKENIZER:
        assert said("--sampling-plan-path", other(action_horizon_H=50)) == (
            "Sampling plan action_horizon_H mismatch: plan=50 model=16"
        )
    meta = json.loads((other() / "plan_meta.json").read_text())
    (place / "other" / "plan_meta.json").write_text(json.dumps({**meta, "plan_seed": 9}))
    assert said("--sampling-plan-path", "other").startswith("Plan sha256 mismatch: expected=")
    assert said("--sampling-plan-path", "nowhere") == "Unsupported plan path: nowhere"
    assert not Path("checkpoints").exists() and not Path("code_models").exists()


def test_recordings_of_another_length_or_name_are_refused(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("tracks").unlink()
    write_tracks(Path("tracks"), NAMES, tuple(frames - 1 for frames in LENGTHS))
    assert run(*TOKENIZER, *PLAN) == 2
    said = capsys.readouterr().err
    assert "holds windows of" in said and "that the plan's data set has of it" in said
    shutil.rmtree("tracks")
    write_tracks(Path("tracks"), [f"video_{k}" for k in range(5)])
    assert run(*TOKENIZER, *PLAN) == 2
    assert "no anchor of plan lies in what is trained on" in capsys.readouterr().err
    shutil.rmtree(place / "codes", ignore_errors=True)
    Path("codes").unlink(missing_ok=True)
    write_codes(Path("codes"), NAMES, frames=18)
    assert run(*CODES, *PLAN) == 2
    assert "says that it ends at frame 35 of episode_00000" in capsys.readouterr().err


def test_recordings_that_the_plan_leaves_out_judge(place: Path) -> None:
    assert run(*TOKENIZER, *PLAN, "--epochs", "1", "--validation-fraction", "0.4") == 0
    (start,) = [e for e in read_log(RUNS / "tokenizer" / LOG_FILE) if e["kind"] == "start"]
    kept = {f"{NAMES[number]}.hdf5" for number in read_plan(Path("plan")).meta["episodes_keep"]}
    assert set(start["settings"]["train_files"]) == kept
    assert set(start["settings"]["validation_files"]) == {f"{n}.hdf5" for n in NAMES} - kept


def test_anchors_that_cannot_be_drawn_are_told(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(Path("all"), "--valid-start-tail-keep", "15", "--num-episodes-keep", "5")
    words = (*TOKENIZER, "--sampling-plan-path", "all", "--epochs", "1")
    assert run(*words) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "20 of 162 anchors begin a window in which nothing moves" in said
    assert "the plan keeps all recordings" in said
    assert summary(RUNS / "tokenizer")["plan_anchors_drawn"] == 142
    more = ("--still-windows", "keep", "--validation", "tracks:traj0.2")
    assert run(*words, *more) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "32 of 162 anchors lie in no recording that is learned from" in said
    assert summary(RUNS / "tokenizer_1")["plan_anchors_drawn"] == 130


def test_codes_weigh_what_the_anchors_in_their_frames_weigh(place: Path) -> None:
    assert run(*CODES, *PLAN, "--exp-name", "c0") == 0
    stored = read_plan(Path("plan")).plan
    begins = np.cumsum([0, *LENGTHS])
    weight = {}
    for number, begin in enumerate(begins[:-1]):
        for part in range(2):
            first = begin + 12 * part
            inside = (stored.anchors >= first) & (stored.anchors < first + 12)
            weight[number, part] = stored.weights[inside].astype(float).sum()
    found = summary(Path("code_models/c0"))
    shares = sorted(w for w in weight.values() if w > 0)
    assert found["plan_anchors_drawn"] in (len(shares), len(shares) - 1)  # one may judge
    assert found["train_config_name"] == "code_sequences" and found["num_train_steps"] >= 6


def test_codes_go_on_by_their_own_copy_of_the_plan(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*CODES, *PLAN, "--exp-name", "whole", "--epochs", "4") == 0
    assert run(*CODES, *PLAN, "--exp-name", "cut", "--epochs", "2") == 0
    Path("plan").unlink()
    assert run("codes", "train", "--resume", "code_models/cut", "--extra-epochs", "2",
               "--device", "cpu") == 0  # fmt: skip
    folders = [Path("code_models") / name for name in ("whole", "cut")]
    whole, cut = (read_weights_file(f / "training_state.safetensors")[0] for f in folders)
    assert all(torch.equal(cut[name], value) for name, value in whole.items())
    logs = [read_log(folder / LOG_FILE) for folder in folders]
    assert all("exposure_ESS" in event for log in logs for event in log)
    assert [e["train_loss"] for e in logs[0]] == [e["train_loss"] for e in logs[1]]
    assert run(*CODES, "--exp-name", "cut") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run(*CODES, "--exp-name", "cut", "--overwrite", "--num-train-steps", "2") == 0
    found = summary(Path("code_models/cut"))
    assert found["sampling_plan_path"] is None and found["num_train_steps"] == 2


@pytest.mark.parametrize("words", [TOKENIZER, CODES])
def test_nothing_is_frozen_where_nothing_is_known(
    place: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words, "--freeze-mode", "strong") == 2
    assert "freeze_mode is strong" in capsys.readouterr().err

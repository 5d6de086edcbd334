"""Log, run folders, shares of recordings, and the warning of a code book that collapses."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from moving_points import write_recording
from small_runs import LOOP, learn, network

from robovalue_ros.contracts.errors import ConfigError, DataError, MissingExtra
from robovalue_ros.segment.tokenizer.config import LossConfig
from robovalue_ros.training.checkpoints import LATEST, read_checkpoint, run_folder, write_checkpoint
from robovalue_ros.training.collapse import EARLIEST, CodeBook, collapse_finding
from robovalue_ros.training.logger import LOG_FILE, TrainingLogger, open_sinks, read_log
from robovalue_ros.training.splits import split_recordings

BOOK = CodeBook(size=1920, nominal=2048, tokens=480, lr=1e-3, diversity=0.0)


def test_the_log_is_json_whatever_is_told(tmp_path: Path) -> None:
    logger = TrainingLogger(tmp_path)
    logger.log("step", 1, {"train_loss": math.nan, "lr": 0.5, "name": "a"})
    logger.close()
    line = (tmp_path / LOG_FILE).read_text()
    assert json.loads(line) == {
        "kind": "step",
        "step": 1,
        "train_loss": None,
        "lr": 0.5,
        "name": "a",
    }


def test_tensorboard_gets_the_numbers(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = TrainingLogger(tmp_path, open_sinks(tmp_path, tensorboard=True))
    for step in (1, 2):
        logger.log("step", step, {"train_loss": 1.0 / step, "broken": math.inf})
    logger.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert events.Tags()["scalars"] == ["train_loss"]
    assert [(e.step, e.value) for e in events.Scalars("train_loss")] == [(1, 1.0), (2, 0.5)]


@pytest.mark.parametrize(
    ("module", "asked"),
    [("wandb", {"wandb": "robots"}), ("torch.utils.tensorboard", {"tensorboard": True})],
)
def test_what_is_asked_for_and_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, asked: dict[str, object]
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises((MissingExtra, ConfigError), match="pip install"):
        open_sinks(tmp_path, **asked)  # type: ignore[arg-type]


def test_runs_get_free_names_and_the_last_one_goes_on(tmp_path: Path) -> None:
    assert run_folder(tmp_path / "none", "foo", resume=False) == tmp_path / "none" / "foo"
    for name in ("foo", "foo_2", "foobar_9", "foo_x"):
        (tmp_path / name).mkdir()
    assert run_folder(tmp_path, "foo", resume=False).name == "foo_3"
    with pytest.raises(DataError, match="nothing to go on from"):
        run_folder(tmp_path, "foo", resume=True)
    (tmp_path / "foo" / LATEST).touch()
    assert run_folder(tmp_path, "foo", resume=True).name == "foo"


@given(
    st.lists(st.integers(0, 3), max_size=3),
    st.sampled_from([torch.float32, torch.bfloat16, torch.int64]),
)
def test_a_checkpoint_gives_back_what_it_was_given(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int], dtype: torch.dtype
) -> None:
    path = tmp_path_factory.mktemp("checkpoint") / "a.safetensors"
    tensor = torch.ones(shape).to(dtype)
    write_checkpoint(path, {"x": tensor}, {"kind": "toy", "n": [1, None]})
    tensors, about = read_checkpoint(path, "toy")
    assert tensors["x"].dtype == dtype and torch.equal(tensors["x"], tensor)
    assert about == {"kind": "toy", "n": [1, None]}
    with pytest.raises(DataError, match="toy"):
        read_checkpoint(path, "other")


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ten")
    for number in range(10):
        write_recording(folder / f"{number}.hdf5", 1, np.random.default_rng(number), side=1)
    return folder


@pytest.mark.parametrize(
    ("train", "validation", "sizes"),
    [
        ("{}", [], (9, 1)),
        ("{}:traj0.8", [], (8, 0)),
        ("{}:traj1.0", [], (10, 0)),
        ("{}:traj0.8", ["{}"], (8, 2)),
        ("{}:traj0.6", ["{}:traj0.2"], (6, 2)),
    ],
)
def test_shares_are_kept_and_never_overlap(
    ten: Path, train: str, validation: list[str], sizes: tuple[int, int]
) -> None:
    judged = [text.format(ten) for text in validation]
    for seed in range(3):
        rng = np.random.default_rng(seed)
        split = split_recordings([train.format(ten)], judged, None, 0.1, rng)
        assert (len(split.train), len(split.validation)) == sizes
        assert not set(split.train) & set(split.validation)


@pytest.mark.parametrize("share", ["0", "1.5"])
def test_an_impossible_share_is_an_error(ten: Path, share: str) -> None:
    with pytest.raises(ConfigError, match="share"):
        split_recordings([f"{ten}:traj{share}"], [], None, 0.1, np.random.default_rng(0))


def test_one_recording_is_not_divided(ten: Path) -> None:
    split = split_recordings([str(ten / "3.hdf5")], [], None, 0.1, np.random.default_rng(0))
    assert len(split.train) == 1 and not split.validation and split.findings


def test_a_healthy_code_book_is_left_in_peace() -> None:
    memory: dict[str, float] = {}
    for step in range(0, 1000, 10):
        assert collapse_finding(200.0 + step % 30, 50.0, BOOK, step, memory) is None
    assert collapse_finding(1.0, 50.0, BOOK, EARLIEST - 1, {}) is None


def test_few_codes_and_ever_fewer_are_noticed_with_advice() -> None:
    few = collapse_finding(5.0, 50.0, BOOK, EARLIEST, {})
    assert few is not None and "--diversity 0.1" in few.advice and "--lr" not in few.advice
    memory: dict[str, float] = {}
    assert collapse_finding(300.0, 50.0, BOOK, EARLIEST, memory) is None
    fell = collapse_finding(60.0, 50.0, BOOK, EARLIEST + 10, memory)
    assert fell is not None and "after 300 before" in fell.found and "--lr 0.0003" in fell.advice
    still = collapse_finding(1.0, 0.4, BOOK, EARLIEST, {})
    assert still is not None and "--vel-norm-thr" in still.advice
    assert "--codebook-size" in still.advice


def test_a_network_that_says_one_code_is_warned_of_once(tmp_path: Path) -> None:
    """Its encoder hears nothing, so that every window of any motion has the same code."""
    model = network(dropout=0.0, z_noise_std=0.0)
    with torch.no_grad():
        model.encoder.encoder_proj.weight.zero_()
        model.encoder.encoder.transformer.pos_emb.weight.zero_()
    loop = dataclasses.replace(LOOP, epochs=1, lr=0.0, log_interval=10, batch_size=2)
    result = learn(
        tmp_path, loop, model=model, loss=LossConfig(diversity=0.0, loss_points=2), samples=240,
        held_out=0,
    )  # fmt: skip
    (finding,) = result.findings
    assert "collapses" in finding.found and "--diversity" in finding.advice
    told = [event for event in read_log(tmp_path / LOG_FILE) if event["kind"] == "warning"]
    assert [event["step"] for event in told] == [EARLIEST]

"""A training that was stopped and goes on is the training that was never stopped."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from small_runs import LOOP, learn, numbers

from robovalue_ros.backends.weights_file import read_weights_file
from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.training.checkpoints import BEST, LATEST
from robovalue_ros.training.logger import LOG_FILE, read_log


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert not learn(folder).interrupted
    return folder


# An epoch has three steps, the last of them with five samples in two micro-batches.
@pytest.mark.parametrize("steps", [1, 3, 4])
def test_resumed_equals_undisturbed_to_the_bit(
    undisturbed: Path, tmp_path: Path, steps: int
) -> None:
    first = learn(tmp_path, stop_after=steps)
    assert first.interrupted and first.steps == steps
    torch.rand(3)  # the global random state is nobody's business
    result = learn(tmp_path, resume=True)
    assert not result.interrupted and result.steps == 6
    assert numbers(tmp_path) == numbers(undisturbed)
    for name in (BEST, LATEST):
        one, about_one = read_weights_file(tmp_path / name)
        other, about_other = read_weights_file(undisturbed / name)
        assert about_one == about_other
        assert one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_a_training_leaves_the_global_random_state_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    learn(tmp_path, dataclasses.replace(LOOP, epochs=1))
    assert torch.equal(before, torch.get_rng_state())


def test_other_options_do_not_go_on(undisturbed: Path) -> None:
    with pytest.raises(ConfigError, match=r"lr was 0\.001 and is 0\.01"):
        learn(undisturbed, dataclasses.replace(LOOP, lr=1e-2), resume=True)


def test_a_cut_line_of_the_log_and_later_lines_are_dropped(tmp_path: Path) -> None:
    learn(tmp_path, stop_after=2)
    with (tmp_path / LOG_FILE).open("a") as log:
        log.write('{"kind": "step", "step": 3, "train_loss": 1.0}\n{"kind": "st')
    learn(tmp_path, resume=True)
    assert [event["step"] for event in read_log(tmp_path / LOG_FILE) if event["kind"] == "step"] == [
        1, 2, 3, 4, 5, 6,
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["cut", "flipped", "empty", "text"])
def test_a_damaged_checkpoint_is_named_and_not_loaded(
    undisturbed: Path, tmp_path: Path, how: str
) -> None:
    content = bytearray((undisturbed / LATEST).read_bytes())
    if how == "cut":
        content = content[: len(content) // 2]
    elif how == "flipped":
        content[-100] ^= 4
    else:
        content = bytearray(b"" if how == "empty" else b"hello")
    (tmp_path / LATEST).write_bytes(content)
    with pytest.raises(DataError, match=LATEST):
        learn(tmp_path, resume=True)

"""`robovalue segment train-tokenizer`: recordings in, a tokenizer out, in real processes too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from moving_points import HEIGHT, WIDTH, write_recording
from small_runs import in_two_processes, numbers

from robovalue_ros.backends.motion_tokenizer import load_tokenizer
from robovalue_ros.backends.weights_file import read_weights_file
from robovalue_ros.cli.main import main
from robovalue_ros.contracts.errors import ConfigError, ContractError, DataError
from robovalue_ros.pipelines.segment.train_tokenizer import train_tokenizer
from robovalue_ros.pipelines.segment.train_tokenizer_config import (
    NetworkOptions,
    TrainTokenizerConfig,
    WindowOptions,
)
from robovalue_ros.segment.tokenizer.config import LossConfig
from robovalue_ros.training.checkpoints import BEST, LATEST
from robovalue_ros.training.logger import LOG_FILE, read_log
from robovalue_ros.training.options import LoopConfig

SMALL = ["--hidden-dim", "16", "--num-heads", "2", "--codebook-size", "64", "--device", "cpu",
         "--loss-points", "4"]  # fmt: skip
NETWORK = NetworkOptions(codebook_size=64, hidden_dim=32, num_heads=4)
PATIENT = 120  # seconds, for a machine that does other things too


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tracks")
    rng = np.random.default_rng(0)
    for number in range(5):
        write_recording(folder / "cups" / f"video_{number}.hdf5", 40, rng, still=8)
    return folder


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "robovalue_ros.cli.main", "segment", "train-tokenizer",
            *map(str, words)]  # fmt: skip


def test_it_learns(recordings: Path, tmp_path: Path) -> None:
    """The loss falls, most codes are used, and what was learned says where points went."""
    config = TrainTokenizerConfig(
        (str(recordings / "cups"),), validation_fraction=0.2, out=tmp_path, network=NETWORK,
        loop=LoopConfig(epochs=14, batch_size=16, micro_batch=16, lr=3e-3, device="cpu"),
        loss=LossConfig(loss_points=6),
    )  # fmt: skip
    result = train_tokenizer(config)
    assert (result.recordings, result.samples, result.held_out) == (4, 4 * 32, 32)
    epochs = [e for e in numbers(result.training.folder) if e["kind"] == "epoch"]
    assert result.training.best < 0.6 * epochs[0]["val_loss"]
    assert epochs[-1]["train_loss"] < 0.6 * epochs[0]["train_loss"]
    assert result.told["val_codebook_perplexity"] > 0.3 * result.config.true_size
    assert result.told["val_nonzero_f1"] > epochs[0]["val_nonzero_f1"] + 0.2
    stored = load_tokenizer(result.checkpoint)
    assert stored.config.img_shape == (HEIGHT, WIDTH) and stored.config.grid == "cells"
    assert stored.about["told"]["val_loss"] == result.training.best


def test_the_command_tells_and_takes_old_names(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A data set's name with a share, below a root, as before; a run's name is never taken twice."""
    words = ["segment", "train-tokenizer", "custom_segments:traj0.8", "--root-dir", str(recordings),
             "--out", str(tmp_path), "--run-name", "cup", "--quick", "--epochs", "1",
             "--tensorboard", *SMALL]  # fmt: skip
    assert main(words) == 0
    assert "64 codes" in capsys.readouterr().out
    (tmp_path / "cupboard_7").mkdir()
    assert main([*words, "--validation", "custom_segments:traj0.2"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"cup", "cup_1", "cupboard_7"}
    first, second = (read_log(tmp_path / name / LOG_FILE) for name in ("cup", "cup_1"))
    assert "val_loss" not in first[-2] and "val_loss" in second[-2]
    assert list((tmp_path / "cup" / "tensorboard").glob("events.*"))


def test_a_terminated_run_goes_on_as_if_nothing_had_been(recordings: Path, tmp_path: Path) -> None:
    words = [recordings, "--run-name", "run", "--epochs", "3", "--batch-size", "8",
             "--log-interval", "1", *SMALL]  # fmt: skip
    process = subprocess.Popen(
        command(*words, "--out", tmp_path / "ended"), env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    log = tmp_path / "ended" / "run" / LOG_FILE
    deadline = time.monotonic() + PATIENT
    while time.monotonic() < deadline and len(read_log(log)) < 4:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=PATIENT)
    assert process.returncode == 128 + signal.SIGTERM and "--resume" in said
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        resumed = [*words, "--out", tmp_path / "ended", "--resume"]
        for more in (resumed, [*words, "--out", tmp_path / "whole"]):
            assert main(["segment", "train-tokenizer", *map(str, more)]) == 0
    finally:
        torch.set_num_threads(threads)
    assert numbers(tmp_path / "ended" / "run") == numbers(tmp_path / "whole" / "run")
    one, other = (read_weights_file(tmp_path / n / "run" / LATEST)[0] for n in ("ended", "whole"))
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_two_processes_learn_what_one_does(recordings: Path, tmp_path: Path) -> None:
    """Over gloo, with dropout and noise, and a last step that leaves one process without samples."""
    words = [recordings, "--epochs", "2", "--batch-size", "8", "--micro-batch", "4",
             "--samples-per-epoch", "26", "--log-interval", "1", *SMALL]  # fmt: skip
    said = in_two_processes(command(*words, "--out", tmp_path / "two"), PATIENT)
    assert "best epoch" in said[0] and "best epoch" not in said[1]
    assert (
        main(["segment", "train-tokenizer", *map(str, words), "--out", str(tmp_path / "one")]) == 0
    )
    folders = [tmp_path / name / "tokenizer" for name in ("one", "two")]
    for alone, together in zip(*map(numbers, folders), strict=True):
        assert together.pop("kind") == alone.pop("kind")
        assert together == pytest.approx(alone, rel=2e-3, abs=2e-3)
    one, two = (read_weights_file(folder / BEST)[0] for folder in folders)
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-4)


def test_damaged_and_odd_recordings_are_left_out_and_named(
    recordings: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    rng = np.random.default_rng(1)
    for number in range(3):
        write_recording(data / f"good_{number}.hdf5", 12, rng)
    write_recording(data / "other_grid.hdf5", 12, rng, side=3)
    (data / "cut.hdf5").write_bytes((data / "good_0.hdf5").read_bytes()[:3000])
    (data / "text.hdf5").write_text("no tracks")
    config = TrainTokenizerConfig(
        (f"{data}:traj1.0",), out=tmp_path / "runs", network=NETWORK, quick=True,
        loop=LoopConfig(epochs=1, device="cpu"), seed=3,
    )  # fmt: skip
    result = train_tokenizer(config)
    named = {finding.subject for finding in result.findings}
    assert {"cut.hdf5", "text.hdf5"} <= named
    assert result.recordings in (1, 3)  # the first one read decides which points are followed


def test_errors_say_what_to_do(recordings: Path, tmp_path: Path) -> None:
    cups = str(recordings / "cups")
    base = {"out": tmp_path, "network": NETWORK, "loop": LoopConfig(epochs=1, device="cpu")}
    with pytest.raises(ConfigError, match="add up to at most 1"):
        train_tokenizer(TrainTokenizerConfig((f"{cups}:traj0.8",), (f"{cups}:traj0.4",), **base))
    with pytest.raises(ConfigError, match="vel-norm-thr"):
        still = WindowOptions(vel_norm_thr=5.0, min_active_ratio=1.0)
        train_tokenizer(TrainTokenizerConfig((cups,), windows=still, **base))
    with pytest.raises(DataError, match="segment preprocess"):
        train_tokenizer(TrainTokenizerConfig((str(tmp_path),), **base))
    with pytest.raises(ContractError, match="at least one folder"):
        train_tokenizer(TrainTokenizerConfig((), **base))
    with pytest.raises(DataError, match="nothing to go on from"):
        train_tokenizer(TrainTokenizerConfig((cups,), resume=True, **base))

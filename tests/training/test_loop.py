"""Steps, averages, the best epoch, and what is told."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_runs import LOOP, learn, network, numbers

from robovalue_ros.backends.weights_file import read_weights_file
from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.segment.tokenizer.config import LossConfig
from robovalue_ros.training.checkpoints import BEST, LATEST
from robovalue_ros.training.schedule import epoch_steps, even_batches, rate_share

STILL = {"dropout": 0.0, "z_noise_std": 0.0}
EVERYTHING = LossConfig(loss_points=0, diversity=0.0)


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 20), st.integers(0, 5))
def test_every_sample_counts_once_an_epoch(n: int, batch: int, micro: int, epoch: int) -> None:
    steps = epoch_steps(n, batch, micro, 11, epoch)
    assert sorted(np.concatenate([m.samples for step in steps for m in step])) == list(range(n))
    for step in steps:
        assert sum(m.share for m in step) == pytest.approx(1.0)
        assert all(len(m.samples) <= micro for m in step)
    assert all(sum(len(m.samples) for m in step) == batch for step in steps[:-1])
    again = epoch_steps(n, batch, micro, 11, epoch)
    assert [m.seed for step in steps for m in step] == [m.seed for step in again for m in step]


@given(st.integers(1, 100), st.integers(1, 9), st.integers(0, 30))
def test_validation_looks_at_each_sample_once(n: int, size: int, limit: int) -> None:
    chosen = np.concatenate(even_batches(n, size, limit))
    assert len(set(chosen.tolist())) == len(chosen) == (min(n, limit) if limit else n)


def test_the_rate_rises_and_falls_to_a_hundredth() -> None:
    shares = [rate_share("cosine", done, 0.1) for done in np.linspace(0, 1, 101)]
    assert shares[0] == pytest.approx(0.01) and shares[10] == pytest.approx(1.0)
    assert shares[-1] == pytest.approx(0.01)
    assert np.all(np.diff(shares[:11]) > 0) and np.all(np.diff(shares[10:]) <= 0)
    assert {rate_share("constant", done, 0.0) for done in (0.0, 0.5, 1.0)} == {1.0}


def test_gradients_are_averaged_over_micro_batches(tmp_path: Path) -> None:
    """However a step is cut, also where its parts have different sizes, it is the same step."""
    for micro in (8, 3):
        loop = dataclasses.replace(LOOP, micro_batch=micro, epochs=1)
        learn(tmp_path / str(micro), loop, model=network(**STILL), loss=EVERYTHING)
    whole, parts = (read_weights_file(tmp_path / name / LATEST)[0] for name in ("8", "3"))
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=1e-4, atol=2e-5)
    for one, other in zip(numbers(tmp_path / "8"), numbers(tmp_path / "3"), strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=1e-4)


@pytest.mark.parametrize("held_out", [0, 4])
def test_best_is_the_best_judged_epoch(tmp_path: Path, held_out: int) -> None:
    loop = dataclasses.replace(LOOP, epochs=4, lr=0.02)
    result = learn(tmp_path, loop, held_out=held_out)
    judged = "val_loss" if held_out else "train_loss"
    epochs = [event for event in numbers(tmp_path) if event["kind"] == "epoch"]
    losses = [event[judged] for event in epochs]
    assert len(losses) == 4 and result.best == min(losses)
    assert result.best_epoch == losses.index(min(losses)) + 1
    _, about = read_weights_file(tmp_path / BEST)
    assert about["epoch"] == result.best_epoch and about["told"][judged] == result.best


def test_patience_ends_a_training_that_gets_no_better(tmp_path: Path) -> None:
    loop = dataclasses.replace(LOOP, epochs=9, lr=0.0, patience=2, min_delta=0.1)
    result = learn(tmp_path, loop)
    assert result.early and result.epochs == 3 and result.best_epoch == 1


def test_a_loss_that_is_no_number_ends_with_advice(tmp_path: Path) -> None:
    model = network()
    with torch.no_grad():
        model.decoder.decoder_proj.bias[0] = math.nan
    with pytest.raises(ConfigError, match="--lr"):
        learn(tmp_path, model=model)
    assert not (tmp_path / LATEST).exists()


def test_half_precision_needs_a_gpu_or_bf16(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fp16"):
        learn(tmp_path, dataclasses.replace(LOOP, precision="fp16"))
    bf16 = dataclasses.replace(LOOP, precision="bf16", epochs=1)
    assert math.isfinite(learn(tmp_path, bf16).best)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_a_gpu_learns_the_same_in_every_precision(tmp_path: Path, precision: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    still = {"model": network(**STILL), "loss": EVERYTHING}
    learn(tmp_path / "cpu", model=network(**STILL), loss=EVERYTHING)
    learn(tmp_path / "gpu", dataclasses.replace(LOOP, device="cuda", precision=precision), **still)
    tolerance = {"fp32": 1e-3, "fp16": 2e-2, "bf16": 5e-2}[precision]
    for one, other in zip(numbers(tmp_path / "cpu"), numbers(tmp_path / "gpu"), strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=tolerance)

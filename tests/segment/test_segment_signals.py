"""Gates, energies and smoothing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robovalue_ros.contracts.errors import ConfigError, ContractError
from robovalue_ros.segment.energy import token_energy, velocity_energy
from robovalue_ros.segment.gates import (
    MotionGateOptions,
    PixelChanges,
    PreGateOptions,
    motion_gate,
    pre_gate,
)
from robovalue_ros.segment.smoothing import Smoother, SmoothingOptions, smoothed

series = st.lists(st.floats(0.0, 10.0), min_size=1, max_size=30)


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.sampled_from([0.0, 0.02, 0.2, 0.5]))
@settings(max_examples=40, deadline=None)
def test_a_stream_of_pictures_gives_what_whole_windows_give(
    seed: int, window: int, threshold: float
) -> None:
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, rng.integers(2, 257), (14, 5, 7), dtype=np.uint8)
    options = PreGateOptions(pixel_diff_thr=threshold, mad_thr=0.1, min_active_ratio=0.3)
    changes = PixelChanges(options, window)
    for stop, picture in enumerate(pictures, start=1):
        changes.push(picture)
        if stop >= window:
            whole = pictures[stop - window : stop]
            assert changes.answer() == pre_gate(whole, options)
            _assert_by_hand(whole, options)


def _assert_by_hand(whole: np.ndarray, options: PreGateOptions) -> None:
    steps = np.abs(np.diff(whole.astype(int), axis=0)) / 255
    answer = pre_gate(whole, options)
    assert np.isclose(answer.mean, steps.mean()) and np.isclose(
        answer.active, (steps > options.pixel_diff_thr).mean()
    )
    assert answer.dropped == (
        answer.mean < options.mad_thr and answer.active < options.min_active_ratio
    )


def test_little_change_everywhere_or_much_in_one_place_keeps_a_window() -> None:
    still = np.full((4, 10, 10), 100, np.uint8)
    faint, spot = still.copy(), still.copy()
    faint[1::2] += 2
    spot[1::2, 0, 0] = 255
    assert pre_gate(still, PreGateOptions()).dropped
    assert not pre_gate(faint, PreGateOptions()).dropped  # mean 0.008, nothing active
    assert not pre_gate(spot, PreGateOptions()).dropped  # one pixel in a hundred


def test_the_motion_gate_needs_both_to_be_small() -> None:
    slow = np.full((3, 50, 2), 0.001)
    one = slow.copy()
    one[:, 0] = 0.05
    options = MotionGateOptions()
    assert motion_gate(slow, options).dropped
    assert not motion_gate(one, options).dropped
    assert not motion_gate(np.full((3, 50, 2), np.nan), options).dropped


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_energies_are_mean_lengths(tokens: int, dim: int, seed: int) -> None:
    Z = np.random.default_rng(seed).normal(size=(tokens, dim))
    lengths = [float(np.sqrt((row**2).sum())) for row in Z]
    steps = [float(np.sqrt(((b - a) ** 2).sum())) for a, b in pairwise(Z)]
    assert np.isclose(token_energy(Z, "l2_mean"), np.mean(lengths))
    assert np.isclose(token_energy(Z, "token_diff_l2_mean"), np.mean(steps or lengths))
    assert np.isclose(velocity_energy(Z[None]), np.mean(lengths))


def test_an_unknown_mode_is_named() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'l2_mean'"):
        token_energy(np.ones((2, 2)), "l2_meen")
    with pytest.raises(ContractError, match=r"\(d, D\)"):
        token_energy(np.ones(2), "l2_mean")


@given(series, st.sampled_from(["ema", "ma"]), st.floats(0.0, 1.0), st.integers(1, 6))
@settings(deadline=None)
def test_smoothing_is_the_same_at_once_and_one_by_one(
    values: list[float], method: str, alpha: float, window: int
) -> None:
    options = SmoothingOptions(True, method, alpha, window)
    smoother = Smoother(options)
    assert smoothed(values, options).tolist() == [smoother.push(value) for value in values]
    level, by_hand = values[0], []
    for at, value in enumerate(values):
        level = alpha * value + (1 - alpha) * level
        by_hand.append(
            level if method == "ema" else np.mean(values[max(0, at - window + 1) : at + 1])
        )
    assert np.allclose(smoothed(values, options), by_hand)


def test_smoothing_can_be_off() -> None:
    assert smoothed([1.0, 5.0], SmoothingOptions(False)).tolist() == [1.0, 5.0]
    assert smoothed([0.0, 1.0], SmoothingOptions(True, alpha=float("nan"))).tolist() == [0.0, 0.4]

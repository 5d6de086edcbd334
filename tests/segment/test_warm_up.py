"""A threshold of one's own: where motion and stillness part, and nothing is cut until it is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robovalue_ros.segment.documents import segmentation_params
from robovalue_ros.segment.options import StreamOptions
from robovalue_ros.segment.smoothing import SmoothingOptions, smoothed
from robovalue_ros.segment.warm_up import (
    FEWEST,
    WarmUp,
    is_watching,
    own_threshold,
    with_threshold,
)

OPTIONS = with_threshold(StreamOptions(), 0.7)
ENERGIES = st.lists(st.floats(0.0, 10.0) | st.none(), max_size=40)


@given(ENERGIES, st.integers(1, 5), st.booleans())
def test_it_watches_its_windows_and_then_keeps_what_parts_them(
    energies: list[float | None], seconds: int, smooth: bool
) -> None:
    options = replace(OPTIONS, smoothing=SmoothingOptions(enable=smooth))
    warm_up, wanted = WarmUp(options, seconds), 5 * seconds  # 20 frames a second, stride 4
    known = [energy for energy in energies if energy is not None]
    ends = [warm_up.push(energy) for energy in energies]
    assert sum(ends) == (len(known) >= wanted)
    assert warm_up.left == max(0, wanted - len(known))
    applied = warm_up.applied(options)
    assert is_watching(applied) == (len(known) < wanted)
    written = segmentation_params(applied, "auto", 20.0)["threshold"]
    assert written == (None if warm_up.left else applied.hysteresis.threshold)
    if len(known) >= wanted:
        seen = smoothed(known[:wanted], options.smoothing).tolist()
        assert applied == with_threshold(options, own_threshold(seen, 0.7))


@pytest.mark.parametrize("still", [[0.0] * 30, [1.0] * 30, [1.0, 1.1] * 15, [5.0]])
def test_where_nothing_parts_the_fixed_threshold_holds(still: list[float]) -> None:
    assert own_threshold(still, 0.7) == 0.7


@given(st.integers(0, 2**32 - 1), st.integers(FEWEST, 60))
def test_two_kinds_of_windows_are_told_apart(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    energies = np.concatenate([rng.uniform(0.1, 0.2, count), rng.uniform(1.0, 1.4, count)])
    assert 0.1 < own_threshold(rng.permutation(energies).tolist(), 0.7) < 1.0

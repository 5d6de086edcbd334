"""Mean and deviation: what parts give is what the whole gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.plans.errors import PlanError
from robovalue_ros.plans.norm_rows import window_counts, window_frames
from robovalue_ros.plans.norm_stats import RunningStats, norm_stats

ROWS = arrays(
    np.float64,
    st.tuples(st.integers(2, 60), st.integers(1, 3)),
    elements=st.floats(-1e6, 1e6, width=32),
)


def test_a_small_spread_on_large_numbers_is_not_lost() -> None:
    rows = np.array([[1000.00], [1000.01], [1000.02], [1000.03]], np.float32)
    exact = norm_stats({"state": [rows]})["state"]
    reference = norm_stats({"state": [rows]}, compat="reference")["state"]
    assert exact.std == pytest.approx(rows.astype(np.float64).std(axis=0), rel=1e-12)
    assert reference.std == 0.0


@settings(max_examples=100)
@given(ROWS, st.data())
def test_parts_in_any_size_give_the_whole(rows: np.ndarray, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=5)))
    stats = RunningStats()
    for part in np.split(rows, cuts):
        stats.add(part)
    found = stats.result()
    scale = np.abs(rows).max() + 1.0
    assert found.mean == pytest.approx(rows.mean(axis=0), abs=1e-12 * scale)
    assert found.std == pytest.approx(rows.std(axis=0), abs=1e-9 * scale)
    assert np.array_equal(found.q01, np.quantile(rows, 0.01, axis=0))
    assert np.array_equal(found.q99, np.quantile(rows, 0.99, axis=0))


@settings(max_examples=60)
@given(ROWS, st.data())
def test_merging_is_adding(rows: np.ndarray, data: st.DataObject) -> None:
    cut, other = sorted(
        (data.draw(st.integers(0, len(rows))), data.draw(st.integers(0, len(rows))))
    )
    parts = [RunningStats() for _ in range(3)]
    for stats, part in zip(parts, np.split(rows, [cut, other]), strict=True):
        stats.add(part)
    parts[1].merge(parts[2])
    parts[0].merge(parts[1])
    whole = RunningStats()
    whole.add(rows)
    found, wanted = parts[0].result(), whole.result()
    scale = np.abs(rows).max() + 1.0
    assert found.mean == pytest.approx(wanted.mean, abs=1e-12 * scale)
    assert found.std == pytest.approx(wanted.std, abs=1e-9 * scale)
    assert np.array_equal(found.q01, wanted.q01) and np.array_equal(found.q99, wanted.q99)


@given(st.floats(-1e8, 1e8), st.integers(2, 40))
def test_rows_that_are_all_alike_have_exactly_their_value(value: float, count: int) -> None:
    stats = RunningStats(exact_values=0)
    for _ in range(3):
        stats.add(np.full((count, 2), value))
    found = stats.result()
    assert (found.mean == value).all() and (found.std == 0).all()
    assert (found.q01 == value).all() and (found.q99 == value).all()


@settings(max_examples=100)
@given(st.integers(1, 30), st.integers(1, 12), st.data())
def test_counted_frames_are_windows_spelled_out(
    length: int, horizon: int, data: st.DataObject
) -> None:
    starts = np.array(data.draw(st.lists(st.integers(0, length - 1), min_size=2, max_size=20)))
    actions = np.random.default_rng(length).normal(size=(length, 2))
    frames = window_frames(starts, length, horizon)
    counts = window_counts(starts, length, horizon)
    assert np.array_equal(counts, np.bincount(frames.ravel(), minlength=length))
    spelled, counted = RunningStats(), RunningStats()
    spelled.add(actions[frames])
    counted.add(actions, counts)
    one, other = spelled.result(), counted.result()
    assert spelled.count == counted.count == frames.size
    for name in ("mean", "std", "q01", "q99"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), abs=1e-12)


def test_too_few_and_unusable_rows_are_refused() -> None:
    for compat in ("off", "reference"):
        with pytest.raises(
            PlanError, match=r"^Cannot compute statistics for less than 2 vectors\.$"
        ):
            norm_stats({"state": [np.ones((1, 3))]}, compat=compat)
        with pytest.raises(PlanError, match="less than 2"):
            norm_stats({"state": []}, compat=compat)
    stats = RunningStats()
    stats.add(np.ones((4, 2)))
    with pytest.raises(ContractError, match="NaN or infinite in dimension 1"):
        stats.add(np.array([[0.0, np.nan]]))
    with pytest.raises(ContractError, match="expected 2 dimensions"):
        stats.add(np.ones((1, 3)))
    assert stats.count == 4

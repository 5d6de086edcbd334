"""The parts of a plan, each against numpy or a slow version."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.plans.change_points import NEVER, change_points, equal_parts
from robovalue_ros.plans.errors import PlanError
from robovalue_ros.plans.events import (
    FAR,
    Events,
    check_dims,
    gripper_events,
    median_smoothed,
    noise,
    parse_dims,
    window_distances,
)
from robovalue_ros.plans.options import PlanOptions
from robovalue_ros.plans.peaks import local_peaks, strongest
from robovalue_ros.plans.ragged import quantiles, runs_of, spans
from robovalue_ros.plans.stages import (
    running_maximum,
    segment_boundaries,
    stages_of,
    time_stages,
    value_boundaries,
)

series = st.lists(
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0]), max_size=25), min_size=1, max_size=5
)


def laid(lists: list[list[float]]) -> tuple[np.ndarray, object]:
    return np.array(list(chain(*lists)), np.float64), runs_of(
        np.array([len(part) for part in lists])
    )


@given(series, st.floats(0, 1), st.integers(0, 4))
def test_quantiles_are_those_of_numpy(lists: list[list[float]], q: float, skip: int) -> None:
    values, runs = laid(lists)
    expected = []
    for part in lists:
        kept = part[skip:] or part
        expected.append(float(np.quantile(np.array(kept), q)) if kept else 0.0)
    assert quantiles(values, runs, [q], skip)[0].tolist() == expected


def test_quantiles_of_series_of_very_different_lengths() -> None:
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=length) for length in (3000, *[2] * 500)]
    found = quantiles(np.concatenate(parts), runs_of(np.array([len(p) for p in parts])), [0.9])
    assert found[0].tolist() == [float(np.quantile(part, 0.9)) for part in parts]


@given(series, st.sampled_from([0, 1, 3, 5, 9]))
def test_medians_end_where_their_series_ends(lists: list[list[float]], window: int) -> None:
    values, runs = laid(lists)
    half = window // 2
    expected = [
        float(np.median(part[max(0, t - half) : t + half + 1]))
        for part in lists for t in range(len(part))
    ]  # fmt: skip
    assert median_smoothed(values, runs, window).tolist() == expected


@given(series, st.floats(0, 1), st.booleans())
def test_peaks_stay_inside_their_series(lists: list[list[float]], level: float, ends: bool) -> None:
    values, runs = laid(lists)
    found = local_peaks(values, runs, np.full(len(lists), level), ends)
    expected, start = [], 0
    for part in lists:
        for t in range(1, len(part)):
            falls = ends if t == len(part) - 1 else part[t] > part[t + 1]
            if part[t] >= part[t - 1] and falls and part[t] > level:
                expected.append(start + t)
        start += len(part)
    assert found.tolist() == expected


@settings(deadline=None)  # the first call loads a library
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 40), st.sampled_from([1.0, 2.0, 3.0])),
        max_size=25,
    ),
    st.integers(1, 12),
    st.none() | st.integers(1, 4),
)
def test_the_strongest_stay_apart(
    given_: list[tuple[int, int, float]], gap: int, limit: int | None
) -> None:
    run, at, score = (np.array(column) for column in zip(*given_, strict=True)) if given_ else (
        np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    )  # fmt: skip
    found = strongest(at, score, gap, run, limit)
    expected: list[tuple[int, int]] = []
    for series_, place, _ in sorted(given_, key=lambda one: (-one[2], -one[1])):
        same = [other for number, other in expected if number == series_]
        room = limit is None or len(same) < limit
        if room and all(abs(place - other) >= gap for other in same):
            expected.append((series_, place))
    assert list(zip(run[found].tolist(), at[found].tolist(), strict=True)) == sorted(expected)


@given(series)
def test_running_maximum_begins_anew_in_each_series(lists: list[list[float]]) -> None:
    values, runs = laid(lists)
    expected = [np.maximum.accumulate(part).tolist() for part in lists if part]
    assert running_maximum(values, runs).tolist() == list(chain(*expected))


def test_spans() -> None:
    assert spans(np.array([5, 9, 0]), np.array([2, 0, 3])).tolist() == [5, 6, 0, 1, 2]
    assert spans(np.empty(0, np.int64), np.empty(0, np.int64)).tolist() == []


@given(st.integers(1, 12), st.integers(1, 299), st.integers(0, 400))
def test_stages_by_time_are_the_same_in_older_arithmetic(k: int, span: int, frame: int) -> None:
    found = time_stages(np.array([frame]), np.array([span]), k)
    assert found == min(k - 1, k * frame // span)
    if k in (1, 2, 3, 4, 5, 6, 7, 8, 10) and frame <= span:
        assert time_stages(np.array([frame]), np.array([span]), k, True) == found


def test_boundaries_of_jumps_do_not_leak_between_series() -> None:
    rng = np.random.default_rng(1)
    lengths = [40, 3, 90, 5, 6, 25]
    states = np.cumsum(rng.integers(-2, 3, (sum(lengths), 2)), axis=0) / 8.0
    together = change_points(states, runs_of(np.array(lengths)), 5, 3, 6)
    start = 0
    for number, length in enumerate(lengths):
        alone = change_points(states[start : start + length], runs_of(np.array([length])), 5, 3, 6)
        assert together[number].tolist() == alone[0].tolist()
        start += length
    assert change_points(states, runs_of(np.array(lengths)), 1, 3, 6).shape == (6, 0)


def test_stages_count_boundaries() -> None:
    boundaries = np.array([[2, 5, NEVER], [1, 1, 4]])
    frames, which = np.array([0, 2, 4, 9, 0, 1, 4]), np.array([0, 0, 0, 0, 1, 1, 1])
    assert stages_of(frames, boundaries, which).tolist() == [0, 1, 1, 2, 0, 2, 3]


def test_value_stages_are_equal_steps_of_the_gain() -> None:
    """Half the time nothing happens: stages follow the curve, not the clock."""
    slow = np.concatenate([np.full(50, 0.2), np.linspace(0.2, 1.0, 50)])
    dips = slow.copy()
    dips[95] = 0.0
    flat = np.full(100, 0.4)
    values = np.concatenate([slow, dips, flat])
    runs = runs_of(np.array([100, 100, 100, 0]))
    found = value_boundaries(values, runs, 4)
    assert found[0].tolist() == found[1].tolist()
    steps = [int(np.argmax(slow >= 0.2 + 0.8 * step / 4)) for step in (1, 2, 3)]
    assert found[0].tolist() == steps and min(steps) > 50
    assert found[2].tolist() == equal_parts(np.array([100]), 4)[0].tolist() == [25, 50, 75]
    assert value_boundaries(values, runs, 1).shape == (4, 0)


def test_segment_stages_are_the_actions_or_neighbours_of_them() -> None:
    begins = np.zeros(60, bool)
    begins[[0, 8, 15]] = True  # 3 pieces in the first series: one begins in its first frame
    begins[[21, 22, 23, 24, 25, 26, 27]] = True  # 8 pieces in the second
    runs = runs_of(np.array([20, 20, 20]))
    found = segment_boundaries(begins, runs, 4)
    assert found[0].tolist() == [8, 15, NEVER]
    assert found[1].tolist() == [2, 4, 6]
    assert found[2].tolist() == [NEVER] * 3


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20), st.integers(1, 8))
def test_joined_segments_are_nearly_even(cuts: int, stages: int) -> None:
    begins = np.zeros(30, bool)
    begins[1 : cuts + 1] = True
    boundaries = segment_boundaries(begins, runs_of(np.array([30])), stages)
    pieces = np.arange(cuts + 1)
    counts = np.bincount(stages_of(pieces, boundaries, np.zeros(cuts + 1, np.int64)))
    assert len(counts) == min(stages, cuts + 1)
    assert counts.max() - counts.min() <= 1


def clean(*steps: tuple[int, float], length: int = 200) -> np.ndarray:
    opening = np.zeros(length)
    for at, value in steps:
        opening[at:] = value
    return opening


def found_in(states: np.ndarray, **given_: object) -> list[int]:
    runs = runs_of(np.array([len(states)]))
    return gripper_events(states.reshape(len(states), -1), runs, PlanOptions(**given_)).at.tolist()


def test_clean_steps_are_found_where_they_are() -> None:
    opening = clean((50, 1.0), (90, 0.3), (120, 1.0), (170, 0.0))
    assert found_in(opening) == [50, 90, 120, 170]
    alike = clean((30, 1.0), (60, 0.0), length=90)
    assert found_in(alike) == [30, 60]
    assert found_in(alike, compat="reference") == []
    assert found_in(clean((197, 1.0))) == [197]  # a demonstration that ends as the gripper opens
    assert found_in(-opening) == [50, 90, 120, 170]


def test_a_small_gripper_is_seen_beside_a_large_one() -> None:
    both = np.stack([clean((40, 1.0), (150, 0.0)), clean((95, 0.1))], axis=1)
    assert found_in(both) == [40, 95, 150]
    rng = np.random.default_rng(0)
    noisy = both + rng.normal(0, 0.002, both.shape)
    assert found_in(noisy) == [40, 95, 150]
    assert 95 not in found_in(noisy, compat="reference")


def test_grippers_that_act_together_are_one_event() -> None:
    both = np.stack([clean((40, 1.0)), clean((43, 0.5))], axis=1)
    assert len(found_in(both)) == 1
    assert found_in(both, gripper_min_gap=3) == [40, 43]


def test_what_is_slight_beside_an_opening_is_no_event() -> None:
    opening = np.full(120, 0.04)
    opening[40:] = 0.02
    opening[80:] += 0.001
    found = gripper_events(opening[:, None], runs_of(np.array([120])), PlanOptions())
    assert found.at.tolist() == [40]


def test_noise_alone_is_no_event() -> None:
    rng = np.random.default_rng(0)
    for length in (60, 400, 2000):
        for window in (1, 5):
            assert found_in(rng.normal(0, 0.01, length), gripper_smooth_window=window) == []
    assert found_in(np.zeros(50)) == found_in(np.ones(1)) == []


def test_noise_is_not_motion() -> None:
    rng = np.random.default_rng(0)
    moving = np.sin(np.arange(4000) / 40.0) + rng.normal(0, 0.01, 4000)
    assert noise(moving, runs_of(np.array([4000])))[0] == pytest.approx(0.01, rel=0.1)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60)), max_size=8, unique=True),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60)), max_size=8),
    st.integers(1, 20),
)
def test_distances_to_windows(
    events: list[tuple[int, int]], anchors: list[tuple[int, int]], horizon: int
) -> None:
    events = sorted(events)
    run, at = (np.array([one[i] for one in events], np.int64) for i in (0, 1))
    episodes, frames = (np.array([one[i] for one in anchors], np.int64) for i in (0, 1))
    found = window_distances(frames, episodes, horizon, Events(run, at))
    expected = [
        min(
            (max(frame - event, event - (frame + horizon - 1), 0)
             for number, event in events if number == episode),
            default=FAR,
        )
        for episode, frame in anchors
    ]  # fmt: skip
    assert found.tolist() == expected


def test_dimensions_of_grippers() -> None:
    assert parse_dims(" 6, ,13,") == (6, 13)
    with pytest.raises(PlanError, match=r"^--gripper_dims is empty\.$"):
        parse_dims(" , ")
    with pytest.raises(ConfigError, match="whole numbers"):
        parse_dims("6;13")
    with pytest.raises(PlanError, match=r"^Invalid gripper_dims=\[6, 14\] for state_dim=14\.$"):
        check_dims((6, 14), 14)

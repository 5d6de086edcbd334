"""Which frames are looked at, and where windows lie."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.segment.pictures import area_gray, area_resized, gray
from robovalue_ros.segment.resample import (
    DoubleStartClock,
    SlotClock,
    decimation_step,
    time_driven_indices,
)
from robovalue_ros.segment.windows import Schedule, resized_shape, shrunk_shape


@given(st.integers(2, 20), st.integers(1, 25), st.integers(0, 120))
@settings(deadline=None)
def test_the_schedule_is_that_of_a_ring_of_frames(window: int, stride: int, total: int) -> None:
    schedule = Schedule(window, stride)
    ring: deque[int] = deque(maxlen=window)
    found = []
    for frame in range(total):
        ring.append(frame)
        if len(ring) == window and (frame + 1) % stride == 0:
            assert schedule.due(frame + 1) == len(found)
            found.append((ring[0], ring[-1] + 1))
        else:
            assert schedule.due(frame + 1) is None
    assert schedule.count(total) == len(found)
    assert [schedule.span(number) for number in range(len(found))] == found


def test_the_usual_windows() -> None:
    assert [Schedule().span(number) for number in range(3)] == [(0, 16), (4, 20), (8, 24)]
    assert Schedule(15).span(0) == (1, 16)
    assert Schedule().budget_s(20.0) == 0.2
    with pytest.raises(ContractError, match="at least two frames"):
        Schedule(1)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 200), st.integers(0, 2**60))
@settings(deadline=None)
def test_even_recordings_give_the_same_frames_live_and_from_files(
    fps_in: int, target: int, count: int, start_ns: int
) -> None:
    clock = SlotClock(target)
    kept = [t for t in range(count) if clock.keep(start_ns + round(t * 1e9 / fps_in))]
    assert kept == time_driven_indices(count, fps_in, target).tolist()


@given(st.lists(st.integers(1, 400_000_000), max_size=60), st.sampled_from([0.0, 0.3]))
@settings(deadline=None)
def test_a_period_gives_at_most_one_frame(gaps: list[int], early: float) -> None:
    period = 50_000_000
    stamps = np.cumsum([0, *gaps])
    clock = SlotClock(20.0, early)
    kept = [int(stamp) for stamp in stamps if clock.keep(int(stamp))]
    slots = [(stamp + early * period + 1000) // period for stamp in kept]
    assert kept[0] == 0 and len(set(slots)) == len(slots)
    every = {(int(stamp) + early * period + 1000) // period for stamp in stamps}
    assert set(slots) == every


def test_missed_periods_are_skipped_and_nothing_drifts() -> None:
    clock = SlotClock(30.0)
    day = 24 * 3600 * 30
    assert all(clock.keep(round(frame * 1e9 / 30)) for frame in (0, 1, 2, 50, 51, day, day + 1))
    assert not clock.keep(round((day + 1.5) * 1e9 / 30))


def test_an_uneven_camera_loses_no_frames_when_they_may_be_early() -> None:
    rng = np.random.default_rng(3)
    stamps = (np.arange(400) * 50_000_000 + rng.integers(-5_000_000, 5_000_000, 400)).tolist()
    strict, patient = SlotClock(20.0), SlotClock(20.0, 0.4)
    assert sum(map(patient.keep, stamps)) == 400
    assert sum(map(strict.keep, stamps)) < 400


def test_no_rate_keeps_everything() -> None:
    assert all(SlotClock(0.0).keep(stamp) for stamp in (0, 1, 2))
    assert all(DoubleStartClock(0.0).keep(now) for now in (0.0, 0.0))
    assert time_driven_indices(3, 30.0, 0.0).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("fps_in", "target", "step"), [(30, 20, 2), (50, 20, 2), (25, 10, 2), (10, 20, 1), (0, 20, 1)]
)
def test_whole_steps(fps_in: float, target: float, step: int) -> None:
    assert decimation_step(fps_in, target) == step


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 600))
@settings(deadline=None)
def test_the_shorter_side_is_what_was_asked_for(height: int, width: int, shorter: int) -> None:
    found = resized_shape(height, width, shorter)
    assert min(found) == shorter
    assert abs(found[0] * width - found[1] * height) <= max(height, width) / 2 + 1


def test_sizes_that_stay() -> None:
    assert resized_shape(480, 640, 0) == (480, 640)
    assert resized_shape(640, 480, 480) == (640, 480)


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(0, 3000))
def test_pictures_are_made_smaller_and_never_larger(height: int, width: int, shorter: int) -> None:
    found = shrunk_shape(height, width, shorter)
    if shorter == 0 or min(height, width) <= shorter:
        assert found == (height, width)
    else:
        assert found == resized_shape(height, width, shorter)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_areas_are_averaged(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height * 3, width * 2, 3), dtype=np.uint8)
    blocks = image.reshape(height, 3, width, 2, 3).mean(axis=(1, 3))
    assert np.abs(area_resized(image, (height, width)) - blocks).max() <= 0.51
    assert (area_resized(image, image.shape[:2]) == image).all()
    larger = area_resized(image, (height * 6, width * 8))
    assert (larger[::2, ::4] == image).all() and (larger[1::2, 3::4] == image).all()


def test_grey_is_brightness() -> None:
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]])
    assert gray(colours.astype(np.uint8)).tolist() == [[0, 255, 76, 150, 29]]
    pairs = np.repeat(colours.astype(np.uint8), 2, axis=0)
    assert area_gray(pairs, (1, 5)).tolist() == [[0, 255, 76, 150, 29]]
    assert area_gray(pairs, (2, 5)).tolist() == gray(pairs).tolist()

"""The forward filter and the frames of its clips: no drift, no dependence on the frame rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.contracts.fakes import FakeEncoder
from robovalue_ros.value.stream.clips import ClipRing, Pace
from robovalue_ros.value.stream.filter import SegmentFilter, starting_belief, transitions

SIZES = st.integers(1, 40)
JUMPS = st.floats(0.0, 0.5)


@given(SIZES, st.integers(0, 8), JUMPS)
def test_moves_are_chances_as_likely_back_as_forth(segments: int, radius: int, jump: float) -> None:
    moves = transitions(segments, radius, jump)
    assert np.all(moves >= -1e-12)
    np.testing.assert_allclose(moves.sum(axis=0), 1.0)
    np.testing.assert_array_equal(moves, moves.T)


@given(SIZES, st.integers(1, 6), JUMPS, st.integers(1, 50))
def test_who_sees_nothing_keeps_an_even_belief(
    n: int, radius: int, jump: float, steps: int
) -> None:
    """No clock: time alone moves nothing."""
    follow = SegmentFilter(transitions(n, radius, jump), np.full(n, 1.0 / n))
    for _ in range(steps):
        belief = follow.push(np.zeros(n), steps)
    np.testing.assert_allclose(belief, 1.0 / n)


@given(st.integers(2, 30), st.integers(1, 5), st.integers(0, 2**31))
def test_the_mirrored_task_gives_the_mirrored_belief(n: int, radius: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    moves, even = transitions(n, radius, 0.02), np.full(n, 1.0 / n)
    there, back = SegmentFilter(moves, even), SegmentFilter(moves, even)
    for likelihood in rng.normal(0.0, 2.0, (12, n)):
        one, other = there.push(likelihood), back.push(likelihood[::-1])
        np.testing.assert_allclose(one, other[::-1], atol=1e-12)
        assert one.sum() == pytest.approx(1.0)


def test_a_jump_is_followed_and_extremes_stay_finite() -> None:
    follow = SegmentFilter(transitions(20, 2, 0.02), starting_belief(20))
    likelihood = np.full(20, -1e6)
    likelihood[2] = 0.0
    assert follow.push(likelihood).argmax() == 2
    likelihood[:] = -30.0
    likelihood[18] = 0.0
    belief = follow.push(likelihood)
    assert belief.argmax() == 18 and np.isfinite(belief).all()
    follow.reset()
    assert follow.push(np.zeros(20)).argmax() == 0


@given(st.sampled_from([5, 10, 15, 20, 24, 30, 50, 60]), st.floats(0.05, 0.5))
def test_the_pace_does_not_depend_on_the_frame_rate(rate: int, period: float) -> None:
    pace = Pace(period)
    times = np.arange(20 * rate) / rate
    picked = times[[pace(float(t)) for t in times]]
    assert picked[0] == 0.0
    usual = max(period, 1.0 / rate)
    assert np.diff(picked).mean() == pytest.approx(usual, rel=0.1)


def test_a_gap_starts_the_pace_anew_and_nothing_is_made_up() -> None:
    pace = Pace(0.1)
    assert [pace(t) for t in (0.0, 0.04, 0.06, 5.0, 5.04, 5.1)] == [
        True, False, True, True, False, True,
    ]  # fmt: skip


def frame(level: int) -> np.ndarray:
    return np.full((8, 8, 3), level, np.uint8)


def levels(ring: ClipRing) -> list[int]:
    return ring.clip()[:, 0, 0, 0].tolist()


def test_clips_hold_the_last_frames_or_the_first_and_the_last() -> None:
    recent = ClipRing(FakeEncoder(clip_frames=4), "recent")
    pair = ClipRing(FakeEncoder(clip_frames=2), "since_start")
    seen = []
    for level in range(6):
        recent.push(frame(level))
        pair.push(frame(level))
        seen.append((levels(recent), levels(pair)))
    assert seen[0] == ([0, 0, 0, 0], [0, 0])
    assert seen[2] == ([0, 0, 1, 2], [0, 2])
    assert seen[5] == ([2, 3, 4, 5], [0, 5])
    with pytest.raises(ContractError, match="clip_frames"):
        ClipRing(FakeEncoder(clip_frames=8), "since_start")
    recent.push(np.zeros((9, 8, 3), np.uint8))
    with pytest.raises(ContractError, match="one size"):
        recent.clip()


def test_a_ring_keeps_its_own_copies() -> None:
    ring = ClipRing(FakeEncoder(clip_frames=2), "recent")
    image = frame(7)
    ring.push(image)
    image[:] = 0
    assert levels(ring) == [7, 7]

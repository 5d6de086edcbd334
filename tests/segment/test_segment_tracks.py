"""The grid of points and their velocities: one rule for training and streaming."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.segment.grid import (
    cells_per_side,
    grid_points,
    reference_grid,
    reference_grid_points,
)
from robovalue_ros.segment.tracks import (
    in_time,
    normalised,
    reference_velocities,
    track_points,
    velocities,
)


@given(st.integers(1, 900), st.integers(2, 800), st.integers(2, 800))
@settings(deadline=None)
def test_points_stand_in_the_middle_of_equal_cells(tracks: int, height: int, width: int) -> None:
    points = grid_points(tracks, height, width)
    side = cells_per_side(tracks)
    assert side**2 <= tracks < (side + 1) ** 2 and points.shape == (side**2, 2)
    assert np.allclose(points.mean(axis=0), (width / 2, height / 2), rtol=1e-5)
    cells = np.floor(points / np.array([width, height]) * side).astype(int)
    assert (cells[:, 1] * side + cells[:, 0]).tolist() == list(range(side**2))


def test_older_points_cover_a_square_on_the_left() -> None:
    points = reference_grid_points(400, 480)
    assert points.max() < 480
    assert (points[:20, 0] == 12.0).all()  # the row runs fastest
    assert np.allclose((points[:, ::-1] / 240.0) - 1.0, reference_grid(400), atol=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
@settings(deadline=None)
def test_velocities_do_not_depend_on_the_resolution(seed: int, factor: int) -> None:
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 1, (5, 16, 2)) * (640, 480)
    small = velocities(xy, (480, 640))
    assert small.shape == (15, 5, 2) and small.dtype == np.float32
    assert np.allclose(small, velocities(xy * factor, (480 * factor, 640 * factor)), atol=1e-6)
    by_hand = np.diff(xy, axis=1).swapaxes(0, 1)[..., ::-1] / (240.0, 320.0)
    assert np.allclose(small, by_hand, atol=1e-6)


def test_streams_and_training_see_the_same_motion() -> None:
    """A training sample scales stored tracks to another size first; nothing changes."""
    rng = np.random.default_rng(5)
    xy = rng.uniform(0, 1, (9, 16, 2)) * (320, 240)
    scaled = xy * (771 / 320, 480 / 240)
    sample = normalised(scaled[..., ::-1].swapaxes(0, 1), (480, 771))
    assert np.allclose(np.diff(sample, axis=0), velocities(xy, (240, 320)), atol=1e-6)


def test_what_leaves_the_picture_stays_at_its_border() -> None:
    xy = np.array([[[10.0, 10.0], [700.0, -50.0], [900.0, -90.0]]])
    assert track_points(xy, (480, 640))[1:].tolist() == [[[-1.0, 1.0]], [[-1.0, 1.0]]]


def test_a_lost_point_does_not_move() -> None:
    nan = np.nan
    xy = np.array(
        [
            [[nan, nan], [64, 48], [nan, 1], [128, 48]],
            [[nan, nan], [nan, nan], [nan, nan], [nan, nan]],
        ]
    )
    speed = velocities(xy, (96, 128))
    assert speed[:, 0].tolist() == [[0, 0], [0, 0], [0, 1]]
    assert not speed[:, 1].any()
    jumps = velocities(xy, (96, 128), compat=True)
    assert jumps[0, 0].tolist() == [1, 1]  # from pixel 0


def test_older_streams_had_other_axes_and_one_scale() -> None:
    xy = np.array([[[0.0, 0.0], [24.0, 48.0]]])
    assert reference_velocities(xy).tolist() == [[[np.float32(0.1), np.float32(0.2)]]]


@given(st.integers(2, 20), st.integers(2, 20), st.sampled_from(["linear", "cubic"]))
@settings(deadline=None)
def test_time_is_stretched_between_the_ends(count: int, length: int, how: str) -> None:
    line = np.linspace([[-1.0, 0.5]], [[1.0, 0.25]], count)
    found = in_time(line, length, how)
    assert np.allclose(found, np.linspace([[-1.0, 0.5]], [[1.0, 0.25]], length), atol=1e-6)
    curve = np.random.default_rng(count).normal(size=(count, 3, 2))
    bent = in_time(curve, length, how)
    assert np.allclose(bent[0], curve[0], atol=1e-6) and np.allclose(bent[-1], curve[-1], atol=1e-6)


def test_tracks_of_another_shape_are_refused() -> None:
    with pytest.raises(ContractError, match=r"shape \(N, T, 2\)"):
        velocities(np.zeros((4, 1, 2)), (10, 10))

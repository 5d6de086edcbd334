"""Tasks that bring several things: what each of them is worth, and the order of near moments."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robovalue_ros.value.pixels.parts import part_of
from robovalue_ros.value.pixels.scenes import Demonstration, lost, put_back
from robovalue_ros.value.pixels.shrink import SIDE
from robovalue_ros.value.pixels.things import Thing
from robovalue_ros.value.pixels.training import APART, draw_pairs

FRAMES = 100
LABELS = np.linspace(0.0, 1.0, FRAMES)


def thing(taken: int, settled: int, row: int, *, coloured: bool = True) -> Thing:
    """Return a thing of one pixel that moves from column 8 to column 56 while it is carried."""
    path = np.full((FRAMES, 2), (row, 8.0))
    path[taken:settled, 1] = np.linspace(8, 56, settled - taken)
    path[settled:, 1] = 56
    place = np.zeros((SIDE, SIDE), bool)
    place[row, 8] = True
    ground = np.argwhere(np.ones((SIDE, SIDE), bool))
    erased = np.zeros((FRAMES - taken, 2, SIDE, SIDE, 3), np.uint8)
    return Thing(
        0, taken, settled, place, np.array([row]), np.array([8]),
        np.array([[255, 0, 0]], np.uint8), ground, np.zeros((SIDE, SIDE, 3), np.float32),
        path if coloured else None, erased if coloured else None,
    )  # fmt: skip


FIRST, SECOND = thing(20, 40, 10), thing(70, 90, 30)


def demonstration(*things: Thing) -> Demonstration:
    return Demonstration(np.zeros((FRAMES, 2, SIDE, SIDE, 3), np.uint8), LABELS, things)


def test_parts_follow_each_other_and_make_the_whole() -> None:
    one, two = (part_of(each, (FIRST, SECOND), LABELS) for each in (FIRST, SECOND))
    assert (one.begun, one.done, one.later) == (0.0, LABELS[40], True)
    assert (two.begun, two.done, two.later) == (LABELS[40], 1.0, False)
    assert one.share + two.share == pytest.approx(1.0)


def test_a_thing_without_a_colour_bounds_no_part() -> None:
    vague = thing(60, FRAMES - 1, 50, coloured=False)
    assert part_of(FIRST, (FIRST, vague), LABELS).done == 1.0
    assert part_of(SECOND, (FIRST, vague, SECOND), LABELS).begun == LABELS[40]


@given(st.integers(22, FRAMES - 1), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_a_thing_left_behind_costs_its_part_and_nothing_more(frame: int, seed: int) -> None:
    demo, rng = demonstration(FIRST, SECOND), np.random.default_rng(seed)
    part = part_of(FIRST, demo.things, LABELS)
    for scene in (put_back(demo, frame, FIRST, rng), lost(demo, frame, FIRST, rng)):
        assert LABELS[frame] - part.share - 1e-9 <= scene.progress <= 1.0
        assert scene.progress >= 0.0 and scene.done == 0.0
    if frame > FIRST.settled:
        back = put_back(demo, frame, FIRST, rng).progress
        assert back == pytest.approx(LABELS[frame] - part.share)
        assert lost(demo, frame, FIRST, rng).progress < LABELS[frame]
    if frame > SECOND.taken + 1:
        # The first thing is in its place: losing the second one does not undo that.
        assert put_back(demo, frame, SECOND, rng).progress >= LABELS[FIRST.settled]
        assert lost(demo, frame, SECOND, rng).progress >= LABELS[FIRST.settled] - 1e-9


@given(st.integers(0, FRAMES - 1), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_pairs_are_two_near_moments_of_one_demonstration(frame: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ((one, other),) = draw_pairs([demonstration()], np.array([[0, frame]]), rng)
    apart = round(abs(one.progress - other.progress) * (FRAMES - 1))
    assert APART[0] <= apart <= APART[1]
    np.testing.assert_array_equal(one.first, other.first)

"""The window, driven by real events on a canvas that draws but has no screen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backend_bases import KeyEvent, MouseEvent, ResizeEvent

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.frames import ArrayFrames, Image
from robovalue_ros.pipelines.view import FrameLoader, open_view
from robovalue_ros.report.canvas import new_figure
from robovalue_ros.report.view.keys import FIRST_REPEAT_S, GRACE_S, STEPS, HeldKey
from robovalue_ros.report.view.model import EpisodeView, ViewCurve
from robovalue_ros.report.view.painter import Painter
from robovalue_ros.report.view.window import Viewer
from robovalue_ros.wiring import open_reader

LENGTH, FIRST = 40, 4


class Hand:
    """Presses keys and clicks as a toolkit would pass them on, at a time of its own."""

    def __init__(self, scene: Any, interval_s: float = 0.05) -> None:
        shown = open_view(scene.out, open_reader(scene.recording), scene.recording)
        self.now, self.closed = 0.0, 0
        self.figure = new_figure(9.0, 7.0)
        self.figure.set_dpi(100)
        self.viewer = Viewer(
            self.figure,
            lambda size, dense: Painter(shown.view, shown.shapes, foot="keys", size=size),
            FrameLoader(shown.sources), interval_s=interval_s, close=self.close,
            clock=lambda: self.now,
        )  # fmt: skip

    def close(self) -> None:
        self.closed += 1

    def key(self, name: str, *, hold: bool = False) -> None:
        canvas = self.figure.canvas
        canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", canvas, name))
        if not hold:
            self.up(name)

    def up(self, name: str) -> None:
        canvas = self.figure.canvas
        canvas.callbacks.process("key_release_event", KeyEvent("key_release_event", canvas, name))
        self.now += 0.1
        self.viewer.tick()

    def mouse(self, kind: str, x: float, y: float) -> None:
        """x, y: pixels from the top left."""
        canvas = self.figure.canvas
        event = MouseEvent(kind, canvas, x, self.figure.bbox.height - y, 1)
        canvas.callbacks.process(kind, event)

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now += 0.004
            self.viewer.tick()

    @property
    def picture(self) -> Image:
        self.figure.canvas.draw()
        drawn: Image = np.asarray(self.figure.canvas.buffer_rgba())[..., :3].copy()
        return drawn


@pytest.fixture
def hand(scene: Any) -> Hand:
    return Hand(scene)


@pytest.mark.parametrize(("name", "step"), STEPS.items())
def test_keys_step(hand: Hand, name: str, step: int) -> None:
    hand.viewer.go(20)
    hand.key(name)
    assert hand.viewer.frame == 20 + step
    hand.key(name.upper() if len(name) == 1 else name)
    assert hand.viewer.frame == 20 + 2 * step or abs(step) == 10


def test_steps_end_at_both_ends(hand: Hand) -> None:
    hand.key("left")
    assert hand.viewer.frame == 0
    for _ in range(9):
        hand.key("down")
    assert hand.viewer.frame == LENGTH - 1
    hand.key("d")
    assert hand.viewer.frame == LENGTH - 1


def test_other_keys_do_nothing_and_q_quits(hand: Hand) -> None:
    for name in ("l", "k", "g", "ctrl+s", "f", "h"):
        hand.key(name)
    assert hand.viewer.frame == 0 and hand.closed == 0
    hand.key("q")
    hand.key("escape")
    assert hand.closed == 2


def test_a_held_key_repeats_at_our_pace(scene: Any) -> None:
    hand = Hand(scene, interval_s=0.1)
    hand.key("d", hold=True)
    hand.wait(FIRST_REPEAT_S + 0.95)
    assert hand.viewer.frame in (10, 11)
    hand.up("d")
    hand.wait(1.0)
    assert hand.viewer.frame in (10, 11)


def test_a_keyboard_that_repeats_by_itself_does_not_hurry_us(scene: Any) -> None:
    hand = Hand(scene, interval_s=0.1)
    canvas = hand.figure.canvas
    hand.key("d", hold=True)
    for _ in range(int((FIRST_REPEAT_S + 0.95) / 0.02)):  # fifty pairs a second
        for kind in ("key_release_event", "key_press_event"):
            canvas.callbacks.process(kind, KeyEvent(kind, canvas, "d"))
        hand.wait(0.019)
    assert hand.viewer.frame in (9, 10, 11)


def test_a_click_jumps_and_a_drag_follows(hand: Hand) -> None:
    painter = hand.viewer._painter
    left, right, top, bottom = painter._plot
    middle = (top + bottom) / 2
    hand.mouse("button_press_event", painter.column(25), middle)
    assert hand.viewer.frame == 25
    hand.mouse("motion_notify_event", painter.column(30), middle)
    assert hand.viewer.frame == 30
    hand.mouse("button_release_event", painter.column(30), middle)
    hand.mouse("motion_notify_event", painter.column(12), middle)
    assert hand.viewer.frame == 30
    hand.mouse("button_press_event", (left + right) / 2, 20)
    assert hand.viewer.frame == 30


def test_the_screen_shows_what_was_painted(hand: Hand) -> None:
    hand.viewer.go(17)
    painted = hand.viewer._painter.paint(17, hand.viewer._load(17))
    assert np.array_equal(hand.picture, painted)


def test_resizing_lays_out_anew(hand: Hand) -> None:
    hand.viewer.go(9)
    hand.figure.set_size_inches(12.0, 8.0, forward=False)
    canvas = hand.figure.canvas
    canvas.callbacks.process("resize_event", ResizeEvent("resize_event", canvas))
    assert hand.viewer._painter.size == (1200, 800)
    assert hand.viewer.frame == 9 and hand.picture.shape == (800, 1200, 3)


@pytest.mark.parametrize("cameras", [0, 1, 3, 12])
@pytest.mark.parametrize("size", [None, (60, 40), (700, 300), (2500, 1300)])
def test_any_number_of_cameras_in_a_window_of_any_size(
    cameras: int, size: tuple[int, int] | None
) -> None:
    curve = ViewCurve("causal", np.array([0.5]), 3)
    view = EpisodeView("a $x^2$ task " * 20, "name " * 50, None, 3, 4, 3, 0.0, (curve,))
    painter = Painter(view, [(48, 64)] * cameras, size=size, foot="keys")
    picture = painter.paint(3, [np.full((48, 64, 3), 9, np.uint8)] * cameras)
    assert picture.shape == (*painter.size[::-1], 3)
    if size is not None and min(size) > 500:
        assert painter.size == size


class HalfDamaged(ArrayFrames):
    def read(self, index: int) -> Image:
        if index == 2:
            raise DataError("file", "frame 2 is damaged")
        return super().read(index)


def test_a_damaged_frame_is_passed_over(scene: Any) -> None:
    shown = open_view(scene.out, open_reader(scene.recording), scene.recording)
    load = FrameLoader((HalfDamaged(np.zeros((9, 32, 40, 3), np.uint8)),))
    assert load(2) == [None]
    painter = Painter(shown.view, [(32, 40)])
    assert (painter.paint(2, load(2)) == 208).all(axis=2).sum() > 10_000


@given(
    st.lists(st.tuples(st.sampled_from([*STEPS, "x"]), st.floats(0.001, 0.3)), max_size=30),
    st.floats(0.01, 0.2),
)
def test_taps_step_once_each_and_holding_never_outruns_the_interval(
    taps: list[tuple[str, float]], interval: float
) -> None:
    held, now, expected, done = HeldKey(interval), 0.0, 0, 0
    for key, length in taps:
        done += held.press(key, now)
        expected += STEPS.get(key, 0)
        held.release(key, now + min(length, FIRST_REPEAT_S / 2))
        now += min(length, FIRST_REPEAT_S / 2) + 2 * GRACE_S
        done += held.tick(now)
    assert done == expected
    start, steps = now, held.press("d", now)
    while now < start + 2.0:
        now += 0.003
        steps += held.tick(now)
    assert steps <= 1 + (2.0 - FIRST_REPEAT_S) / interval + 1

"""Trackers: exact where the truth is known, still where nothing moves, the same for everyone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from films import film

from robovalue_ros.backends.trackers.choice import TrackerChoice
from robovalue_ros.backends.trackers.cotracker import NOTICE
from robovalue_ros.backends.trackers.dis_flow import DisFlow
from robovalue_ros.backends.trackers.lucas_kanade import LucasKanade
from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.types import Frame
from robovalue_ros.segment.gates import MotionGateOptions, PreGateOptions
from robovalue_ros.segment.grid import grid_points
from robovalue_ros.segment.options import StreamOptions
from robovalue_ros.segment.streamer import SegmentStream
from robovalue_ros.segment.tracking import StepTracker, WindowTracker
from robovalue_ros.wiring import make_tracker

STEPPING: list[Callable[[], StepTracker]] = [LucasKanade, DisFlow]
REPOSITORY = Path(__file__).parent / "hub_repository"
STAMPS = np.arange(16, dtype=np.int64) * 50_000_000


@pytest.mark.parametrize("build", STEPPING)
def test_points_go_where_the_ground_and_the_disc_go(build: Callable[[], StepTracker]) -> None:
    made = film([2.5] * 16, camera=1.3, size=(240, 320))
    points = grid_points(400, 240, 320)
    tracks = WindowTracker(build()).track(made.frames, points, STAMPS)
    on_disc = np.hypot(*(points - made.place[0]).T) < made.radius - 12
    covered = np.hypot(*(points - made.place[0]).T) < made.radius + 50
    ways = {"disc": (on_disc, made.place), "ground": (~covered, made.shift)}
    for name, (who, way) in ways.items():
        truth = points[who, None] + (way - way[0])[None]
        inside = (truth > 12).all((1, 2)) & (truth < (308, 228)).all((1, 2))
        seen = tracks.visible[who, -1]
        error = np.linalg.norm(tracks.xy[who] - truth, axis=2)[:, -1]
        assert inside.sum() > 15, name
        assert seen[inside].mean() > 0.9, name
        assert np.median(error[inside & seen]) < 0.5, name


@pytest.mark.parametrize("build", STEPPING)
def test_a_point_that_does_not_move_stays_to_the_bit(build: Callable[[], StepTracker]) -> None:
    still = film([0.0] * 16, noise=2.0)
    points = grid_points(400, *still.frames.shape[1:3])
    tracks = WindowTracker(build()).track(still.frames, points, STAMPS)
    same = (tracks.xy == points[:, None]).all((1, 2))
    assert same.mean() > 0.99 and tracks.visible.all()


@pytest.mark.parametrize("build", STEPPING)
def test_lost_points_hold_where_they_were_seen_last(build: Callable[[], StepTracker]) -> None:
    made = film([0.0] * 16, camera=9.0)  # points on the left go out of the picture
    points = grid_points(400, *made.frames.shape[1:3])
    tracks = WindowTracker(build()).track(made.frames, points, STAMPS)
    out = (points[:, 0] < 60) & (abs(points[:, 1] - made.place[0, 1]) > made.radius + 8)
    assert out.any() and not tracks.visible[out, -1].any()
    lost = ~tracks.visible[:, 1:]
    assert (np.diff(tracks.xy, axis=1)[lost] == 0).all()
    assert (tracks.visible[:, 1:] <= tracks.visible[:, :-1]).all(), "a lost point stays lost"


@pytest.mark.parametrize("build", STEPPING)
def test_a_point_ends_in_the_same_place_whoever_else_is_asked_for(
    build: Callable[[], StepTracker],
) -> None:
    tracker = build()
    made = film([3.0, 3.0], camera=0.7)
    before, after = (tracker.prepare(frame) for frame in made.frames)
    points = grid_points(100, *made.frames.shape[1:3])
    xy, seen = tracker.step(before, after, points)
    for some in (slice(3, 4), slice(10, 60), slice(None, None, -1)):
        alone, found = tracker.step(before, after, points[some])
        assert np.array_equal(alone, xy[some]) and np.array_equal(found, seen[some])


@pytest.mark.parametrize("build", STEPPING)
def test_the_number_of_threads_changes_nothing(build: Callable[[], StepTracker]) -> None:
    made = film([3.0] * 6, camera=1.5, size=(256, 320))
    points = grid_points(400, 256, 320)
    before = cv2.getNumThreads()
    answers = []
    try:
        for threads in (1, 3, 8):
            cv2.setNumThreads(threads)
            tracks = WindowTracker(build()).track(made.frames, points, STAMPS[:6])
            assert cv2.getNumThreads() == threads
            answers.append(tracks.xy.tobytes())
    finally:
        cv2.setNumThreads(before)
    assert len(set(answers)) == 1


@pytest.mark.parametrize("build", STEPPING)
def test_windows_that_share_their_steps_are_as_if_each_were_followed_anew(
    build: Callable[[], StepTracker],
) -> None:
    made = film([0.0] * 14 + [2.0] * 16 + [0.0] * 10)
    options = StreamOptions(
        resize_shorter=0, pre_gate=PreGateOptions(enable=False),
        motion_gate=MotionGateOptions(enable=False),
    )  # fmt: skip
    energies = []
    for tracker in (build(), WindowTracker(build())):
        stream = SegmentStream(options, tracker)
        frames = [Frame(50_000_000 * t, {"c": image}) for t, image in enumerate(made.frames)]
        updates = [update for frame in frames if (update := stream.push(frame)) is not None]
        energies.append([update.reading.energy for update in updates])
    assert energies[0] == energies[1] and len(energies[0]) == 7
    assert max(energies[0]) > 5 * min(energies[0])


def test_the_network_follows_and_holds_what_it_loses(capfd: pytest.CaptureFixture[str]) -> None:
    choice = TrackerChoice(
        tracker="cotracker", cotracker_repo=REPOSITORY, cotracker_entry="constant_drift",
        cotracker_checkpoint=REPOSITORY / "weights.pt",
    )  # fmt: skip
    tracker = make_tracker(choice, "cpu")
    assert not isinstance(tracker, StepTracker)
    frames = np.zeros((5, 24, 32, 3), np.uint8)
    tracks = tracker.track(frames, np.array([[3, 20], [27, 10]], np.float32), STAMPS[:5])
    assert tracks.xy[0].tolist() == [[3, 20], [5, 19], [7, 18], [9, 17], [11, 16]]
    assert tracks.visible[1].tolist() == [True, True, True, False, False]
    assert tracks.xy[1, 2:].tolist() == [[31, 8]] * 3
    make_tracker(choice, "cpu")
    assert capfd.readouterr().err.count(NOTICE) <= 1, "the licence is told once"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cotracker_repo": None}, "comes with neither code nor weights"),
        ({"cotracker_repo": Path("nowhere")}, "holds no hubconf.py"),
        ({"cotracker_checkpoint": REPOSITORY / "hubconf.py"}, "hubconf.py"),
        ({"cotracker_entry": "cotracker9"}, "cotracker9 cannot be built"),
    ],
)
def test_a_network_that_is_not_there_is_told(change: dict[str, object], says: str) -> None:
    choice = TrackerChoice(
        tracker="cotracker", cotracker_repo=REPOSITORY, cotracker_entry="constant_drift",
        cotracker_checkpoint=REPOSITORY / "weights.pt",
    )  # fmt: skip
    with pytest.raises((ConfigError, DataError), match=says):
        make_tracker(replace(choice, **change), "cpu")


def test_an_unknown_tracker_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'lucas_kanade'"):
        make_tracker("lukas_kanade")

"""The stream: the same windows, energies, codes and actions, whoever pushes the frames."""

from __future__ import annotations

import gc
import threading
import weakref
from dataclasses import replace
from queue import Queue

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_world import SIZE, STEP_NS, SumEncoder, WorldSteps, frames, picture, walk

from robovalue_ros.contracts.errors import ConfigError, ContractError
from robovalue_ros.contracts.fakes import FakeTracker
from robovalue_ros.contracts.types import Frame
from robovalue_ros.segment.energy import token_energy, velocity_energy
from robovalue_ros.segment.events import FramesAppended, Reading, SegmentClosed, Update
from robovalue_ros.segment.feed import Window
from robovalue_ros.segment.gates import MotionGateOptions, PreGateOptions, motion_gate, pre_gate
from robovalue_ros.segment.grid import grid_points
from robovalue_ros.segment.hysteresis import HysteresisOptions
from robovalue_ros.segment.options import EnergyOptions, StreamOptions
from robovalue_ros.segment.pictures import Imaging, gray
from robovalue_ros.segment.selection import SelectionOptions
from robovalue_ros.segment.streamer import SegmentStream, segment_frames
from robovalue_ros.segment.tracking import StepTracker, WindowEncoder, WindowTracker, follow
from robovalue_ros.segment.tracks import velocities

OPTIONS = StreamOptions(
    resize_shorter=0,
    num_tracks=16,
    energy=EnergyOptions("quantized", "token_diff_l2_mean"),
    pre_gate=PreGateOptions(resize_shorter=0),
    motion_gate=MotionGateOptions(vel_norm_thr=0.02, min_active_ratio=0.1),
    hysteresis=HysteresisOptions(threshold=0.02, max_duration_windows=12),
)
moves = st.lists(st.sampled_from([0, 0, 1, 3]), min_size=2, max_size=9)


def recording(moves: list[int], seed: int = 0) -> list[Frame]:
    return frames(walk(moves, np.random.default_rng(seed)))


def updates_of(stream: SegmentStream, recorded: list[Frame]) -> list[Update]:
    return [update for frame in recorded if (update := stream.push(frame)) is not None]


def facts(reading: Reading) -> tuple[object, ...]:
    tokens = reading.tokens
    return (
        reading.window, reading.frames.start, reading.energy, reading.gate, reading.pixels,
        reading.motion, reading.frames.stamps_ns.tolist(),
        None if tokens is None else (tokens.codes.tolist(), tokens.quantized.tolist()),
    )  # fmt: skip


def closed_facts(closed: SegmentClosed) -> tuple[object, ...]:
    return (
        closed.number, closed.windows, closed.first, closed.last, closed.why, closed.at_end,
        [(code.window, code.tokens.codes.tolist()) for code in closed.codes],
    )  # fmt: skip


def by_hand(recorded: list[Frame], options: StreamOptions) -> list[tuple[object, ...]]:
    """Cut the windows out of the whole recording and treat each on its own."""
    images = np.stack([frame.images["cam"] for frame in recorded])
    stamps = np.array([frame.stamp_ns for frame in recorded])
    told = []
    for number in range(options.schedule.count(len(recorded))):
        start, stop = options.schedule.span(number)
        window = images[start:stop]
        pixels = pre_gate(np.stack([gray(image) for image in window]), options.pre_gate)
        energy, gate, motion, tokens = 0.0, "pixels", None, None
        if not pixels.dropped:
            points = grid_points(options.num_tracks, *SIZE)
            tracks = WindowTracker(WorldSteps()).track(window, points, stamps[start:stop])
            speed = velocities(tracks.xy, SIZE)
            motion = motion_gate(speed, options.motion_gate)
            gate = "motion" if motion.dropped else "open"
            if motion.dropped:
                energy = velocity_energy(speed) if options.energy.source == "velocity" else 0.0
            else:
                tokens = SumEncoder().encode(speed)
                energy = (
                    velocity_energy(speed)
                    if options.energy.source == "velocity"
                    else token_energy(tokens.quantized, options.energy.mode)
                )
        said = None if tokens is None else (tokens.codes.tolist(), tokens.quantized.tolist())
        told.append(
            (number, start, energy, gate, pixels, motion, stamps[start:stop].tolist(), said)
        )
    return told


@given(moves, st.sampled_from(["quantized", "velocity"]), st.booleans())
@settings(max_examples=20, deadline=None)
def test_the_stream_says_what_whole_windows_say(
    moves: list[int], source: str, stepwise: bool
) -> None:
    options = replace(OPTIONS, energy=EnergyOptions(source, "token_diff_l2_mean"))
    recorded = recording(moves)
    tracker = WorldSteps() if stepwise else WindowTracker(WorldSteps())
    stream = SegmentStream(options, tracker, SumEncoder())
    assert [facts(one.reading) for one in updates_of(stream, recorded)] == by_hand(
        recorded, options
    )


@given(moves, st.floats(0.0, 0.2), st.floats(0.0, 1.0))
@settings(max_examples=20, deadline=None)
def test_the_motion_gate_leaves_velocities_as_they_are(
    moves: list[int], speed: float, share: float
) -> None:
    recorded = recording(moves)
    gates = (MotionGateOptions(enable=False), MotionGateOptions(True, speed, share))
    found = [
        updates_of(
            SegmentStream(
                replace(OPTIONS, energy=EnergyOptions("velocity"), motion_gate=gate), WorldSteps()
            ),
            recorded,
        )
        for gate in gates
    ]
    told = [[(one.reading.energy, one.active) for one in updates] for updates in found]
    assert told[0] == told[1]


def test_a_world_that_moves_and_rests_is_cut() -> None:
    recorded = recording([0, 0, 3, 3, 0, 0, 0, 3, 3])
    closed = segment_frames(SegmentStream(OPTIONS, WorldSteps(), SumEncoder()), recorded)
    kept = [one for one in closed if one.kept]
    assert len(kept) == 2 and kept[1].at_end and not kept[0].at_end
    assert (kept[0].start, kept[0].stop, kept[1].start) == (24, 68, 84)  # it moves from 24 to 48
    assert kept[1].codes[-1].window == OPTIONS.schedule.count(len(recorded)) - 1


def test_velocity_needs_no_tokenizer_and_tokens_do() -> None:
    options = replace(
        OPTIONS, energy=EnergyOptions("velocity"), hysteresis=HysteresisOptions(threshold=0.01)
    )
    closed = segment_frames(SegmentStream(options, WorldSteps()), recording([0, 3, 3, 0, 0]))
    assert [one.why for one in closed] == ["kept"] and closed[0].codes == ()
    with pytest.raises(ConfigError, match="no tokenizer"):
        SegmentStream(OPTIONS, WorldSteps())


@given(moves, st.sets(st.integers(0, 25)))
@settings(max_examples=20, deadline=None)
def test_windows_that_a_caller_leaves_out_change_no_other(
    moves: list[int], left_out: set[int]
) -> None:
    recorded = recording(moves)
    everything = {
        one.reading.window: facts(one.reading)
        for one in updates_of(SegmentStream(OPTIONS, WorldSteps(), SumEncoder()), recorded)
    }
    stream = SegmentStream(OPTIONS, WorldSteps(), SumEncoder())
    due = OPTIONS.schedule.due
    seen = []
    for index, frame in enumerate(recorded):
        update = stream.push(frame, read=due(index + 1) not in left_out)
        if update is not None:
            seen.append(update)
    assert [one.reading.window for one in seen] == sorted(set(everything) - left_out)
    assert all(facts(one.reading) == everything[one.reading.window] for one in seen)
    for update in seen:
        for event in update.events:
            if isinstance(event, FramesAppended):
                shown = [recorded[t].images["cam"] for t in range(event.start, event.stop)]
                assert len(shown) == len(event.images)
                assert all((a == b).all() for a, b in zip(shown, event.images, strict=True))
            elif isinstance(event, SegmentClosed):
                assert all(
                    code.tokens.codes.tolist() == everything[code.window][-1][0]
                    for code in event.codes
                )


def test_two_threads_give_what_one_gives() -> None:
    recorded = recording([0, 3, 0, 0, 3, 3, 1, 0, 0])
    whole = segment_frames(SegmentStream(OPTIONS, WorldSteps(), SumEncoder()), recorded)
    stream = SegmentStream(OPTIONS, WorldSteps(), SumEncoder())
    waiting: Queue[Window | None] = Queue()
    closed: list[SegmentClosed] = []

    def work() -> None:
        while (window := waiting.get()) is not None:
            events = stream.absorb(stream.read(window)).events
            closed.extend(event for event in events if isinstance(event, SegmentClosed))

    worker = threading.Thread(target=work)
    worker.start()
    for frame in recorded:
        window = stream.due(frame)
        if window is not None:
            waiting.put(window)
    waiting.put(None)
    worker.join()
    last = stream.finish()
    closed += [] if last is None else [last]
    assert [closed_facts(one) for one in closed] == [closed_facts(one) for one in whole]


def test_a_frame_is_worked_up_once_and_a_still_one_never() -> None:
    options = replace(OPTIONS, motion_gate=MotionGateOptions(enable=False))
    tracker = WorldSteps()
    moving = frames(list(range(0, 240, 3)))
    assert len(updates_of(SegmentStream(options, tracker, SumEncoder()), moving)) == 17
    assert tracker.prepared == list(range(0, 240, 3))
    assert len(tracker.stepped) == 79 and max(tracker.stepped) > 16
    still = WorldSteps()
    updates = updates_of(SegmentStream(options, still, SumEncoder()), frames([5] * 80))
    assert [one.reading.gate for one in updates] == ["pixels"] * 17 and still.prepared == []
    assert [one.reading.energy for one in updates] == [0.0] * 17


def test_points_that_stand_still_are_asked_for_once() -> None:
    options = replace(
        OPTIONS, pre_gate=PreGateOptions(enable=False), motion_gate=MotionGateOptions(enable=False)
    )
    tracker = WorldSteps()
    updates_of(SegmentStream(options, tracker, SumEncoder()), frames([5] * 80))
    assert tracker.stepped == [16] * 79


def test_a_fast_source_is_looked_at_at_its_rate() -> None:
    options = replace(OPTIONS, target_fps=20.0)
    places = [3 * t for t in range(300)]
    fast = [Frame(t * 10_000_000, {"cam": picture(place)}) for t, place in enumerate(places)]
    slow = [Frame(frame.stamp_ns, dict(frame.images)) for frame in fast[::5]]
    stream, plain = (SegmentStream(options, WorldSteps(), SumEncoder()) for _ in range(2))
    found, expected = updates_of(stream, fast), updates_of(plain, slow)
    assert [facts(one.reading) for one in found] == [facts(one.reading) for one in expected]
    assert (stream.seen, stream.pushed) == (60, 300)
    assert (found[0].reading.frames.source == np.arange(0, 80, 5)).all()
    native = SegmentStream(
        replace(options, resample="native", compat="reference"), WorldSteps(), SumEncoder()
    )
    assert len(updates_of(native, fast)) == OPTIONS.schedule.count(300)


def test_pictures_are_made_smaller_once_for_points_and_once_for_the_gate() -> None:
    options = replace(OPTIONS, resize_shorter=12, pre_gate=PreGateOptions(resize_shorter=6))
    asked = []

    def resize(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        asked.append(shape)
        return np.ascontiguousarray(image[: shape[0], : shape[1]])

    def bright(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        return gray(resize(image, shape))

    imaging = Imaging(resize, bright)
    stream = SegmentStream(options, WorldSteps(), SumEncoder(), imaging=imaging)
    updates_of(stream, recording([3, 3]))
    assert asked == [(12, 16), (6, 8)] * 25
    asked.clear()
    large = replace(options, resize_shorter=60, pre_gate=PreGateOptions(resize_shorter=100))
    updates_of(SegmentStream(large, WorldSteps(), SumEncoder(), imaging=imaging), recording([3]))
    assert set(asked) == {picture(0).shape[:2]}, "small pictures stay as they are"
    again = SegmentStream(options, WorldSteps(), SumEncoder())
    assert [one.reading.gate for one in updates_of(again, recording([0, 0]))] == ["pixels"] * 3


def test_memory_is_that_of_a_window() -> None:
    options = replace(OPTIONS, hysteresis=HysteresisOptions(threshold=1e9))
    stream = SegmentStream(options, WorldSteps(), SumEncoder())
    images: weakref.WeakValueDictionary[int, np.ndarray] = weakref.WeakValueDictionary()
    for t in range(200):
        image = picture(3 * t)
        images[t] = image
        stream.push(Frame(t * STEP_NS, {"cam": image}))
        del image
    gc.collect()
    assert len(images) <= OPTIONS.window


def test_another_recording_after_a_reset() -> None:
    recorded = recording([3, 3, 0, 0, 3])
    stream = SegmentStream(OPTIONS, WorldSteps(), SumEncoder())
    once = [closed_facts(one) for one in segment_frames(stream, recorded)]
    with pytest.raises(ContractError, match="more than the last"):
        stream.push(recorded[0])
    stream.reset()
    assert [closed_facts(one) for one in segment_frames(stream, recorded)] == once


def test_frames_that_do_not_fit_are_refused() -> None:
    stream = SegmentStream(OPTIONS, WorldSteps(), SumEncoder())
    stream.push(Frame(0, {"cam": picture(0)}))
    with pytest.raises(ContractError, match="size of the first frame"):
        stream.push(Frame(1, {"cam": np.zeros((8, 8, 3), np.uint8)}))
    with pytest.raises(ContractError, match="Name the camera"):
        stream.push(Frame(2, {"cam": picture(0), "wrist": picture(0)}))
    named = SegmentStream(OPTIONS, WorldSteps(), SumEncoder(), camera="cam")
    assert named.push(Frame(2, {"wrist": picture(0)})) is None and named.pushed == 0
    named.push(Frame(2, {"cam": picture(0), "wrist": picture(0)}))
    assert named.pushed == 1


def test_thresholds_are_live_and_windows_are_not() -> None:
    stream = SegmentStream(OPTIONS, WorldSteps(), SumEncoder())
    recorded = recording([3] * 6)
    for frame in recorded[:30]:
        stream.push(frame)
    stream.tune(replace(OPTIONS, hysteresis=replace(OPTIONS.hysteresis, threshold=1e9)))
    rest = [update for frame in recorded[30:] if (update := stream.push(frame)) is not None]
    assert any(isinstance(event, SegmentClosed) for update in rest for event in update.events)
    assert not stream.active
    with pytest.raises(ContractError, match="Start a new stream"):
        stream.tune(replace(OPTIONS, stride=5))


def test_older_streams_keep_their_velocities_and_their_count_of_codes() -> None:
    recorded = frames([3 * t for t in range(40)])
    old = replace(
        OPTIONS, compat="reference", energy=EnergyOptions("velocity"), decoder_window_size=24,
        motion_gate=MotionGateOptions(enable=False),
    )  # fmt: skip
    new = replace(old, compat="off")
    before, after = (
        updates_of(SegmentStream(options, WorldSteps(), SumEncoder()), recorded)[0].reading.energy
        for options in (old, new)
    )
    assert before is not None and after is not None and before > after  # 32 columns are not 24
    sparse = replace(
        old, selection=SelectionOptions(allow_overlap=False, min_codes_windows=2),
        hysteresis=HysteresisOptions(threshold=0.001, max_duration_windows=0),
    )  # fmt: skip
    for options, why in ((sparse, "too few codes"), (replace(sparse, compat="off"), "kept")):
        closed = segment_frames(SegmentStream(options, WorldSteps(), SumEncoder()), recorded)
        assert [one.why for one in closed] == [why]


def test_protocols_and_lost_points() -> None:
    assert isinstance(WorldSteps(), StepTracker) and isinstance(SumEncoder(), WindowEncoder)
    assert not isinstance(FakeTracker(), StepTracker)
    points = np.array([[30.0, 20.0], [2.0, 2.0]], np.float32)
    tracks = follow(WorldSteps(), [0, 16, 32, 64], points, np.arange(4) * STEP_NS)
    assert tracks.visible.tolist() == [[True, True, False, False], [True] * 4]
    assert tracks.xy[0].tolist() == [[30, 20], [30, 22], [30, 22], [30, 22]]
    assert tracks.xy[1, :, 0].tolist() == [2, 3, 4, 6]

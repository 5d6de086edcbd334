"""The state machine and what belongs to an action, against slow versions written from the rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_world import Tokens

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.segment.documents import codes_document, segments_document
from robovalue_ros.segment.events import FramesAppended, SegmentClosed, SegmentOpened
from robovalue_ros.segment.hysteresis import HysteresisOptions
from robovalue_ros.segment.naming import clip_name, codes_name, energy_path, prequant_name
from robovalue_ros.segment.options import StreamOptions
from robovalue_ros.segment.segmenter import Segmenter, stored_reading
from robovalue_ros.segment.selection import SelectionOptions
from robovalue_ros.segment.series import grouped, series_segments, step_limit
from robovalue_ros.segment.smoothing import SmoothingOptions

energies = st.lists(st.sampled_from([0.0, 0.9, 0.96, 1.0, 2.0]), max_size=45)
guards = st.builds(
    HysteresisOptions,
    threshold=st.just(1.0),
    hysteresis_ratio=st.sampled_from([0.5, 0.95, 1.0]),
    up_count=st.integers(0, 3),
    down_count=st.integers(0, 3),
    cooldown_windows=st.integers(0, 4),
    max_duration_seconds=st.sampled_from([0.0, 0.8, 2.0]),
    max_duration_windows=st.sampled_from([0, 0, 3, 7]),
)
choices = st.builds(
    SelectionOptions,
    align=st.sampled_from(["start", "center", "end"]),
    min_len_windows=st.integers(0, 5),
    export_codes=st.booleans(),
    codes_min_overlap_ratio=st.sampled_from([0.0, 0.25, 0.6, 1.0]),
    min_codes_windows=st.integers(0, 4),
    allow_overlap=st.booleans(),
)
streams = st.builds(
    StreamOptions,
    window=st.sampled_from([4, 15, 16]),
    stride=st.sampled_from([1, 4, 5]),
    hysteresis=guards,
    selection=choices,
    compat=st.sampled_from(["off", "reference"]),
)


@dataclass
class Found:
    """An action as the slow version tells it; frames are all that were written."""

    windows: list[int]
    frames: list[int]
    kept: bool
    codes: list[int]


def slow_actions(series: list[float], coded: list[bool], options: StreamOptions) -> list[Found]:
    guard, chosen = options.hysteresis, options.selection
    first_end = next(n for n in range(1, 999) if n >= options.window and n % options.stride == 0)
    spans = [
        range(first_end + w * options.stride - options.window, first_end + w * options.stride)
        for w in range(len(series))
    ]
    if guard.max_duration_windows > 0:
        longest = guard.max_duration_windows
    elif guard.max_duration_seconds > 0:
        rate = max(1, options.target_fps / options.stride)
        longest = max(1, round(guard.max_duration_seconds * rate))
    else:
        longest = 0
    found: list[Found] = []
    now: Found | None = None
    pos = neg = cool = 0
    for w, energy in enumerate(series):
        if cool > 0:
            cool -= 1
        if now is None:
            pos = pos + 1 if energy >= 1.0 else 0
            if cool == 0 and pos >= max(1, guard.up_count):
                now, pos, neg = Found([], [], False, []), 0, 0
                found.append(now)
        if now is None:
            continue
        if not now.windows:
            skip = {
                "start": 0,
                "center": options.window // 2,
                "end": max(0, options.window - options.stride),
            }
            now.frames.extend(spans[w][skip[chosen.align] :])
        else:
            now.frames.extend(spans[w][-options.stride :])
        now.windows.append(w)
        over = longest > 0 and len(now.windows) >= longest
        if not over:
            neg = neg + 1 if energy < guard.hysteresis_ratio else 0
        if over or neg >= max(1, guard.down_count):
            cool, now = max(cool, guard.cooldown_windows), None
    for action in found:
        _finish(action, spans, coded, options)
    return found


def _finish(action: Found, spans: list[range], coded: list[bool], options: StreamOptions) -> None:
    chosen = options.selection
    inside = set(action.frames)
    fitting = [
        w
        for w in action.windows
        if coded[w]
        and any(frame in inside for frame in spans[w])
        and len([f for f in spans[w] if f >= action.frames[0]]) / options.window
        >= chosen.codes_min_overlap_ratio
    ]
    kept: list[int] = []
    for w in fitting:
        if chosen.allow_overlap or not kept or spans[w][0] > spans[kept[-1]][-1]:
            kept.append(w)
    action.codes = kept if chosen.export_codes else []
    long_enough = len(action.windows) >= max(chosen.min_len_windows, 3)
    if options.compat == "reference":
        enough = len(kept) > chosen.min_codes_windows
    else:
        enough = len(fitting) >= chosen.min_codes_windows
    action.kept = long_enough and (enough or not chosen.export_codes)


def tokens(window: int) -> Tokens:
    vectors = np.full((2, 3), window, np.float32)
    return Tokens(vectors, vectors + 0.5, np.array([window, window]))


def run(
    series: list[float], coded: list[bool], options: StreamOptions, left_out: set[int]
) -> tuple[list[object], Segmenter]:
    segmenter = Segmenter(options, has_codes=True)
    events: list[object] = []
    for w, energy in enumerate(series):
        if w in left_out:
            continue
        held = tokens(w) if coded[w] else None
        reading = stored_reading(options.schedule, w, energy, held, fps=20.0)
        events.extend(segmenter.absorb(reading).events)
    last = segmenter.finish()
    return [*events, *([] if last is None else [last])], segmenter


@given(energies, streams, st.data())
@settings(max_examples=200, deadline=None)
def test_actions_are_those_of_the_rules(
    series: list[float], options: StreamOptions, data: st.DataObject
) -> None:
    coded = [data.draw(st.booleans()) for _ in series]
    events, _ = run(series, coded, options, set())
    slow = slow_actions(series, coded, options)
    closed = [event for event in events if isinstance(event, SegmentClosed)]
    assert [(list(range(*one.windows)), one.kept) for one in closed] == [
        (one.windows, one.kept) for one in slow
    ]
    assert [[code.window for code in one.codes] for one in closed] == [one.codes for one in slow]
    written: dict[int, list[int]] = {}
    for event in events:
        if isinstance(event, FramesAppended):
            written.setdefault(event.number, []).extend(range(event.start, event.stop))
    assert list(written.values()) == [one.frames for one in slow]
    assert [(one.first.index, one.last.index) for one in closed] == [
        (one.frames[0], one.frames[-1]) for one in slow
    ]


@given(energies, streams, st.sets(st.integers(0, 44)))
@settings(max_examples=100, deadline=None)
def test_windows_that_are_left_out_change_no_pairing(
    series: list[float], options: StreamOptions, left_out: set[int]
) -> None:
    events, segmenter = run(series, [True] * len(series), options, left_out)
    number = None
    stop = 0
    for event in events:
        if isinstance(event, SegmentOpened):
            assert number is None
            number = event.number
            start, end = options.schedule.span(event.window)
            assert start <= event.first.index < end
            stop = event.first.index
        elif isinstance(event, FramesAppended):
            assert event.number == number and stop <= event.start < event.stop
            stop = event.stop
        else:
            assert isinstance(event, SegmentClosed) and event.number == number
            assert event.stop == stop == options.schedule.span(event.windows[1] - 1)[1]
            assert event.last.stamp_ns == event.last.index * 50_000_000
            for code in event.codes:
                assert code.tokens.codes.tolist() == [code.window] * 2
                assert event.windows[0] <= code.window < event.windows[1]
                assert code.window not in left_out
            number = None
    assert number is None and not segmenter.active


def test_a_gap_is_bridged_as_far_as_the_window_reaches() -> None:
    options = StreamOptions(hysteresis=HysteresisOptions(threshold=1.0))
    events, _ = run([2.0] * 9, [True] * 9, options, {3, 4})
    frames = [(one.start, one.stop) for one in events if isinstance(one, FramesAppended)]
    assert frames == [(12, 20), (20, 24), (24, 36), (36, 40), (40, 44), (44, 48)]
    assert [one.windows for one in events if isinstance(one, SegmentClosed)] == [(1, 9)]


def test_order_is_kept() -> None:
    segmenter = Segmenter(StreamOptions(), has_codes=False)
    reading = stored_reading(StreamOptions().schedule, 3, 0.0, fps=20.0)
    segmenter.absorb(reading)
    with pytest.raises(ContractError, match="above 3"):
        segmenter.absorb(reading)
    nothing = stored_reading(StreamOptions().schedule, 2, None, fps=20.0)
    assert segmenter.absorb(nothing).events == ()


def test_without_a_tokenizer_only_the_length_counts() -> None:
    options = StreamOptions(hysteresis=HysteresisOptions(threshold=1.0))
    for has_codes, why in ((False, "kept"), (True, "too few codes")):
        segmenter = Segmenter(options, has_codes)
        for window in range(6):
            segmenter.absorb(stored_reading(options.schedule, window, 2.0, fps=20.0))
        closed = segmenter.finish()
        assert closed is not None and closed.why == why and closed.at_end


def test_the_smoothed_energy_decides_only_if_asked_to() -> None:
    for use, windows in ((True, (2, 5)), (False, (1, 4))):
        options = StreamOptions(
            hysteresis=HysteresisOptions(threshold=1.0, down_count=1, up_count=1),
            smoothing=SmoothingOptions(True, "ma", window=2, use_for_seg=use),
        )
        events, _ = run([0.0, 1.9, 1.9, 0.0, 0.0, 0.0], [True] * 6, options, set())
        assert [one.windows for one in events if isinstance(one, SegmentClosed)] == [windows]


def test_guards_may_change_between_windows() -> None:
    options = StreamOptions(hysteresis=HysteresisOptions(threshold=3.0))
    segmenter = Segmenter(options, has_codes=False)
    for window in range(4):
        segmenter.absorb(stored_reading(options.schedule, window, 2.0, fps=20.0))
    assert not segmenter.active
    segmenter.tune(StreamOptions(hysteresis=HysteresisOptions(threshold=1.0)))
    for window in range(4, 6):
        segmenter.absorb(stored_reading(options.schedule, window, 2.0, fps=20.0))
    assert segmenter.active


def slow_series(series: list[float], options: HysteresisOptions) -> list[tuple[int, int]]:
    found, active = [], None
    pos = neg = cool = length = 0
    for i, energy in enumerate(series):
        cool = max(0, cool - 1)
        if active is None:
            pos = pos + 1 if energy >= options.threshold else 0
            if cool == 0 and pos >= max(1, options.up_count):
                active, pos, neg, length = i, 0, 0, 0
        else:
            length += 1
            neg = neg + 1 if energy < options.threshold * options.hysteresis_ratio else 0
            too_long = options.max_duration_windows > 0 and length >= options.max_duration_windows
            if neg >= max(1, options.down_count) or too_long:
                found.append((active, i + 1))
                active, pos, neg, length = None, 0, 0, 0
                cool = options.cooldown_windows
    if active is not None:
        found.append((active, len(series)))
    return found


@given(energies, guards)
@settings(max_examples=150, deadline=None)
def test_actions_of_a_whole_series(series: list[float], options: HysteresisOptions) -> None:
    assert series_segments(series, options) == slow_series(series, options)


def test_groups_and_durations() -> None:
    assert grouped([0.0, 2.0, 4.0, 6.0, 9.0], 2).tolist() == [1.0, 5.0, 9.0]
    assert (step_limit(2.0, 0.4), step_limit(0.1, 0.4)) == (5, 0)


def test_documents_have_the_keys_that_files_have() -> None:
    options = StreamOptions(hysteresis=HysteresisOptions(threshold=1.0), target_fps=20.0)
    events, _ = run([0.0, *[2.0] * 6, 0.0, 0.0], [True] * 9, options, set())
    closed = [event for event in events if isinstance(event, SegmentClosed)]
    whole = segments_document(
        "a.mp4", closed, options, mode="fixed", fps=20.0, duration_s=2.4, processed_at="now"
    )
    assert whole["segments"] == [{"start_sec": 0.8, "end_sec": 0.8 + 32 / 20, "label": "segment_0"}]
    assert whole["segmentation_params"]["threshold"] == 1.0
    codes = codes_document(closed[0], options, "clip.mp4")
    assert codes["segment"] == {"start_frame": 16, "end_frame": 47, "start_win": 2}
    assert codes["selected_win_idxs"] == [2, 3, 4, 5, 6, 7, 8]
    assert codes["codes_windows"][0] == [2, 2] and codes["quantized_windows"][0][0] == [2.5] * 3
    assert codes["window"] == {"T": 16, "stride": 4, "target_fps": 20.0}


def test_names_of_files() -> None:
    assert codes_name(clip_name(3, 17)) == "segment_0003_startwin_000017.codes.json"
    assert prequant_name(4) == "prequant_win_000004.npy"
    assert energy_path("a/{source}.jsonl", "v", "velocity", "l2_mean", None) == "a/v/velocity.jsonl"

"""A camera -> segmenter node -> listeners over DDS: the actions, the services, the faults."""

from __future__ import annotations

import json
import threading
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from bag_maker import IMAGE, JPEG, MS, image, write_bag
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.parameter import Parameter
from ros_world import call, wait_for
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String
from std_srvs.srv import Trigger
from toy_bags import frames_of as bag_frames
from toy_bags import jpeg, streamed
from toy_film import NAME, SIZE, WAY, as_heard, begun, film, frames_of, moves, offline, segmenter
from toy_robot import START_NS, STEP_NS

from robovalue_ros.contracts.config import field_specs
from robovalue_ros.contracts.errors import ConfigError, ContractError, DataError
from robovalue_ros.contracts.types import Frame
from robovalue_ros.data.segment_files import read_segments
from robovalue_ros.nodes.convert import image_to_ros
from robovalue_ros.nodes.segmenter_config import CAMERA, SegmenterNodeConfig
from robovalue_ros.nodes.segmenter_desk import Desk, Job, Try
from robovalue_ros.pipelines.segment.stream_config import CutOptions, GateOptions

pytestmark = pytest.mark.ros


def told_parts(ears: Any) -> list[tuple[Any, ...]]:
    return [(one["event"], one["try"], one["number"]) for one in ears.told]


@pytest.mark.parametrize("packed", [True, False], ids=["compressed", "raw"])
def test_a_played_bag_gives_the_actions_that_a_stream_finds_in_it(world, tmp_path, packed) -> None:
    """The camera is faster than what is looked at, jitters, and pauses once."""
    pictures = film(moves((0, 26), (2, 36), (0, 28), (2, 36), (0, 28)), seed=3)
    topic = "/cam_high/image_raw" + ("/compressed" if packed else "")
    messages = []
    for index, picture in enumerate(pictures):
        stamp = START_NS + index * 33 * MS + (index % 3) * 4 * MS
        if not 70 <= index < 76:
            made = jpeg(stamp, picture) if packed else image(stamp, picture)
            messages.append((topic, JPEG if packed else IMAGE, stamp + 3 * MS, made))
    bag = write_bag(tmp_path / "run", messages, "mcap", version=8)
    config = SegmenterNodeConfig(image_topic=topic)
    frames = [Frame(f.stamp_ns, {CAMERA: f.images["cam_high"]}) for f in bag_frames(bag, ["cam_high"])]  # fmt: skip
    updates, wanted = offline(frames, config)
    assert len(wanted) >= 4 and sum(one["event"] == "close" and one["kept"] for one in wanted) >= 2
    shower = begun(world, topic, kind=CompressedImage if packed else Image, image_topic=topic)
    for message in streamed(bag)[0]:
        shower.send(0, bytes(message.data), topic)
    shower.node.trigger_deactivate()  # as the end of the bag: an open action closes
    shower.heard()
    assert shower.ears.of_stream() == as_heard(updates)
    wait_for(lambda: len(shower.ears.told) == len(wanted), "all actions")
    assert shower.ears.told == wanted
    np.testing.assert_allclose(shower.ears.energies, [u.reading.energy for u in updates], rtol=1e-6)
    assert shower.count("windows_skipped") == 0


def test_states_and_diagnostics_tell_energy_threshold_budget_and_action(world) -> None:
    shower = begun(world, threshold=0.004)
    shower.show(frames_of(film(WAY[:60])))
    shower.heard()
    states = shower.ears.states
    numbers = [int(state.values["segment"]) for state in states]
    assert numbers[0] == -1 and 0 in numbers
    for state, number in zip(states, numbers, strict=True):
        assert (state.values["active"] == "true") == (number >= 0)
        assert state.message == ("in an action" if number >= 0 else "at rest")
        assert float(state.values["threshold"]) == 0.004
        assert float(state.values["budget_ms"]) == 200.0
        late = float(state.values["cost_ms"]) > 200.0
        assert state.values["late"] == str(late).lower()
    told = shower.ears.next_diagnostic("stream")
    windows = len(states)
    assert (told["windows"], told["published"], told["windows_skipped"]) == (str(windows),) * 2 + ("0",)  # fmt: skip
    assert told["looked_at"] == "60" and told["source"] == "velocity"
    assert float(told["latency_p95_ms"]) >= float(told["latency_p50_ms"])


def test_a_slow_machine_leaves_windows_out_and_never_mixes_them_up(world) -> None:
    shower = begun(world)
    frames = frames_of(film(WAY))
    node = shower.node
    go_on = threading.Semaphore(0)
    tracker = node._parts.tracker
    real = tracker.step
    waiting: list[int] = []

    def slow(before: Any, after: Any, points: Any) -> Any:
        if len(waiting) < 3:
            waiting.append(1)
            go_on.acquire()
        return real(before, after, points)

    tracker.step = slow
    for index, frame in enumerate(frames):
        shower.robot.send(frame.stamp_ns, image=frame.images[CAMERA])
        wait_for(lambda index=index: shower.count("received") == index + 1, "a picture")
        if index in (40, 60, 80):
            go_on.release()
    go_on.release(3)
    shower.sent = len(frames)
    wait_for(shower._settled, "the rest")
    shower.heard()
    updates, _ = offline(frames, node.config)
    by_window = {stamp: (window, energy) for stamp, window, energy, _ in as_heard(updates)}
    heard = {stamp: (window, energy) for stamp, window, energy, _ in shower.ears.of_stream()}
    assert 0 < len(heard) < len(by_window)
    assert heard.items() <= by_window.items()
    skipped = shower.count("windows_skipped")
    assert skipped == len(by_window) - len(heard) and skipped > 0
    assert int(shower.ears.next_diagnostic("stream")["windows_skipped"]) == skipped


@pytest.mark.parametrize("how", ["service", "topic", "loop", "size"])
def test_a_new_try_closes_the_open_action_and_begins_anew(world, how: str) -> None:
    values = {"episode_topic": "/episode"} if how == "topic" else {}
    shower = begun(world, **values)
    first = frames_of(film(WAY[:44]))
    start = first[-1].stamp_ns + STEP_NS if how != "loop" else START_NS
    size = (48, 64) if how == "size" else SIZE
    second = frames_of(film(WAY[10:60], seed=1, size=size), start)
    wanted = [offline(part, shower.node.config, n) for n, part in enumerate((first, second))]
    shower.show(first)
    if how == "service":
        assert call(shower.ears.node, Trigger, f"{NAME}/reset").success
    if how == "topic":
        out = shower.robot.node.create_publisher(String, "/episode", 10)
        wait_for(lambda: out.get_subscription_count() > 0, "a listener on /episode")
        out.publish(String(data="{}"))
    if how in ("service", "topic"):
        wait_for(lambda: shower.count("restarts") == 1, "a new try")
    shower.show(second)
    shower.node.trigger_deactivate()
    shower.heard()
    told = [*wanted[0][1], *wanted[1][1]]
    assert any(one["event"] == "close" and one["at_end"] and one["try"] == 0 for one in told)
    wait_for(lambda: len(shower.ears.told) == len(told), "all actions")
    assert shower.ears.told == told
    assert shower.ears.of_stream() == as_heard([*wanted[0][0], *wanted[1][0]])
    assert shower.count("restarts") == 1


def test_a_wrong_encoding_is_told_and_the_camera_is_taken_up_again(world) -> None:
    shower = begun(world)
    frames = frames_of(film(WAY[:60]))
    shower.show(frames[:20])
    for frame in frames[20:24]:
        depth = Image(height=4, width=4, encoding="16UC1", step=8)
        depth.header = image_to_ros(frame.images[CAMERA], frame.stamp_ns).header
        depth.data = array("B", bytes(32))
        shower.send(frame.stamp_ns, depth)
    shower.ears.next_diagnostic("camera camera", "'16UC1'", level=1, earlier=True)
    assert shower.ears.next_diagnostic("camera camera")["refused"] == "4"
    shower.show(frames[24:])
    shower.send(frames[30].stamp_ns, frames[30].images[CAMERA])  # one that came too late
    shower.heard()
    updates, _ = offline([*frames[:20], *frames[24:]], shower.node.config)
    assert shower.ears.of_stream() == as_heard(updates)


def test_a_silent_camera_is_an_error_in_diagnostics(world) -> None:
    shower = begun(world, lost_ms=200.0)
    told = shower.ears.next_diagnostic("camera camera", "nothing has come on image", level=2)
    assert told["received"] == "0"
    shower.show(frames_of(film(WAY[:2])))
    shower.ears.next_diagnostic("stream", "lost", level=2)


def test_the_threshold_changes_while_it_runs(world) -> None:
    shower = begun(world, threshold=100.0)
    node = shower.node
    frames = frames_of(film(WAY))
    shower.show(frames[:60])
    wait_for(lambda: shower.ears.states, "a state")
    assert not shower.ears.told
    changes = [Parameter("threshold", value=0.002), Parameter("up_count", value=1)]
    assert all(one.successful for one in node.set_parameters(changes))
    shower.show(frames[60:])
    shower.heard()
    wait_for(lambda: shower.ears.told, "an action")
    assert shower.ears.told[0]["start_frame"] > 44  # the second action
    assert float(shower.ears.states[-1].values["threshold"]) == 0.002
    (refused,) = node.set_parameters([Parameter("stride", value=2)])
    assert not refused.successful


def test_clips_and_their_side_cars_are_written_for_each_try(world, tmp_path) -> None:
    shower = begun(world, clips_dir=str(tmp_path))
    frames = frames_of(film(WAY))
    shower.show(frames)
    assert call(shower.ears.node, Trigger, f"{NAME}/reset").success
    shower.show(frames_of(film(WAY[:60], seed=2), frames[-1].stamp_ns + STEP_NS))
    shower.node.trigger_deactivate()
    wait_for(lambda: shower.ears.told[-1]["event"] == "close", "the last action")
    for number, folder in enumerate(("image", "image_2")):
        kept = [one for one in shower.ears.told if one["try"] == number and one.get("kept")]
        listed = read_segments(tmp_path / folder / "segmented_videos" / f"{folder}_segments.json")
        assert [span.label for span in listed.segments] == [one["label"] for one in kept] != []
        clips = sorted((tmp_path / folder / "segmented_videos").glob("*.mp4"))
        codes = sorted((tmp_path / folder / "code_indices").glob("*.codes.json"))
        assert len(clips) == len(codes) == len(kept)
        content = json.loads(codes[0].read_text(encoding="utf-8"))
        assert content["segment"]["start_frame"] == kept[0]["start_frame"]
        marker = json.loads((tmp_path / folder / "segment_run.json").read_text(encoding="utf-8"))
        assert marker["state"] == "finished"


def test_a_folder_that_cannot_be_written_is_told_and_cutting_goes_on(world, tmp_path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    shower = begun(world, clips_dir=str(blocker / "kept"))
    shower.show(frames_of(film(WAY[:60])))
    shower.ears.next_diagnostic("stream", "clips: ")
    assert shower.ears.told[0]["event"] == "open"


# What prevents a start


def report(path: Path) -> Path:
    path.write_text(json.dumps({"best": {"thr": 0.25}}), encoding="utf-8")
    return path


def test_a_threshold_comes_from_a_report(world, tmp_path) -> None:
    node = segmenter(
        world, threshold_mode="report", report_path=str(report(tmp_path / "r.json")),
        report_key="best.thr",
    )  # fmt: skip
    node.start()
    assert node._options.hysteresis.threshold == 0.25
    (refused,) = node.set_parameters([Parameter("threshold", value=0.5)])
    assert not refused.successful and "report" in refused.reason


WRONG: tuple[tuple[dict[str, Any], type[Exception], str], ...] = (
    ({"tresh": 0.1}, ConfigError, "has no parameter 'tresh'"),
    ({"threshold_mode": "report"}, ConfigError, "report_path"),
    ({"threshold_mode": "report", "report_path": "R", "report_key": "best.th"}, ConfigError,
     "Did you mean 'best.thr'"),
    ({"energy_source": "quantized"}, ConfigError, "no threshold of its own"),
    ({"energy_source": "quantized", "threshold": 10.0}, ConfigError, "there is no tokenizer"),
    ({"tokenizer": "/nowhere.safetensors"}, DataError, "/nowhere"),
    ({"tracker": "cotracker"}, ConfigError, "cotracker"),
    ({"clips_dir": "x", "codec": "mp5"}, ConfigError, "mp5"),
    ({"stride": 0}, ConfigError, "stride is 0"),
)  # fmt: skip


def test_wrong_parameters_are_named(world, tmp_path) -> None:
    found = str(report(tmp_path / "r.json"))
    for values, error, text in WRONG:
        given_here = {key: found if value == "R" else value for key, value in values.items()}
        with pytest.raises(error, match=text):
            segmenter(world, **given_here).start()


def test_parameters_of_the_command_mean_the_same_here() -> None:
    ours = {spec.name: spec for spec in field_specs(SegmenterNodeConfig)}
    said_otherwise = {"target_fps", "threshold", "threshold_mode"}
    unused = {"segment", "resample"}
    for group in (CutOptions, GateOptions):
        for spec in field_specs(group):
            if spec.name in said_otherwise | unused:
                continue
            own = ours[spec.name]
            assert (own.help, own.default, own.low, own.high) == (
                spec.help, spec.default, spec.low, spec.high
            )  # fmt: skip


def test_every_parameter_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "segmenter_node.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    for spec in field_specs(SegmenterNodeConfig):
        (row,) = [row for row in rows if row.startswith(f"| `{spec.name}` |")]
        assert spec.help in row and row.endswith("* |") == spec.live


class _Named:
    """Stands where a stream or a window is only carried along."""

    def __init__(self, number: int) -> None:
        self.id = number


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["window", "end", "take"]), max_size=40))
def test_a_desk_keeps_the_newest_window_and_every_end_in_order(steps: Sequence[str]) -> None:
    desk, tries = Desk(), [Try(0, _Named(0))]
    waiting: list[tuple[int, int | None]] = []
    skipped = 0
    for number, step in enumerate(steps):
        if step == "window":
            if waiting and waiting[-1][0] == tries[-1].number and waiting[-1][1] is not None:
                waiting.pop()
                skipped += 1
            waiting.append((tries[-1].number, number))
            desk.add(Job(tries[-1], _Named(number)))
        elif step == "end":
            waiting.append((tries[-1].number, None))
            desk.add(Job(tries[-1]))
            tries.append(Try(len(tries), _Named(0)))
        else:
            job = desk.take()
            found = None if job is None else (job.of.number, job.window and job.window.id)
            assert found == (waiting.pop(0) if waiting else None)
    assert desk.skipped == skipped and desk.idle == (not waiting)


def test_a_tokenizer_of_other_windows_is_refused_at_once() -> None:
    from robovalue_ros.nodes.segmenter_node import _check_tokenizer
    from robovalue_ros.pipelines.segment.stream_cut import Parts
    from robovalue_ros.segment.options import StreamOptions
    from robovalue_ros.segment.pictures import Imaging
    from robovalue_ros.segment.tokenizer.config import TokenizerConfig
    from robovalue_ros.segment.tokenizer.encoding import TokenizerEncoder
    from robovalue_ros.segment.tokenizer.network import MotionTokenizer

    small = TokenizerConfig(num_tracks=16, hidden_dim=16, num_heads=2, codebook_size=64)
    encoder = TokenizerEncoder(MotionTokenizer(small))
    _check_tokenizer(Parts(None, encoder, Imaging()), StreamOptions(num_tracks=16))
    with pytest.raises(ContractError):
        _check_tokenizer(Parts(None, encoder, Imaging()), StreamOptions())

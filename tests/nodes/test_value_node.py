"""Cameras -> value node -> listeners over DDS: the numbers, the services, the faults."""

from __future__ import annotations

import time
from array import array
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")

from rclpy.parameter import Parameter
from ros_world import World, call, wait_for
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String
from std_srvs.srv import Trigger
from toy_robot import CAMERAS, START_NS, STEP_NS, Ears, Robot, play

from robovalue_ros.contracts.config import field_specs
from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.tools import ReadOptions
from robovalue_ros.contracts.types import Frame
from robovalue_ros.data.stills import decode_still
from robovalue_ros.nodes.convert import compressed_to_ros, image_to_ros, stamp_to_ros
from robovalue_ros.nodes.value_config import ValueNodeConfig
from robovalue_ros.nodes.value_node import ValueNode
from robovalue_ros.value.stream.live import stream_samples
from robovalue_ros.wiring import open_reader

pytestmark = pytest.mark.ros
TOPICS = dict(zip(("image", "image_2"), CAMERAS, strict=True))


def value_node(world: World, model_file, **values) -> ValueNode:
    given = {"model": str(model_file), **values}
    overrides = [Parameter(name, value=value) for name, value in given.items()]
    return world.spin(ValueNode(context=world.context, parameter_overrides=overrides))


def begun(world: World, model_file, *topics, kind=None, **values):
    """Return a node that is active, a robot and ears that have found it."""
    node = value_node(world, model_file, **values)
    node.start()
    robot, ears = Robot(world, *topics, kind=kind), Ears(world)
    robot.hear(ears, {})
    return node, robot, ears


def frames_of(pictures, count=None, start=START_NS) -> list[Frame]:
    length = len(pictures[CAMERAS[0]]) if count is None else count
    return [
        Frame(start + i * STEP_NS, {name: part[i] for name, part in pictures.items()})
        for i in range(length)
    ]


def by_topic(frame: Frame) -> dict[str, np.ndarray]:
    return {topic: frame.images[camera] for topic, camera in TOPICS.items()}


def test_live_equals_offline(world, model, model_file) -> None:
    _, robot, ears = begun(world, model_file)
    frames = frames_of(play(7))
    for frame in frames:
        robot.show(ears, frame.stamp_ns, **by_topic(frame))
    wanted = stream_samples(model, frames)
    assert [state.stamp_ns for state in ears.states] == [sample.stamp_ns for sample in wanted]
    for state, sample in zip(ears.states, wanted, strict=True):
        assert state.value == sample.value
        for flag in ("stall", "regression", "unknown", "declared"):
            assert state.values[flag] == str(getattr(sample, flag)).lower()
        assert state.values["model"] == model.id
        assert 0.0 < float(state.values["share_ms"]) < 60_000
    wait_for(lambda: len(ears.values) == len(wanted), "all values")
    np.testing.assert_allclose(ears.values, [sample.value for sample in wanted], atol=1e-6)
    told = ears.next_diagnostic("stream")
    assert (told["published"], told["dropped"], told["moments"]) == ("24", "0", "24")
    assert told["model"] == model.id
    assert ears.diagnostics[-1]["camera cam_left_wrist"][2]["missed"] == "0"


def test_compressed_pictures_and_chosen_topics(world, model, model_file) -> None:
    topics = ("wrist/image_raw/compressed", "high/image_raw/compressed")
    _, robot, ears = begun(
        world, model_file, *topics, kind=CompressedImage,
        cameras=["cam_high:=/high/image_raw/compressed", "cam_left_wrist:=wrist/image_raw/compressed"],
    )  # fmt: skip
    seen = []
    for frame in frames_of(play(8), 12):
        high = compressed_to_ros(frame.images["cam_high"], frame.stamp_ns)
        wrist = compressed_to_ros(frame.images["cam_left_wrist"], frame.stamp_ns)
        robot.show(ears, frame.stamp_ns, **{topics[1]: high, topics[0]: wrist})
        images = {
            "cam_high": decode_still(bytes(high.data)), "cam_left_wrist": decode_still(bytes(wrist.data))
        }  # fmt: skip
        seen.append(Frame(frame.stamp_ns, images))
    wanted = [sample.value for sample in stream_samples(model, seen)]
    assert [state.value for state in ears.states] == wanted


def test_events_are_told_once(world, model, model_file) -> None:
    _, robot, ears = begun(world, model_file)
    still = play(9)
    frames = frames_of({name: np.repeat(part[:1], 30, axis=0) for name, part in still.items()})
    for frame in frames:
        robot.show(ears, frame.stamp_ns, **by_topic(frame))
    wanted = [sample.stamp_ns for sample in stream_samples(model, frames) if sample.stall]
    stalls = [event for event in ears.events if event["event"] == "stall"]
    assert [event["stamp_ns"] for event in stalls] == wanted[:1]
    assert stalls[0]["model"] == model.id


@pytest.mark.parametrize("how", ["service", "topic"])
def test_a_new_try_begins_when_it_is_told(world, model, model_file, how: str) -> None:
    _, robot, ears = begun(world, model_file, episode_topic="/episode")
    frames = frames_of(play(10))
    for frame in frames[:12]:
        robot.show(ears, frame.stamp_ns, **by_topic(frame))
    if how == "service":
        assert call(ears.node, Trigger, "/value_node/reset").success
    else:
        out = robot.node.create_publisher(String, "/episode", 10)
        wait_for(lambda: out.get_subscription_count() > 0, "a listener on /episode")
        out.publish(String(data="{}"))
        ears.next_restart()
    for frame in frames[12:]:
        robot.show(ears, frame.stamp_ns, **by_topic(frame))
    halves = stream_samples(model, frames[:12]) + stream_samples(model, frames[12:])
    assert [state.value for state in ears.states] == [sample.value for sample in halves]


def test_a_snapshot_is_an_episode(world, model, model_file, tmp_path) -> None:
    _, robot, ears = begun(
        world, model_file, snapshot_dir=str(tmp_path / "kept"), snapshot_hz=20.0, task="cross"
    )
    empty = call(ears.node, Trigger, "/value_node/snapshot")
    assert not empty.success and "nothing to write yet" in empty.message
    frames = frames_of(play(11))
    for frame in frames:
        robot.show(ears, frame.stamp_ns, **by_topic(frame))
    paths = []
    for _ in range(2):
        answer = call(ears.node, Trigger, "/value_node/snapshot")
        assert answer.success, answer.message
        paths.append(answer.message.rpartition(" (")[0])
    assert paths[0] != paths[1]
    reader = open_reader(tmp_path / "kept" / paths[0].rpartition("/")[2], ReadOptions())
    (name,) = reader.episode_ids()
    episode = reader.open(name)
    assert episode.task == "cross" and set(episode.cameras) == set(CAMERAS)
    assert len(episode) in (23, 24)
    places = {frame.stamp_ns: index for index, frame in enumerate(frames)}
    indices = [places[int(stamp)] for stamp in episode.stamps_ns]
    samples = stream_samples(model, frames)
    values = [samples[index].value for index in indices]
    np.testing.assert_array_equal(episode.signals["value"], values)
    shown = episode.cameras["cam_high"].read(5)
    assert np.abs(shown.astype(int) - frames[indices[5]].images["cam_high"]).mean() < 8
    reader.close()


def test_a_snapshot_that_cannot_be_written_says_why(world, model_file, tmp_path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    _, robot, ears = begun(world, model_file, snapshot_dir=str(blocker / "kept"))
    for frame in frames_of(play(1), 3):
        robot.show(ears, frame.stamp_ns, **by_topic(frame))
    answer = call(ears.node, Trigger, "/value_node/snapshot")
    assert not answer.success and "cannot be written" in answer.message
    frame = frames_of(play(1), 4)[3]
    robot.show(ears, frame.stamp_ns, **by_topic(frame))


def test_simulated_time_is_the_time_of_latencies(world, model_file) -> None:
    _, robot, ears = begun(world, model_file, use_sim_time=True)
    clock = robot.node.create_publisher(Clock, "/clock", 10)
    wait_for(lambda: clock.get_subscription_count() > 0, "a listener on /clock")
    frames = frames_of(play(3), 4, start=0)
    for frame in frames:
        now = stamp_to_ros(frame.stamp_ns + 7_000_000)
        for _ in range(3):
            clock.publish(Clock(clock=now))
            time.sleep(0.05)
        robot.send(frame.stamp_ns, **by_topic(frame))
        count = len(ears.states)
        wait_for(lambda count=count: len(ears.states) > count, "a state", 5.0)
    assert [float(state.values["latency_ms"]) for state in ears.states[1:]] == [7.0, 7.0, 7.0]


# Faults


def settled(node: ValueNode, camera: str, seen: int) -> None:
    """Wait until so many pictures came and the worker has nothing to do."""

    def quiet() -> bool:
        put, taken, dropped = node._worker.mailbox.counts
        return node._pairing.tallies[camera].seen == seen and put == taken + dropped

    wait_for(quiet, f"{seen} pictures of {camera}")


def test_a_lost_camera_is_told_and_the_rest_goes_on(world, model, model_file) -> None:
    node, robot, ears = begun(world, model_file, tolerance_ms=20.0, wait_ms=60.0, lost_ms=200.0)
    frames = frames_of(play(12, 60))
    for frame in frames[:6]:
        robot.show(ears, frame.stamp_ns, **by_topic(frame))
    for index, frame in enumerate(frames[6:30], start=7):
        robot.send(frame.stamp_ns, image=frame.images["cam_high"])
        settled(node, "cam_high", index)
    wait_for(lambda: ears.states[-1].stamp_ns == frames[29].stamp_ns, "values without it")
    ears.next_diagnostic("camera cam_left_wrist", "lost", level=2)
    assert ears.diagnostics[-1]["stream"][0] == 2
    # Nobody waits for a lost camera: its first picture counts when it is there in time.
    robot.send(frames[30].stamp_ns, image_2=frames[30].images["cam_left_wrist"])
    settled(node, "cam_left_wrist", 7)
    robot.show(ears, frames[30].stamp_ns, image=frames[30].images["cam_high"])
    for frame in frames[31:36]:
        robot.show(ears, frame.stamp_ns, **by_topic(frame))
    alone = [
        Frame(f.stamp_ns, {"cam_high": f.images["cam_high"]}) if 6 <= i < 30 else f
        for i, f in enumerate(frames[:36])
    ]
    wanted = [sample.value for sample in stream_samples(model, alone)]
    assert [state.value for state in ears.states] == wanted
    later = iter(frames[36:])

    def go_on() -> None:
        frame = next(later, frames[-1])
        robot.send(frame.stamp_ns, **by_topic(frame))
        time.sleep(0.1)

    ears.next_diagnostic("camera cam_left_wrist", "per second", level=0, meanwhile=go_on)


def test_the_first_camera_may_be_lost_too(world, model_file) -> None:
    _, robot, ears = begun(world, model_file, lost_ms=200.0)
    frames = frames_of(play(13, 40))
    for frame in frames[:4]:
        robot.show(ears, frame.stamp_ns, **by_topic(frame))
    for frame in frames[4:30]:
        robot.send(frame.stamp_ns, image_2=frame.images["cam_left_wrist"])
    wait_for(lambda: ears.states[-1].stamp_ns == frames[29].stamp_ns, "values of the other")


def test_a_wrong_encoding_is_told_and_the_stream_recovers(world, model, model_file) -> None:
    _, robot, ears = begun(world, model_file)
    frames = frames_of(play(14))
    for index, frame in enumerate(frames):
        pictures = by_topic(frame)
        if 6 <= index < 12:
            depth = Image(height=48, width=48, encoding="16UC1", step=96)
            depth.header = image_to_ros(frame.images["cam_left_wrist"], frame.stamp_ns).header
            depth.data = array("B", bytes(48 * 96))
            pictures["image_2"] = depth
        robot.show(ears, frame.stamp_ns, **pictures)
    # A note is told for some seconds only, and a slow machine may take longer to get here.
    ears.next_diagnostic("camera cam_left_wrist", "'16UC1'", level=1, earlier=True)
    assert ears.next_diagnostic("camera cam_left_wrist")["received"] == "24"
    used = [
        Frame(f.stamp_ns, {"cam_high": f.images["cam_high"]}) if 6 <= i < 12 else f
        for i, f in enumerate(frames)
    ]
    wanted = [sample.value for sample in stream_samples(model, used)]
    assert [state.value for state in ears.states] == wanted


def test_pictures_that_no_one_can_read_are_counted(world, model_file) -> None:
    _, robot, ears = begun(world, model_file, "image", cameras=["cam_high:=image"])
    frames = frames_of(play(15), 6)
    for frame in frames[:5]:
        broken = image_to_ros(frame.images["cam_high"], frame.stamp_ns)
        broken.height = 1000
        robot.send(frame.stamp_ns, image=broken)
    ears.next_diagnostic("camera cam_high", "claims 48x1000", earlier=True)
    assert ears.next_diagnostic("camera cam_high")["received"] == "5"
    robot.show(ears, frames[5].stamp_ns, image=frames[5].images["cam_high"])
    told = ears.next_diagnostic("stream")
    lost = int(told["refused"]) + int(told["dropped"])
    assert lost == 5 and told["moments"] == "6" and told["published"] == "1"


@pytest.mark.parametrize(
    ("starts", "text"),
    [
        ((START_NS, START_NS), "went back by"),
        ((START_NS, START_NS - 3600 * 10**9), "went back by"),
        ((START_NS, START_NS + 3600 * 10**9), "leapt ahead by"),
    ],
    ids=["loop", "clock set back", "clock set ahead"],
)
def test_a_loop_or_a_clock_jump_begins_a_new_try(world, model, model_file, starts, text) -> None:
    _, robot, ears = begun(world, model_file)
    wanted = []
    for start in starts:
        frames = frames_of(play(16), 14, start)
        wanted += [sample.value for sample in stream_samples(model, frames)]
        for index, frame in enumerate(frames):
            count = len(wanted) - 14 + index + 1
            robot.send(frame.stamp_ns, **by_topic(frame))
            wait_for(lambda count=count: len(ears.states) == count, "a state")
    assert [state.value for state in ears.states] == wanted
    told = ears.next_diagnostic("stream", text, earlier=True)
    assert told["restarts"] == "1"


def test_single_stamps_that_go_back_are_left_out(world, model, model_file) -> None:
    _, robot, ears = begun(world, model_file)
    frames = frames_of(play(17), 10)
    for index, frame in enumerate(frames):
        robot.show(ears, frame.stamp_ns, **by_topic(frame))
        if index == 5:
            robot.send(0, **by_topic(frames[3]))  # these carry the stamp of frame 3
            for topic, picture in by_topic(frames[3]).items():
                robot.send(frames[3].stamp_ns, **{topic: picture})
    values = [s.value for s in ears.states if s.stamp_ns >= START_NS]
    assert len(values) >= 10
    assert np.isfinite(values).all()


def test_a_new_picture_size_is_no_problem(world, model_file) -> None:
    _, robot, ears = begun(world, model_file)
    frames = [*frames_of(play(18), 5), *frames_of(play(18, size=96), 5, START_NS + 5 * STEP_NS)]
    for frame in frames:
        robot.show(ears, frame.stamp_ns, **by_topic(frame))
    assert len(ears.states) == 10


def test_deactivating_ends_and_activating_begins_anew(world, model, model_file) -> None:
    node, robot, ears = begun(world, model_file)
    frames = frames_of(play(19))
    for frame in frames[:8]:
        robot.show(ears, frame.stamp_ns, **by_topic(frame))
    node.trigger_deactivate()
    robot.send(frames[8].stamp_ns, **by_topic(frames[8]))
    node.trigger_activate()
    robot.wait_for_listeners()
    for frame in frames[9:]:
        robot.show(ears, frame.stamp_ns, **by_topic(frame))
    wanted = stream_samples(model, frames[:8]) + stream_samples(model, frames[9:])
    assert [state.value for state in ears.states] == [sample.value for sample in wanted]
    node.trigger_deactivate()
    node.trigger_cleanup()
    assert node.state == "unconfigured"
    wait_for(lambda: ears.node.count_publishers("/value_node/value") == 0, "its topics' end")


# What prevents a start


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"cameras": ["cam_hihg:=image"]}, "Did you mean 'cam_high'"),
        ({"cameras": ["cam_high"]}, "expected CAMERA:=TOPIC"),
        ({"cameras": ["cam_high:=a", "cam_high:=b"]}, "twice"),
        ({"depth": 0}, "depth is 0"),
        ({"transport": "zip"}, "one of auto, raw, compressed"),
        ({"modell": "x"}, "Did you mean 'model'"),
    ],
)
def test_wrong_parameters_are_named(world, model_file, values, text) -> None:
    with pytest.raises(ConfigError, match=text):
        value_node(world, model_file, **values).start()


def test_a_model_that_cannot_be_used_is_named(world, tmp_path) -> None:
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(b"PK\x03\x04 nothing")
    node = value_node(world, damaged)
    with pytest.raises(DataError, match=r"damaged\.npz"):
        node.start()
    assert node.state == "unconfigured"


def test_limits_change_while_it_runs(world, model_file) -> None:
    node, robot, ears = begun(world, model_file, tolerance_ms=5.0)
    frames = frames_of(play(20), 8)

    def show(frame: Frame) -> None:
        robot.send(frame.stamp_ns + 10_000_000, image_2=frame.images["cam_left_wrist"])
        robot.show(ears, frame.stamp_ns, image=frame.images["cam_high"])

    for frame in frames[:4]:
        show(frame)
    missed = int(ears.next_diagnostic("camera cam_left_wrist")["missed"])
    assert missed == 4
    (result,) = node.set_parameters([Parameter("tolerance_ms", value=20)])
    assert result.successful
    for frame in frames[4:]:
        show(frame)
    assert int(ears.next_diagnostic("camera cam_left_wrist")["missed"]) == 4


def test_every_parameter_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "ros.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    for spec in field_specs(ValueNodeConfig):
        (row,) = [row for row in rows if row.startswith(f"| `{spec.name}` |")]
        assert spec.help in row and row.endswith("* |") == spec.live

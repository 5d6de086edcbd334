"""A bag played through the value node gives the samples of `robovalue bag score` on that bag."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy")

from bag_maker import MS, write_bag
from rclpy.parameter import Parameter
from ros_world import wait_for
from sensor_msgs.msg import CompressedImage, Image
from toy_bags import streamed, toy_messages
from toy_robot import CAMERAS, Ears, Robot

from robovalue_ros.data.rosbag.score_table import read_scores
from robovalue_ros.nodes.value_node import ValueNode
from robovalue_ros.pipelines.bag.config import BagScoreConfig
from robovalue_ros.pipelines.bag.score import score_bags
from robovalue_ros.value.stream.live import ValueStream

pytestmark = pytest.mark.ros
SAMPLE = ("value", "stall", "regression", "unknown", "declared")


def done(node: ValueNode, sent: int) -> bool:
    """Tell whether so many pictures came and the worker has taken what they gave."""
    put, taken, dropped = node._worker.mailbox.counts
    assert dropped == 0
    return sum(tally.seen for tally in node._pairing.tallies.values()) == sent and put == taken


@pytest.mark.parametrize("packed", [True, False], ids=["compressed", "raw"])
def test_a_played_bag_and_a_scored_bag_agree(world, model, model_file, tmp_path, packed) -> None:
    """Cameras jitter against each other and one of them pauses."""
    messages = toy_messages(
        7, 30, packed=packed,
        shift=lambda camera, index: 4 * MS * (index % 3) if camera == CAMERAS[1] else 0,
        keep=lambda camera, index: camera == CAMERAS[0] or not 12 <= index < 15,
    )  # fmt: skip
    bag = write_bag(tmp_path / "run", messages, "mcap", version=8)
    config = BagScoreConfig(bags=(bag,), model=model_file, out=tmp_path / "out")
    (outcome,) = score_bags(config, ValueStream(model))
    table = read_scores(outcome.files.table)
    wanted = {
        int(stamp): tuple(table[name][row].item() for name in SAMPLE)
        for row, stamp in enumerate(table["stamp_ns"])
    }
    assert len(wanted) == 30
    ending = "/compressed" if packed else ""
    topics = {camera: f"/{camera}/image_raw{ending}" for camera in CAMERAS}
    cameras = [f"{camera}:={topic}" for camera, topic in topics.items()]
    overrides = [
        Parameter("model", value=str(model_file)),
        Parameter("cameras", value=cameras),
        Parameter("reliability", value="reliable"),
    ]
    node = world.spin(ValueNode(context=world.context, parameter_overrides=overrides))
    node.start()
    kind = CompressedImage if packed else Image
    robot, ears = Robot(world, *topics.values(), kind=kind, reliable=True), Ears(world)
    robot.hear(ears, {})
    sent = 0
    for message in streamed(bag)[0]:
        if message.topic.name not in topics.values():
            continue
        robot.send(0, **{message.topic.name: bytes(message.data)})
        sent += 1
        # The next one waits until the node has nothing to do, so that a busy machine drops nothing.
        wait_for(lambda sent=sent: done(node, sent), f"picture {sent}")
    wait_for(lambda: len(ears.states) == 30, "all states", 5.0)
    live = {
        state.stamp_ns: (state.value, *(state.values[name] == "true" for name in SAMPLE[1:]))
        for state in ears.states
    }
    assert set(live) == set(wanted)
    for stamp, sample in wanted.items():
        assert live[stamp] == sample

"""What a simulated robot says in ROS: pictures, joints, task, episodes, progress and the time."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, JointState
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Float32, String

from robovalue_ros.nodes.convert import (
    Joints,
    compressed_to_ros,
    image_to_ros,
    joints_to_ros,
    stamp_to_ros,
)
from robovalue_ros.nodes.sim_config import SimNodeConfig
from robovalue_ros.nodes.sim_robot import About, Moment

DEPTH = 10
KEPT_EPISODES = 20
ACKNOWLEDGED_S = 0.5
RAW = "image_raw"


class SimTopics:
    """The publishers. stamp_ns: turns simulated time into the time that messages are stamped with."""

    def __init__(
        self, node: Any, config: SimNodeConfig, about: About, stamp_ns: Callable[[int], int]
    ) -> None:
        self._node, self._names, self._stamp_ns = node, about.names, stamp_ns
        self._compressed = config.compressed
        self._made: list[Any] = []
        pictures = QoSProfile(
            depth=DEPTH,
            reliability=ReliabilityPolicy.RELIABLE
            if config.reliability == "reliable"
            else ReliabilityPolicy.BEST_EFFORT,
        )
        kind, suffix = (CompressedImage, "/compressed") if self._compressed else (ImageMessage, "")
        self._cameras = {
            name: self._publisher(kind, f"{name}/{RAW}{suffix}", pictures) for name in about.cameras
        }
        self._joints = self._publisher(JointState, "joint_states", QoSProfile(depth=DEPTH))
        self._progress = self._publisher(Float32, "~/progress", QoSProfile(depth=DEPTH))
        # Whoever comes late hears them too.
        self._task = self._publisher(String, "task", _kept(1))
        self._episode = self._publisher(String, "~/episode", _kept(KEPT_EPISODES))
        self._clock = (
            self._publisher(Clock, "/clock", QoSProfile(depth=DEPTH))
            if config.publish_clock
            else None
        )

    @property
    def ready(self) -> bool:
        """Whether somebody listens to every camera."""
        return all(out.get_subscription_count() > 0 for out in self._cameras.values())

    def time(self, now_ns: int) -> None:
        """Publish the time."""
        if self._clock is not None:
            self._clock.publish(Clock(clock=stamp_to_ros(now_ns)))

    def seen(self, now_ns: int, moment: Moment) -> None:
        """Publish what the robot shows."""
        stamp_ns = self._stamp_ns(now_ns)
        self._joints.publish(joints_to_ros(Joints(stamp_ns, self._names, moment.positions)))
        convert = compressed_to_ros if self._compressed else image_to_ros
        for name, image in moment.images.items():
            self._cameras[name].publish(convert(image, stamp_ns, name))
        if moment.progress is not None:
            self._progress.publish(Float32(data=moment.progress))

    def task(self, text: str) -> None:
        """Publish the instruction."""
        self._task.publish(String(data=text))

    def episode(self, note: dict[str, Any]) -> None:
        """Publish that an episode began, or how it went."""
        self._episode.publish(String(data=json.dumps(note, allow_nan=False)))

    def flush(self) -> None:
        """Wait a moment until listeners have the last episode."""
        self._episode.wait_for_all_acked(Duration(seconds=ACKNOWLEDGED_S))

    def destroy(self) -> None:
        """Let go of the publishers."""
        for made in self._made:
            self._node.destroy_lifecycle_publisher(made)
        self._made = []

    def _publisher(self, kind: Any, topic: str, quality: QoSProfile) -> Any:
        made = self._node.create_lifecycle_publisher(kind, topic, quality)
        self._made.append(made)
        return made


def _kept(depth: int) -> QoSProfile:
    return QoSProfile(depth=depth, durability=DurabilityPolicy.TRANSIENT_LOCAL)

"""A robot over ROS 2 as the port `ArmLink`: images and joint states in, target positions out.

It knows no limits: `robovalue/RealArm-v0` around it does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np
import rclpy
from numpy.typing import NDArray
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, JointState
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from robovalue_ros.contracts.config import check_ranges, from_mapping
from robovalue_ros.contracts.errors import ConfigError, ContractError, RobotError, nearest
from robovalue_ros.contracts.ports import ArmReading
from robovalue_ros.contracts.types import Array
from robovalue_ros.contracts.validate import describe
from robovalue_ros.nodes.arm_senses import ArmSenses
from robovalue_ros.nodes.caught import Caught
from robovalue_ros.nodes.ros_arm_config import RosArmConfig, arm_cameras
from robovalue_ros.nodes.ros_clock import RosClock

POLL_S = 0.01
SPIN_S = 0.1
COMMAND_DEPTH = 10
ACKNOWLEDGED_S = 0.5
LISTENER_S = 1.0
MATCHING_S = 0.2  # until a listener that is known here knows this link too
LONGEST_SLEEP_S = 10.0


def open_ros_arm(node: Any = None, **options: Any) -> RosArm:
    """Open a robot; options: the fields of RosArmConfig, as Python or YAML writes them.

    For `gym.make("robovalue/RealArm-v0", link=lambda: open_ros_arm(...), config=...)`.
    """
    return RosArm(from_mapping(RosArmConfig, options, "ros_arm"), node=node)


class RosArm:
    """Listens to a robot and commands it until it is closed.

    node: one that somebody else spins; without it the link has a context, a node and a thread of its
    own. Raises ConfigError, and RobotError that names the topics that stayed silent.
    """

    def __init__(self, config: RosArmConfig | None = None, *, node: Any = None) -> None:
        self.config = config = config or RosArmConfig()
        check_ranges(config, "ros_arm")
        self._listed = arm_cameras(config)
        self._senses = ArmSenses(config.names, self._listed)
        self._lock = threading.Lock()
        self._open = True
        self._target: NDArray[np.float64] | None = None
        with ExitStack() as stack:
            self._own = None if node is not None else stack.enter_context(_OwnNode(config))
            self._node = node if self._own is None else self._own.node
            self.clock = RosClock(self._node.get_clock(), config.stalled_s, LONGEST_SLEEP_S)
            self._connect(stack)
            self._wait()
            self._names = self._senses.names
            self._sizes = {name: self._senses.sizes[name] for name in self._senses.sizes}
            for name in config.grips:
                if name not in self._names:
                    raise ConfigError(f"grips names {name!r}", hint=nearest(name, self._names))
            self._ending = stack.pop_all()

    @property
    def names(self) -> tuple[str, ...]:
        return self._names

    @property
    def cameras(self) -> Mapping[str, tuple[int, int]]:
        return dict(self._sizes)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many messages came, were refused, or had no stamp."""
        return self._senses.counts

    @property
    def notes(self) -> Mapping[str, str]:
        """Why a message was refused last, by camera or `joints`."""
        return self._senses.notes

    def read(self) -> ArmReading:
        if self._own is not None and self._own.failure is not None:
            raise RobotError(f"the link to the robot broke: {self._own.failure}")
        return self._senses.reading()

    def send(self, action: Array) -> None:
        values = np.asarray(action)
        size = len(self._names)
        if values.shape != (size,) or values.dtype.kind not in "biuf":
            raise ContractError("action", f"{size} finite numbers", describe(action))
        target = values.astype(np.float64)
        if not np.isfinite(target).all():
            raise ContractError("action", f"{size} finite numbers", "NaN or infinite")
        with self._lock:
            if not self._open:
                raise RobotError("a command to a robot that was let go of", "a new link")
            self._target = target
            self._publish(target)

    def stop(self) -> None:
        with self._lock:
            measured = self._senses.reading().state
            if not self._open or measured is None:
                return  # nothing was sent, or nobody knows where the robot is
            hold = np.array(measured)
            if self._target is not None:
                for name in self.config.grips:
                    place = self._names.index(name)
                    hold[place] = self._target[place]
            self._publish(hold)

    def close(self) -> None:
        with self._lock:
            if not self._open:
                return
            self._open = False
        self._ending.close()

    def _connect(self, stack: ExitStack) -> None:
        config, node = self.config, self._node
        quality = QoSProfile(
            depth=config.depth,
            reliability=ReliabilityPolicy.RELIABLE
            if config.reliability == "reliable"
            else ReliabilityPolicy.BEST_EFFORT,
        )
        # Joint states by best effort: heard from drivers that publish either way.
        joints = QoSProfile(depth=COMMAND_DEPTH, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._topics = {"joints": config.joint_topic} | {c.name: c.topic for c in self._listed}
        self._subscribe(stack, JointState, config.joint_topic, self._senses.joints, joints)
        for camera in self._listed:
            kind = CompressedImage if camera.compressed else ImageMessage
            take = partial(self._senses.picture, camera.name)
            self._subscribe(stack, kind, camera.topic, take, quality)
        array = config.command == "array"
        topic = config.command_topic or ("command" if array else "joint_trajectory")
        self._out = node.create_publisher(
            Float64MultiArray if array else JointTrajectory, topic, COMMAND_DEPTH
        )
        stack.callback(node.destroy_publisher, self._out)
        stack.callback(self._flush)

    def _subscribe(
        self,
        stack: ExitStack,
        kind: Any,
        topic: str,
        take: Callable[[Any, int], None],
        quality: Any,
    ) -> None:
        heard = self._node.create_subscription(
            kind, topic, lambda message: take(message, self.clock.now_ns()), quality
        )
        stack.callback(self._node.destroy_subscription, heard)

    def _publish(self, target: NDArray[np.float64]) -> None:
        if self.config.command == "array":
            self._out.publish(Float64MultiArray(data=target.tolist()))
            return
        reach = Duration(seconds=self.config.reach_s).to_msg()
        point = JointTrajectoryPoint(positions=target.tolist(), time_from_start=reach)
        # Without a stamp: begin at once.
        self._out.publish(JointTrajectory(joint_names=list(self._names), points=[point]))

    def _flush(self) -> None:
        """Wait a moment until the robot has heard the last command."""
        if self._out.get_subscription_count():
            self._out.wait_for_all_acked(Duration(seconds=ACKNOWLEDGED_S))

    def _wait(self) -> None:
        """Wait for what has to be learned, and for the clock; then a moment for who listens."""
        end = time.monotonic() + self.config.wait_s
        while silent := self._unknown():
            if time.monotonic() >= end:
                raise RobotError(
                    f"nothing that can be used came on {', '.join(silent)} within "
                    f"{self.config.wait_s:g} s{self._refusals()}",
                    "a robot that publishes there",
                )
            time.sleep(POLL_S)
        end = min(end, time.monotonic() + LISTENER_S)
        while not self._out.get_subscription_count():
            if time.monotonic() >= end:
                return  # whoever only listens needs nobody who obeys
            time.sleep(POLL_S)
        time.sleep(MATCHING_S)

    def _unknown(self) -> list[str]:
        lacking = [] if self._senses.names else ["joints"]
        lacking += [name for name in self._topics if name in self._without_size()]
        topics = [self._node.resolve_topic_name(self._topics[name]) for name in lacking]
        if self.clock.simulated and not self._node.get_clock().now().nanoseconds:
            topics.append("/clock")
        return topics

    def _without_size(self) -> list[str]:
        return [camera.name for camera in self._listed if camera.name not in self._senses.sizes]

    def _refusals(self) -> str:
        notes = self._senses.notes
        return "".join(f"; refused: {text}" for text in notes.values())


class _OwnNode:
    """A context, a node and the thread that spins it."""

    def __init__(self, config: RosArmConfig) -> None:
        self._config = config
        self._caught = Caught()

    @property
    def failure(self) -> Exception | None:
        """What ended the thread."""
        return self._caught.error

    def __enter__(self) -> _OwnNode:
        config = self._config
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        with ExitStack() as stack:
            stack.callback(rclpy.try_shutdown, context=self._context)
            self.node = rclpy.create_node(
                config.node, context=self._context, namespace=config.namespace or None,
                parameter_overrides=[Parameter("use_sim_time", value=config.use_sim_time)],
            )  # fmt: skip
            stack.callback(self.node.destroy_node)
            self._executor = SingleThreadedExecutor(context=self._context)
            stack.callback(self._executor.shutdown, timeout_sec=1.0)
            self._executor.add_node(self.node)
            self._over = False
            self._thread = threading.Thread(target=self._spin, name=config.node, daemon=True)
            self._thread.start()
            stack.callback(self._end)
            self._ending = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def _end(self) -> None:
        self._over = True
        self._executor.wake()
        self._thread.join(2.0)

    def _spin(self) -> None:
        with self._caught:
            try:
                while not self._over:
                    self._executor.spin_once(timeout_sec=SPIN_S)
            except ExternalShutdownException:
                pass  # the context was shut down; whoever did it knows

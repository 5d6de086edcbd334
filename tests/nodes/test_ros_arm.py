"""A robot over ROS as an ArmLink: what it reads, what it sends, what it survives."""

from __future__ import annotations

import importlib.util
import math
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("rclpy")

from ros_world import World, wait_for
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image, JointState
from sim_world import SimEars, running_sim, sim_node
from std_msgs.msg import Float64MultiArray
from toy_slider import SIZE, SLIDER
from trajectory_msgs.msg import JointTrajectory

from robovalue_ros.contracts.errors import ConfigError, RobotError
from robovalue_ros.nodes.arm_senses import ArmSenses
from robovalue_ros.nodes.convert import compressed_to_ros, image_to_ros, stamp_to_ros
from robovalue_ros.nodes.ros_arm import RosArm, open_ros_arm
from robovalue_ros.nodes.ros_arm_config import ArmCamera, RosArmConfig, arm_cameras
from robovalue_ros.nodes.ros_clock import RosClock

pytestmark = pytest.mark.ros
PORTS = Path(__file__).parents[1] / "contracts" / "test_ports.py"


@pytest.fixture(scope="module")
def ports():
    """The conformance tests of the ports."""
    spec = importlib.util.spec_from_file_location("ports_conformance", PORTS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class FakeRobot:
    """Publishes what a test wants and hears every command."""

    def __init__(self, world: World, kind=Image, command=Float64MultiArray, name="command") -> None:
        self.node = world.node("robot")
        self.heard = []
        self.images = self.node.create_publisher(kind, "cam_high/image_raw", 10)
        self.joints = self.node.create_publisher(JointState, "joint_states", 10)
        self.node.create_subscription(command, name, self.heard.append, 10)
        self._timer = None

    def show(self, *positions: float, names=("a", "b"), stamp_ns: int = 5) -> None:
        message = JointState(name=list(names), position=list(positions))
        message.header.stamp = stamp_to_ros(stamp_ns)
        self.joints.publish(message)

    def keep_showing(self, *positions: float) -> None:
        """Show picture and joints ten times a second."""
        picture = np.full((12, 16, 3), 77, np.uint8)

        def show() -> None:
            self.show(*positions)
            self.images.publish(image_to_ros(picture, 7))

        self._timer = self.node.create_timer(0.1, show)

    def quiet(self) -> None:
        self.node.destroy_timer(self._timer)


def arm_of(**options) -> RosArm:
    return open_ros_arm(**{"cameras": ["cam_high"], "wait_s": 8.0, **options})


@pytest.mark.parametrize(("command", "simulated"), [("array", True), ("trajectory", False)])
def test_it_conforms_to_the_port(ports, command, simulated) -> None:
    made: list[RosArm] = []

    def build() -> RosArm:
        made.append(arm_of(command=command, use_sim_time=simulated, wait_s=30.0))
        return made[-1]

    # A process of its own, and slow where that is possible: what the test waits for is 50 ms.
    speed = 0.25 if simulated else 1.0
    with running_sim(env=SLIDER, publish_clock=simulated, speed=speed):
        try:
            ports.test_arm_link(build)
        finally:
            for arm in made:
                arm.close()


def test_its_clock_conforms_to_the_port(world, ports) -> None:
    sim_node(world, env=SLIDER).start()
    arms = [arm_of(use_sim_time=simulated) for simulated in (True, False)]
    try:
        for arm in arms:
            ports.test_clock(lambda arm=arm: arm.clock)
    finally:
        for arm in arms:
            arm.close()


def test_it_learns_names_and_sizes_or_is_told(world) -> None:
    robot = FakeRobot(world)
    robot.keep_showing(0.5, 0.25)
    learned = arm_of()
    assert learned.names == ("a", "b") and learned.cameras == {"cam_high": (12, 16)}
    told = arm_of(names=["b"], sizes={"cam_high": [6, 8]})
    assert told.names == ("b",) and told.cameras == {"cam_high": (6, 8)}
    wait_for(lambda: told.read().images and told.read().state is not None, "a reading")
    reading = told.read()
    assert reading.state.tolist() == [0.25] and reading.state_ns == 5
    assert (
        reading.images["cam_high"].shape == (6, 8, 3) and (reading.images["cam_high"] == 77).all()
    )
    assert reading.images_ns == {"cam_high": 7}
    learned.close()
    told.close()


def test_what_stays_silent_is_named(world) -> None:
    with pytest.raises(RobotError) as problem:
        open_ros_arm(cameras=["cam_high", "wrist:=/hand/rgb"], use_sim_time=True, wait_s=0.3)
    for topic in ("/joint_states", "/cam_high/image_raw", "/hand/rgb", "/clock"):
        assert topic in str(problem.value)
    robot = FakeRobot(world)
    robot.keep_showing(0.1, 0.1)
    with pytest.raises(ConfigError, match="grips names 'c'"):
        arm_of(grips=["c"])


def test_stop_sends_where_the_robot_is_and_keeps_its_grip(world) -> None:
    robot = FakeRobot(world)
    robot.keep_showing(0.5, 0.25)
    arm = arm_of(grips=["b"])
    wait_for(lambda: arm.read().state is not None, "a reading")
    arm.stop()
    arm.send(np.array([0.9, 0.0]))
    arm.stop()
    arm.close()
    arm.stop()
    wait_for(lambda: len(robot.heard) == 3, "commands")
    assert [list(m.data) for m in robot.heard] == [[0.5, 0.25], [0.9, 0.0], [0.5, 0.0]]
    with pytest.raises(RobotError, match="let go"):
        arm.send(np.zeros(2))


def test_a_trajectory_has_one_point(world) -> None:
    robot = FakeRobot(world, command=JointTrajectory, name="joint_trajectory")
    robot.keep_showing(0.5, 0.25)
    arm = arm_of(command="trajectory", reach_s=0.25)
    arm.send(np.array([0.1, -0.1], np.float32))
    arm.close()
    wait_for(lambda: robot.heard, "a command")
    (message,) = robot.heard
    (point,) = message.points
    assert list(message.joint_names) == ["a", "b"]
    np.testing.assert_allclose(point.positions, [0.1, -0.1], rtol=1e-6)
    assert (point.time_from_start.sec, point.time_from_start.nanosec) == (0, 250_000_000)


def test_a_node_of_the_caller_is_used_and_left_alone(world) -> None:
    robot = FakeRobot(world)
    robot.keep_showing(0.5, 0.25)
    own = world.node("mine")
    arm = open_ros_arm(own, cameras=["cam_high"])
    assert arm.names == ("a", "b")
    arm.close()
    arm.close()
    assert not list(own.subscriptions) and own.context.ok()


def test_closing_ends_its_thread(world) -> None:
    robot = FakeRobot(world)
    robot.keep_showing(0.5, 0.25)
    for _ in range(2):
        arm = arm_of()
        assert "ros_arm" in [thread.name for thread in threading.enumerate()]
        arm.send(np.zeros(2))
        arm.close()
        # The world looks at memory, when nobody else maps it any more.
        assert "ros_arm" not in [thread.name for thread in threading.enumerate()]


def test_a_clock_that_stands_runs_on_and_nobody_sleeps_for_ever(world) -> None:
    robot = FakeRobot(world)
    robot.keep_showing(0.5, 0.25)
    clock = robot.node.create_publisher(Clock, "/clock", 10)
    ticking = robot.node.create_timer(0.02, lambda: clock.publish(Clock(clock=stamp_to_ros(10**9))))
    arm = arm_of(use_sim_time=True, stalled_s=0.2)
    # The clock says the same time again and again, which is as good as nothing.
    arm.clock.sleep_until(10**9 + 300_000_000)
    assert arm.clock.now_ns() >= 10**9 + 300_000_000
    robot.node.destroy_timer(ticking)
    clock.publish(Clock(clock=stamp_to_ros(5 * 10**9)))
    wait_for(lambda: arm.clock.now_ns() >= 5 * 10**9, "the time")
    assert arm.clock.now_ns() < 6 * 10**9
    arm.close()


def test_sleeping_has_a_limit_by_the_wall() -> None:
    stands = SimpleNamespace(
        ros_time_is_active=True, now=lambda: SimpleNamespace(nanoseconds=1)
    )  # fmt: skip
    begun = time.monotonic()
    RosClock(stands, stalled_s=60.0, limit_s=0.1).sleep_until(10**18)
    assert time.monotonic() - begun >= 0.1


def picture(**fields) -> Image:
    message = image_to_ros(np.full((4, 6, 3), 9, np.uint8), 3)
    for name, value in fields.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    "message",
    [
        picture(encoding="32FC1"), picture(encoding="nonsense"), picture(height=400),
        picture(width=0), picture(height=0, width=0, step=0), picture(step=1),
        CompressedImage(format="jpeg", data=b"no picture"),
        CompressedImage(format="jpeg", data=bytes(
            compressed_to_ros(np.zeros((16, 16, 3), np.uint8), 3).data)[:100]),
    ],
)  # fmt: skip
def test_pictures_that_are_none_are_counted_and_left_out(message) -> None:
    senses = ArmSenses(("a",), [ArmCamera("cam", "cam", False, (4, 6))])
    senses.picture("cam", picture(), 1)
    senses.picture("cam", message, 2)
    assert senses.counts["refused"] == 1 and senses.counts["pictures"] == 1
    assert "image" in senses.notes["cam"]
    assert senses.reading().images_ns == {"cam": 3}


numbers = st.one_of(st.floats(), st.just(math.nan), st.floats(-3, 3))


@given(
    st.lists(st.sampled_from(["a", "b", "c"]), max_size=4), st.lists(numbers, max_size=4),
    st.booleans(),
)  # fmt: skip
def test_joints_are_taken_whole_or_left_out(names, positions, learned) -> None:
    senses = ArmSenses(("b", "a") if learned else (), [])
    senses.joints(JointState(name=names, position=positions), 44)
    reading = senses.reading()
    usable = bool(names) and len(names) == len(positions)
    wanted = [names.index(n) for n in ("b", "a")] if {"a", "b"} <= set(names) else None
    if learned and usable and wanted and len(set(names)) == len(names):
        values = [positions[i] for i in wanted]
        if np.isfinite(values).all():
            assert reading.state.tolist() == values
            assert reading.state_ns == 44 and senses.counts["unstamped"] == 1
    if reading.state is None:
        assert senses.counts["refused"] == 1 and senses.notes["joints"]
    else:
        assert usable and np.isfinite(reading.state).all()
        assert len(reading.state) == len(senses.names)


def test_topics_and_types_of_cameras() -> None:
    cameras = ("high", "wrist:=/hand/rgb/compressed")
    high, wrist = arm_cameras(RosArmConfig(cameras=cameras))
    assert (high.topic, high.compressed) == ("high/image_raw", False)
    assert (wrist.topic, wrist.compressed) == ("/hand/rgb/compressed", True)
    (high,) = arm_cameras(RosArmConfig(cameras=("high",), transport="compressed"))
    assert (high.topic, high.compressed) == ("high/image_raw/compressed", True)
    for wrong in (("a", "a:=b"), ("a:=",), ("",)):
        with pytest.raises(ConfigError, match="cameras"):
            arm_cameras(RosArmConfig(cameras=wrong))
    with pytest.raises(ConfigError, match="sizes names 'b'"):
        arm_cameras(RosArmConfig(cameras=("a",), sizes={"b": (3, 4)}))
    with pytest.raises(ConfigError, match="Did you mean 'cameras'"):
        open_ros_arm(camera=["a"])


def test_compressed_pictures_of_a_simulator(world) -> None:
    ears = SimEars(world, compressed=True)
    sim_node(world, env=SLIDER, compressed=True).start()
    arm = arm_of(transport="compressed", use_sim_time=True)
    assert arm.cameras == {"cam_high": SIZE}
    wait_for(lambda: ears.images["cam_high"], "pictures")
    arm.close()

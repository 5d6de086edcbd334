"""How a robot is reached over ROS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from robovalue_ros.contracts.config import option
from robovalue_ros.contracts.errors import ConfigError

CommandKind = Literal["array", "trajectory"]
Reliability = Literal["best_effort", "reliable"]
_ARROW = ":="
_COMPRESSED = "/compressed"


@dataclass(frozen=True, slots=True)
class RosArmConfig:
    """Topics, names and waiting times of a `RosArm`."""

    names: tuple[str, ...] = option(
        (), "joints to command, in this order; none: those of the first joint state"
    )
    cameras: tuple[str, ...] = option(
        (), "CAMERA or CAMERA:=TOPIC for each camera; without a topic it is CAMERA/image_raw"
    )
    sizes: Mapping[str, tuple[int, int]] = option(
        dict, "CAMERA: [HEIGHT, WIDTH] that pictures are scaled to; none: that of the first picture"
    )
    joint_topic: str = option("joint_states", "topic of the joint states")
    command: CommandKind = option(
        "array", "type of commands: array (Float64MultiArray) or trajectory (JointTrajectory)"
    )
    command_topic: str = option(
        "", "topic of commands; none: command for an array, joint_trajectory for a trajectory"
    )
    grips: tuple[str, ...] = option(
        (),
        "joints that a hold leaves at their last target, such as a gripper, which lets go of what "
        "it holds when it is told to be where it is",
    )
    reach_s: float = option(
        0.1, "time that a trajectory gives the robot to reach its point", low=0.001, high=10.0
    )
    transport: Literal["auto", "raw", "compressed"] = option(
        "auto", "type of the image topics; auto: compressed where a name ends in /compressed"
    )
    reliability: Reliability = option("best_effort", "reliability of the image subscriptions")
    depth: int = option(2, "queue depth of the image subscriptions", low=1, high=100)
    use_sim_time: bool = option(False, "take the time from /clock")
    wait_s: float = option(
        10.0, "how long to wait for the first of everything", low=0.0, high=3600.0
    )
    stalled_s: float = option(
        0.5, "a /clock that stands for so many seconds is lost, and time runs on by the wall",
        low=0.01, high=60.0,
    )  # fmt: skip
    node: str = option("ros_arm", "name of the node")
    namespace: str = option("", "namespace of the node and its topics")


@dataclass(frozen=True, slots=True)
class ArmCamera:
    """Where a camera is heard. size: (height, width), None to learn it."""

    name: str
    topic: str
    compressed: bool
    size: tuple[int, int] | None = field(default=None)


def arm_cameras(config: RosArmConfig) -> tuple[ArmCamera, ...]:
    """Return the cameras to listen to; raises ConfigError."""
    found: dict[str, ArmCamera] = {}
    for text in config.cameras:
        name, arrow, topic = (part.strip() for part in text.partition(_ARROW))
        if not name or (arrow and not topic):
            raise ConfigError(f"cameras holds {text!r}", f"CAMERA or CAMERA{_ARROW}TOPIC")
        if name in found:
            raise ConfigError(f"cameras names {name!r} twice", "each camera once")
        if not arrow:
            suffix = _COMPRESSED if config.transport == "compressed" else ""
            topic = f"{name}/image_raw{suffix}"
        compressed = config.transport == "compressed" or (
            config.transport == "auto" and topic.endswith(_COMPRESSED)
        )
        size = config.sizes.get(name)
        if size is not None and min(size) < 1:
            raise ConfigError(f"sizes gives {name} {size}", "height and width, at least 1")
        found[name] = ArmCamera(name, topic, compressed, size)
    for name in config.sizes:
        if name not in found:
            raise ConfigError(f"sizes names {name!r}", "a name of cameras")
    return tuple(found.values())

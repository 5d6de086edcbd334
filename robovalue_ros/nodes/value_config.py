"""What the value node can be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from robovalue_ros.contracts.config import option
from robovalue_ros.contracts.errors import ConfigError, nearest
from robovalue_ros.nodes.cameras import (
    COMPRESSED,
    CameraTopic,
    Reliability,
    Transport,
    is_compressed,
)
from robovalue_ros.nodes.spine import NodeConfig
from robovalue_ros.value.stream.pairing import LOST_NS, MS, TOLERANCE_NS, WAIT_NS

_ARROW = ":="


@dataclass(frozen=True)
class ValueNodeConfig(NodeConfig):
    """Parameters of the value node."""

    model: Path = option(..., "value model of robovalue value fit")
    weights: Path | None = option(
        None, "where the encoder's weights lie, if not where the model was fitted"
    )
    device: str = option("auto", "device of an encoder with weights: auto, cpu, cuda, cuda:0")
    cameras: tuple[str, ...] = option(
        (),
        "CAMERA:=TOPIC for each camera, the timeline first; without it the model's cameras are on "
        "image, image_2 and so on",
    )
    transport: Transport = option(
        "auto",
        "type of the image topics; auto: compressed where a topic's name ends in /compressed",
    )
    reliability: Reliability = option("best_effort", "reliability of the image subscriptions")
    depth: int = option(10, "queue depth of the image subscriptions", low=1, high=1000)
    tolerance_ms: float = option(
        TOLERANCE_NS / MS, "largest time between the pictures of one moment",
        low=0.0, high=10_000.0, live=True,
    )  # fmt: skip
    wait_ms: float = option(
        WAIT_NS / MS, "how long a picture waits for those of other cameras",
        low=0.0, high=10_000.0, live=True,
    )  # fmt: skip
    lost_ms: float = option(
        LOST_NS / MS, "a camera that is silent for longer is lost and not waited for",
        low=1.0, high=60_000.0, live=True,
    )  # fmt: skip
    episode_gap_s: float = option(
        60.0, "a longer pause of all cameras begins the next try", low=0.1, high=1e6
    )
    episode_topic: str = option(
        "", "topic of std_msgs/String; every message on it begins the next try; empty: none"
    )
    task: str = option("", "text of the task, written into snapshots")
    snapshot_dir: Path = option(Path("snapshots"), "folder that ~/snapshot writes into", live=True)
    snapshot_s: float = option(
        60.0, "how much is kept for a snapshot, seconds; 0: nothing", low=0.0, high=600.0
    )
    snapshot_hz: float = option(10.0, "frames kept per second for a snapshot", low=0.1, high=240.0)
    snapshot_mb: int = option(
        256, "most memory for what is kept for a snapshot, megabytes", low=1, high=65_536
    )


def camera_topics(config: ValueNodeConfig, known: Sequence[str]) -> tuple[CameraTopic, ...]:
    """Return the cameras to listen to, the timeline first; raises ConfigError.

    known: the model's cameras.
    """
    suffix = COMPRESSED if config.transport == "compressed" else ""
    if not config.cameras:
        names = ("image", *(f"image_{number}" for number in range(2, len(known) + 1)))
        return tuple(
            CameraTopic(camera, topic + suffix, bool(suffix))
            for camera, topic in zip(known, names, strict=True)
        )
    found: dict[str, CameraTopic] = {}
    for text in config.cameras:
        camera, arrow, topic = (part.strip() for part in text.partition(_ARROW))
        if not (camera and arrow and topic):
            raise ConfigError(f"cameras holds {text!r}", f"CAMERA{_ARROW}TOPIC")
        if camera not in known:
            raise ConfigError(
                f"the value model does not know the camera {camera!r}", hint=nearest(camera, known)
            )
        if camera in found:
            raise ConfigError(f"cameras names {camera!r} twice", "each camera once")
        found[camera] = CameraTopic(camera, topic, is_compressed(topic, config.transport))
    return tuple(found.values())

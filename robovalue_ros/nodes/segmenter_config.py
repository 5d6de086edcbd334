"""What the segmenter node can be told.

Parameters that `robovalue segment stream` has too are declared there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from robovalue_ros.backends.trackers.choice import TrackerChoice
from robovalue_ros.contracts.config import option, same_as
from robovalue_ros.nodes.cameras import CameraTopic, Reliability, Transport, is_compressed
from robovalue_ros.nodes.spine import NodeConfig
from robovalue_ros.nodes.value_config import ValueNodeConfig
from robovalue_ros.pipelines.segment.stream_config import (
    ActionOptions,
    GateOptions,
    OutputOptions,
    RunOptions,
    ThresholdMode,
)
from robovalue_ros.segment.options import StreamOptions

CAMERA = "camera"


@dataclass(frozen=True)
class Surroundings(NodeConfig):
    """Where pictures come from, and what reads them."""

    image_topic: str = option("image", "topic of the camera that is followed")
    transport: Transport = option(
        "auto", "type of the image topic; auto: compressed where its name ends in /compressed"
    )
    reliability: Reliability = option("best_effort", "reliability of the image subscription")
    depth: int = same_as(ValueNodeConfig, "depth", help="queue depth of the image subscription")
    lost_ms: float = same_as(
        ValueNodeConfig, "lost_ms", help="a camera that is silent for longer is told as lost"
    )
    episode_gap_s: float = same_as(
        ValueNodeConfig, "episode_gap_s",
        help="a longer pause of the camera begins the next try",
    )  # fmt: skip
    episode_topic: str = same_as(ValueNodeConfig, "episode_topic")
    tokenizer: Path | None = same_as(RunOptions, "tokenizer")
    device: str = same_as(RunOptions, "device")


@dataclass(frozen=True)
class SegmenterNodeConfig(ActionOptions, GateOptions, TrackerChoice, Surroundings):
    """Parameters of the segmenter node."""

    # A live camera has stamps of its own, and ROS has no number that is none.
    target_fps: float = same_as(
        StreamOptions, "target_fps", low=0.1,
        help="frames per second that are looked at, by the frames' stamps",
    )  # fmt: skip
    threshold_mode: ThresholdMode = same_as(
        ActionOptions, "threshold_mode",
        help="fixed: the parameter threshold; report: a number of a report; auto: what parts motion "
        "from stillness (Otsu), once the camera was watched for warmup_seconds",
    )  # fmt: skip
    threshold: float = same_as(
        ActionOptions, "threshold", default=0.0, low=0.0, live=True,
        help="energy from which an action begins; 0: 0.002, which fits velocities only",
    )  # fmt: skip
    early: float = same_as(StreamOptions, "early", default=0.25)
    clips_dir: Path | None = option(
        None,
        "folder for clips, codes, energies and the list of actions of each try; none: no files",
    )
    codec: str = same_as(OutputOptions, "codec")


def followed_camera(config: SegmenterNodeConfig) -> CameraTopic:
    """Return where the camera is heard."""
    topic = config.image_topic
    return CameraTopic(CAMERA, topic, is_compressed(topic, config.transport))

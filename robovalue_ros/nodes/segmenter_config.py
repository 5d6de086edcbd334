"""What the segmenter node can be told.

Parameters that `robovalue segment stream` has too are called, mean and default to the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robovalue_ros.backends.trackers.choice import STILL_PX, TrackerName
from robovalue_ros.contracts.config import option
from robovalue_ros.nodes.spine import NodeConfig
from robovalue_ros.nodes.value_config import COMPRESSED, CameraTopic, Reliability, Transport
from robovalue_ros.segment.energy import EnergyMode, EnergySource
from robovalue_ros.segment.grid import TRACKS
from robovalue_ros.segment.options import Compat, GridKind
from robovalue_ros.segment.selection import Align
from robovalue_ros.segment.smoothing import DEFAULT_ALPHA, SmoothingMethod
from robovalue_ros.segment.windows import STRIDE, WINDOW

ThresholdMode = Literal["fixed", "report"]
REPORT_KEY = "quantized_token_diff_best.best_f1.thr"
CAMERA = "camera"


@dataclass(frozen=True)
class SegmenterNodeConfig(NodeConfig):
    """Parameters of the segmenter node."""

    image_topic: str = option("image", "topic of the camera that is followed")
    transport: Transport = option(
        "auto", "type of the image topic; auto: compressed where its name ends in /compressed"
    )
    reliability: Reliability = option("best_effort", "reliability of the image subscription")
    depth: int = option(10, "queue depth of the image subscription", low=1, high=1000)
    lost_ms: float = option(
        500.0, "a camera that is silent for longer is told as lost",
        low=1.0, high=60_000.0, live=True,
    )  # fmt: skip
    episode_gap_s: float = option(
        60.0, "a longer pause of the camera begins the next try", low=0.1, high=1e6
    )
    episode_topic: str = option(
        "", "topic of std_msgs/String; every message on it begins the next try; empty: none"
    )
    tokenizer: Path | None = option(
        None, "trained motion tokenizer: .safetensors, .pt or a run's folder; none: no codes"
    )
    device: str = option("auto", "where networks run: auto, cpu, cuda, cuda:1")
    tracker: TrackerName = option(
        "lucas_kanade",
        "lucas_kanade: each point by itself; dis_flow: one dense flow per pair of frames, for cameras "
        "that move and for many points; cotracker: a network (licence CC-BY-NC)",
    )
    still_px: float = option(
        STILL_PX, "motion in pixels per frame below which a point stays exactly where it is",
        low=0.0, high=10.0,
    )  # fmt: skip
    cotracker_repo: Path | None = option(
        None, "folder of a copy of CoTracker's repository, with its hubconf.py"
    )
    cotracker_checkpoint: Path | None = option(None, "its weights, for instance scaled_offline.pth")
    cotracker_entry: str = option(
        "cotracker3_offline", "which network of the repository: cotracker3_offline, cotracker2, ..."
    )
    target_fps: float = option(
        20.0, "frames per second that are looked at, by the frames' stamps", low=0.1, high=1000.0
    )
    early: float = option(
        0.25, "share of a period that a frame may come early, for uneven cameras",
        low=0.0, high=0.9,
    )  # fmt: skip
    resize_shorter: int = option(
        480, "shorter side of the pictures that points are followed in and clips have; 0: as is",
        low=0, high=10_000,
    )  # fmt: skip
    window: int = option(WINDOW, "frames of a window; 15 replays older outputs", low=2, high=1000)
    stride: int = option(STRIDE, "frames from one window to the next", low=1, high=1000)
    num_tracks: int = option(TRACKS, "points that are followed", low=1, high=1_000_000)
    grid: GridKind = option(
        "cells", "cells: over the whole picture; reference: the points of older training data"
    )
    pre_gate: bool = option(True, "leave out windows in which no pixels change")
    pre_gate_resize: int = option(
        128, "shorter side of the pictures whose pixels are compared", low=0, high=4096
    )
    pixel_diff_thr: float = option(
        0.01, "change of a pixel, in shares of white, from which it is active",
        low=0.0, high=1.0, live=True,
    )  # fmt: skip
    mad_thr: float = option(
        0.003, "mean change below which pixels are still", low=0.0, high=1.0, live=True
    )
    pre_gate_active: float = option(
        0.002, "share of active pixels below which a window is still",
        low=0.0, high=1.0, live=True,
    )  # fmt: skip
    motion_gate: bool = option(True, "leave out windows in which no points move")
    vel_norm_thr: float = option(
        0.012, "speed, in half pictures per frame, from which a point is active",
        low=0.0, high=10.0, live=True,
    )  # fmt: skip
    motion_gate_active: float = option(
        0.01, "share of active points below which a window is still",
        low=0.0, high=1.0, live=True,
    )  # fmt: skip
    energy_source: EnergySource = option(
        "velocity", "velocity needs no tokenizer; quantized and prequant are of its tokens"
    )
    energy_mode: EnergyMode = option(
        "token_diff_l2_mean",
        "mean length of tokens (l2_mean) or of the steps between them; velocity ignores it",
    )
    smooth: bool = option(False, "smooth the energy")
    smooth_method: SmoothingMethod = option("ema", "ema: exponential; ma: mean of the last windows")
    alpha: float = option(DEFAULT_ALPHA, "weight of the newest energy in ema", low=0.0, high=1.0)
    smooth_window: int = option(3, "how many energies ma averages", low=1, high=100_000)
    use_for_seg: bool = option(True, "cut by the smoothed energy instead of the raw one")
    threshold_mode: ThresholdMode = option(
        "fixed", "fixed: the parameter threshold; report: a number of a report"
    )
    threshold: float = option(
        0.0, "energy from which an action begins; 0: 0.002, which fits velocities only",
        low=0.0, live=True,
    )  # fmt: skip
    report_path: Path | None = option(None, "report of `robovalue segment sweep`")
    report_key: str = option(REPORT_KEY, "where in the report the threshold stands, with dots")
    hysteresis_ratio: float = option(
        0.95, "an action ends below threshold times this", low=0.0, high=1.0, live=True
    )
    up_count: int = option(
        2, "windows in a row above the threshold that begin an action", low=0, live=True
    )
    down_count: int = option(2, "windows in a row below it that end an action", low=0, live=True)
    cooldown_windows: int = option(
        1, "windows after an action before the next may begin", low=0, live=True
    )
    max_duration_seconds: float = option(
        2.0, "longest action, seconds; 0: no limit", low=0.0, live=True
    )
    max_duration_windows: int = option(
        0, "longest action, windows; 0: by seconds", low=0, live=True
    )
    min_len_windows: int = option(2, "actions of fewer windows are left out; at least 3", low=0)
    align: Align = option("center", "which frame of its first window an action begins at")
    export_codes: bool = option(True, "give actions the motion codes of their windows")
    codes_min_overlap_ratio: float = option(
        0.25, "share of a window that must lie in the action for its codes to count",
        low=0.0, high=1.0,
    )  # fmt: skip
    min_codes_windows: int = option(2, "actions with fewer windows with codes are left out", low=0)
    allow_overlap: bool = option(
        True, "keep the codes of windows that overlap; false: only of windows that do not"
    )
    decoder_window_size: int = option(
        480, "picture size that velocities are scaled by with compat reference", low=1
    )
    compat: Compat = option(
        "off",
        "reference: windows of 15 frames, every frame of a file, velocities and counts as before",
    )
    clips_dir: Path | None = option(
        None,
        "folder for clips, codes, energies and the list of actions of each try; none: no files",
    )
    codec: str = option("mp4v", "of the clips: mp4v, or h264, which browsers play")


def followed_camera(config: SegmenterNodeConfig) -> CameraTopic:
    """Return where the camera is heard."""
    topic = config.image_topic
    compressed = config.transport == "compressed" or (
        config.transport == "auto" and topic.endswith(COMPRESSED)
    )
    return CameraTopic(CAMERA, topic, compressed)

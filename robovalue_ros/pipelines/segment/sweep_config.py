"""Every option of `robovalue segment sweep`; flags and defaults are those people know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robovalue_ros.contracts.config import option
from robovalue_ros.segment.smoothing import DEFAULT_ALPHA, SmoothingOptions

Method = Literal["ema", "ma"]
Aggregate = Literal["median", "mean"]
Compat = Literal["none", "reference"]


@dataclass(frozen=True)
class TruthOptions:
    """Section `truth`: a threshold for boundaries that somebody marked."""

    gt_dir: Path | None = option(
        None, "folder of NAME_segments.json with the true segments of each video"
    )
    energy_root: Path | None = option(
        None, "folder with one folder of energy files for each video, of the same names"
    )
    source: str = option("optical_flow", "which energy, by its name in the files")
    mode: str = option("mag_mean", "and which mode of it")
    target_fps: float = option(10.0, "frames per second that were looked at", low=0.01, high=1e4)
    stride: int = option(4, "frames from one window to the next", low=1, high=1000)
    window: int = option(
        16, "frames of a window, whose middle its energy belongs to; 0: its first frame, as older "
        "tools had it", low=0, high=1000,
    )  # fmt: skip
    hysteresis_ratio: float = option(0.95, "share of the threshold that ends an action", low=0.0)
    up_count: int = option(2, "windows above that begin an action", low=1)
    down_count: int = option(2, "windows below that end it", low=1)
    cooldown_windows: int = option(1, "windows before the next may begin", low=0)
    max_duration_seconds: float = option(2.0, "longest action; 0: any", low=0.0)
    tolerance_sec: float = option(2.0, "how far off a boundary may be", low=0.0)


@dataclass(frozen=True)
class SweepConfig:
    """`robovalue segment sweep`."""

    quantized_jsonl: Path | None = option(None, "energies of one video that shall be cut by")
    velocity_jsonl: Path | None = option(None, "its velocity energies, which say what moves")
    quantized_root: Path | None = option(
        None, "instead: a folder with one folder of energies for each video"
    )
    velocity_root: Path | None = option(None, "and one with their velocity energies")
    aggregate: Aggregate = option("median", "of the thresholds of all videos")
    view: str = option("default", "name of the camera, for the report")
    label_threshold: str = option(
        "auto",
        "what counts as motion: auto (Otsu), quantile:q, value:x",
    )
    smooth: bool = option(False, "smooth the energies first, as the stream will")
    smooth_method: Method = option("ema", "ema: exponential average; ma: mean of the last windows")
    smooth_alpha: float = option(DEFAULT_ALPHA, "weight of the newest in ema", low=0.0, high=1.0)
    smooth_window: int = option(3, "how many ma averages", low=1, high=100_000)
    output_json: Path = option(
        Path("best_threshold_quantized_token_diff.json"), "the report that the stream reads"
    )
    report_dir: Path | None = option(
        None, "also write how well each energy tells motion: JSON, CSV, pictures, a page"
    )
    energies: tuple[Path, ...] = option((), "further energies of the same video, for that report")
    compat: Compat = option(
        "none",
        "reference: a window moves when it is above the threshold, not at it, as older "
        "reports were made",
    )
    truth: TruthOptions = option(TruthOptions, "marked boundaries")

    @property
    def smoothing(self) -> SmoothingOptions:
        return SmoothingOptions(
            self.smooth, self.smooth_method, self.smooth_alpha, self.smooth_window
        )

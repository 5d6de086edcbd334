"""Every option of `robovalue segment evaluate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robovalue_ros.contracts.config import option

Rests = Literal["kept", "cut"]


@dataclass(frozen=True)
class SegmentEvaluateConfig:
    """`robovalue segment evaluate`."""

    gt_dir: Path = option(..., "folder of NAME_segments.json with the true segments")
    pred_root: Path = option(
        ..., "folder of results: NAME/segmented_videos/NAME_segments.json, or one folder deeper"
    )
    energy_root: Path | None = option(
        None, "folder of energies, for how sure segments are; none: PRED_ROOT"
    )
    tolerances: tuple[float, ...] = option((2.0,), "how far off a boundary may be, seconds")
    rests: Rests = option(
        "kept", "kept: where a segment ends and where the next begins are two boundaries; cut: the "
        "middle between them is one, in what was found and in the truth",
    )  # fmt: skip
    fps: float = option(20.0, "frames per second that labels are compared at", low=0.1, high=1000.0)
    output_json: Path | None = option(None, "where the scores go; none: they are only printed")

"""Which tracker follows the points: fields that are command-line flags and YAML keys too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robovalue_ros.contracts.config import option

TrackerName = Literal["lucas_kanade", "dis_flow", "cotracker"]
TRACK_SHORTER = 240
STILL_PX = 0.1


@dataclass(frozen=True)
class TrackerChoice:
    """What follows the points."""

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

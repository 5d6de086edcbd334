"""What the embedded simulator plays and `robovalue sim record` writes.

Names stand here that doors need without loading the simulator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robovalue_ros.contracts.config import option
from robovalue_ros.contracts.tools import WriteOptions

TaskName = Literal["put_red_cube", "put_two_cubes", "put_everything", "open_drawer"]
ENV_IDS: Mapping[str, str] = {
    "put_red_cube": "robovalue/PutRedCubeInBox-v0",
    "put_two_cubes": "robovalue/PutTwoCubesInBox-v0",
    "put_everything": "robovalue/PutEverythingInBox-v0",
    "open_drawer": "robovalue/OpenDrawer-v0",
}
CAMERAS = ("cam_high", "cam_left_wrist")
MOST_DISTRACTORS = 4


@dataclass(frozen=True)
class SimulateConfig:
    """Which episodes the simulator plays."""

    task: TaskName = option("put_red_cube", "the simulated task")
    episodes: int = option(10, "how many episodes", low=1, high=1_000_000)
    success_rate: float = option(
        1.0, "share of episodes that the expert means to succeed in; the rest fail on purpose",
        low=0.0, high=1.0,
    )  # fmt: skip
    seed: int = option(0, "seed of everything that is drawn", low=0)
    skill: float = option(1.0, "skill of the expert; less than 1 adds errors", low=0.0, high=1.0)
    size: int = option(128, "height and width of the pictures", low=16, high=1024)
    modes: tuple[str, ...] | None = option(None, "failures to draw from; none: all of the task")
    manners: tuple[str, ...] | None = option(None, "manners of success to draw from; none: all")
    distractors: int = option(0, "objects that do not matter", low=0, high=MOST_DISTRACTORS)
    jitter: float = option(1.0, "0 puts everything at its usual place", low=0.0, high=1.0)
    light: float = option(1.0, "gain of the lights", low=0.1, high=5.0)


@dataclass(frozen=True)
class RecordConfig:
    """`robovalue sim record`."""

    out: Path = option(..., "folder to write; must not exist, or pass --overwrite")
    videos: bool = option(False, "also write one MP4 per episode and camera below OUT-videos")
    simulate: SimulateConfig = option(SimulateConfig, "what to simulate")
    write: WriteOptions = option(WriteOptions, "how to write")

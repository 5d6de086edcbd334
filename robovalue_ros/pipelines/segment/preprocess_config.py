"""Every option of `robovalue segment preprocess`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robovalue_ros.backends.trackers.choice import TrackerChoice
from robovalue_ros.contracts.config import option
from robovalue_ros.contracts.tools import ReadOptions
from robovalue_ros.segment.grid import TRACKS
from robovalue_ros.segment.windows import WINDOW

Rate = Literal["slots", "decimate", "native"]
GridKind = Literal["cells", "reference"]


@dataclass(frozen=True)
class TracksOptions:
    """Section `tracks`: everything that the numbers in a file depend on."""

    horizon: int = option(WINDOW, "frames that points are followed for", low=2, high=1000)
    num_tracks: int = option(TRACKS, "points that are followed", low=1, high=1_000_000)
    grid: GridKind = option(
        "cells", "cells: over the whole picture; reference: the points of older training data"
    )
    resize_shorter: int = option(
        480, "shorter side that larger pictures get, for the points; 0: all stay as they are",
        low=0, high=10_000,
    )  # fmt: skip
    target_fps: float = option(
        20.0, "frames per second that are looked at; 0: all", low=0.0, high=1000.0
    )
    resample: Rate = option(
        "slots", "slots: target_fps by the frames' stamps, as the stream does; decimate: every n-th "
        "frame, as older data was made; native: every frame",
    )  # fmt: skip


@dataclass(frozen=True)
class PreprocessConfig:
    """`robovalue segment preprocess`."""

    source: Path = option(..., "videos, a data set or bags", positional=True)
    output_dir: Path | None = option(
        None, "folder to write; none: DEST/DATASET_NAME/uniform_NUM_TRACKS_reinit_HORIZON"
    )
    dest: Path = option(Path("preprocessed_data"), "where folders go that are not named")
    dataset_name: str = option("custom_segments", "name of the data set in there")
    view: str = option("default", "name of a camera whose recording does not name it")
    workers: int = option(1, "processes, each with one thread", low=1, high=256)
    overwrite: bool = option(False, "follow points again where a file is there already")
    device: str = option("auto", "of a tracker that is a network: auto, cpu, cuda:0 and the like")
    follow: TrackerChoice = option(TrackerChoice, "what follows the points")
    tracks: TracksOptions = option(TracksOptions, "what is followed")
    read: ReadOptions = option(ReadOptions, "how to read")

    @property
    def folder(self) -> Path:
        """Where files go."""
        if self.output_dir is not None:
            return self.output_dir
        kind = f"uniform_{self.tracks.num_tracks}_reinit_{self.tracks.horizon}"
        return self.dest / self.dataset_name / kind

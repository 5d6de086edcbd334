"""What may be chosen when a scored episode is looked at."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from robovalue_ros.contracts.config import option
from robovalue_ros.contracts.tools import ColorOrder, ReadFormat, ReadOptions, Rotation

CurveChoice = Literal["both", "hindsight", "causal"]


def _as_read(name: str) -> Any:
    """Declare an option that reading has under the same name everywhere."""
    known = {item.name: item for item in fields(ReadOptions)}[name]
    return field(default=known.default, metadata=known.metadata)


@dataclass(frozen=True)
class ViewReading:
    """How the recording is read; its rate comes with `--fps` and its task from the scores."""

    source_format: ReadFormat = _as_read("source_format")
    color: ColorOrder = _as_read("color")
    rotation: Rotation = _as_read("rotation")
    topics: Path | None = _as_read("topics")
    tolerance_ms: float | None = _as_read("tolerance_ms")
    cameras: tuple[str, ...] | None = _as_read("cameras")


@dataclass(frozen=True)
class ViewConfig:
    """`robovalue value view`."""

    hdf5_path: Path = option(..., "recording to look at: a file, or any readable data set")
    cache_dir: Path = option(..., "folder that robovalue value estimate wrote")
    episode: str | None = option(None, "which episode of a data set that holds several")
    curve: CurveChoice = option("both", "which curves; both: as many as there are")
    segments: Path | None = option(
        None, "what robovalue segment stream wrote, or a list of actions: a row below the curves"
    )
    value_threshold: float | None = option(
        None, "values below are drawn red, others green", low=0.0, high=1.0
    )
    lookahead: int = option(
        0, "also draw, dashed, the value so many frames later", low=0, high=1_000_000
    )
    scale: float = option(1.0, "size of the pictures", low=0.1, high=8.0)
    plot_height: int = option(300, "height of the curve in pixels", low=60, high=4000)
    no_gui: bool = option(False, "open no window; without --out-png or --out-video, write a PNG")
    out_png: Path | None = option(None, "write a picture: frames in a strip above the curve")
    out_video: Path | None = option(None, "write an MP4: pictures and the curve with a marker")
    fps: float | None = option(
        None,
        "frames per second of the video, and of recordings that do not tell their rate; "
        "default: the recording's own",
        low=0.01,
        high=1000.0,
    )
    repeat_interval_ms: int = option(
        50, "a key that is held steps again after so many milliseconds", low=1, high=10_000
    )
    read: ViewReading = option(ViewReading, "how to read")

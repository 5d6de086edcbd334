"""The configuration of every tool, one dataclass each (machinery: config.py)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robovalue_ros.contracts.config import option

ReadFormat = Literal[
    "auto", "hdf5", "libero", "robotwin", "lerobot", "rlds", "rosbag", "video", "images"
]
WriteFormat = Literal["hdf5", "lerobot", "rosbag"]
ColorOrder = Literal["auto", "rgb", "bgr"]
Rotation = Literal["auto", "none", "flip", "rotate180"]
FrameStorage = Literal["lossy", "lossless"]
BagStorage = Literal["mcap", "sqlite3"]
Packing = Literal["none", "zstd"]


@dataclass(frozen=True)
class ReadOptions:
    """How to read episodes; the defaults fit files made by the tools that we know."""

    source_format: ReadFormat = option("auto", "format of the data read; auto looks at the files")
    color: ColorOrder = option(
        "auto",
        "colour order of stored images: rgb for ordinary ones, bgr when red and blue were exchanged "
        "before encoding (then decoding with OpenCV gives true RGB without a swap); auto decides "
        "by the producer's layout; in bags it settles 8UC3 images only",
    )
    rotation: Rotation = option(
        "auto",
        "turn stored images upright: flip (upside down), rotate180, none; auto flips LIBERO demos",
    )
    topics: Path | None = option(
        None, "YAML file that maps bag topics to cameras, state and action"
    )
    tolerance_ms: float | None = option(
        None, "largest time between a frame and its match on another topic; none: half a period",
        low=0.0,
    )  # fmt: skip
    cameras: tuple[str, ...] | None = option(None, "read only these cameras")
    task: str | None = option(None, "task text to use instead of the recorded one")
    fps: float | None = option(
        None, "frame rate of sources that do not tell their own (HDF5 without stamps, image folders)",
        low=0.01, high=100_000.0,
    )  # fmt: skip


@dataclass(frozen=True)
class WriteOptions:
    """How to write episodes."""

    format: WriteFormat = option("hdf5", "the format to write")
    frames: FrameStorage = option(
        "lossy",
        "lossy: JPEG (hdf5, rosbag) or H.264 video (lerobot); lossless: raw or PNG, several times larger",
    )
    jpeg_quality: int = option(95, "JPEG quality of lossy frames", low=50, high=100)
    video_crf: int = option(18, "H.264 quality of lossy video; smaller is better", low=0, high=40)
    overwrite: bool = option(False, "replace the destination if it exists")


@dataclass(frozen=True)
class InspectConfig:
    """`robovalue data inspect`."""

    path: Path = option(..., "file or folder to look at", positional=True)
    verify: bool = option(False, "decode every frame and check every checksum")
    json: bool = option(False, "print JSON instead of a table")
    read: ReadOptions = option(ReadOptions, "how to read")


@dataclass(frozen=True)
class ConvertConfig:
    """`robovalue data convert`."""

    src: Path = option(..., "file or folder to read", positional=True)
    dst: Path = option(..., "folder to write; must not exist, or pass --overwrite", positional=True)
    strict: bool = option(False, "stop at the first damaged episode instead of leaving it out")
    read: ReadOptions = option(ReadOptions, "how to read")
    write: WriteOptions = option(WriteOptions, "how to write")


@dataclass(frozen=True)
class DoctorConfig:
    """`robovalue doctor`."""

    path: Path | None = option(
        None, "data set to examine; without one only the machine is checked", positional=True
    )
    sheet: Path | None = option(
        None, "where the camera check sheet goes (default: check_sheet.png in this folder)"
    )
    json: bool = option(False, "print JSON instead of a table")
    read: ReadOptions = option(ReadOptions, "how to read")


@dataclass(frozen=True)
class ReportConfig:
    """`robovalue report`."""

    path: Path = option(..., "file or folder of episodes", positional=True)
    out: Path = option(Path("report.html"), "HTML file to write")
    title: str | None = option(None, "headline; default: the folder's name")
    limit: int = option(50, "at most this many episodes get a video", low=1, high=1000)
    segments: Path | None = option(
        None, "what robovalue segment stream wrote, or a list of actions: a row below the curves"
    )
    read: ReadOptions = option(ReadOptions, "how to read")


@dataclass(frozen=True)
class CompareConfig:
    """`robovalue data compare`."""

    first: Path = option(..., "file or folder of episodes", positional=True)
    second: Path = option(..., "the one to compare it with", positional=True)
    min_psnr: float = option(35.0, "frames below this PSNR in dB count as different", low=0.0)
    read: ReadOptions = option(ReadOptions, "how to read")

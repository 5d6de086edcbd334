"""What may be chosen when bags are scored or looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from robovalue_ros.contracts.config import option
from robovalue_ros.contracts.tools import BagStorage, ColorOrder, Packing
from robovalue_ros.value.stream.pairing import TOLERANCE_NS


@dataclass(frozen=True)
class CameraChoice:
    """Which topics are the cameras, and how they are matched."""

    topics: Path | None = option(
        None, "YAML file that maps topics to cameras; without one type and name of topics decide"
    )
    tolerance_ms: float = option(
        TOLERANCE_NS / 1e6,
        "largest time between the pictures of one moment",
        low=0.0,
        high=10_000.0,
    )
    color: ColorOrder = option(
        "auto", "colour order of raw 8UC3 images, which do not tell it: rgb or bgr; auto: rgb"
    )


@dataclass(frozen=True)
class BagInfoConfig:
    """`robovalue bag info`."""

    bags: tuple[Path, ...] = option(
        ..., "bag folders, .mcap or .db3 files, or folders of them", positional=True
    )
    model: Path | None = option(None, "value model, to tell what scoring with it would use")
    json: bool = option(False, "print JSON instead of tables")
    choice: CameraChoice = option(CameraChoice, "which topics")


@dataclass(frozen=True)
class BagScoreConfig:
    """`robovalue bag score`."""

    bags: tuple[Path, ...] = option(
        ..., "bag folders, .mcap or .db3 files, or folders of them", positional=True
    )
    model: Path = option(..., "value model of robovalue value fit")
    out: Path = option(Path("scored"), "folder for the scored bags, tables and the report")
    storage: BagStorage = option("mcap", "format of the bags written")
    packing: Packing = option("none", "zstd: pack the chunks of mcap files; smaller and slower")
    report: bool = option(False, "also write report.html: cameras and value in step")
    limit: int = option(50, "at most this many episodes of the report get videos", low=0, high=1000)
    episode_gap_s: float = option(
        60.0, "a longer pause of all cameras begins the next try", low=0.1, high=1e6
    )
    episode_topic: str | None = option(
        None, "topic of any type whose every message begins the next try"
    )
    overwrite: bool = option(False, "score again what is already there")
    weights: Path | None = option(
        None, "where the encoder's weights lie, if not where the model was fitted"
    )
    devices: tuple[str, ...] = option(("auto",), "devices of an encoder with weights")
    choice: CameraChoice = option(CameraChoice, "which topics")

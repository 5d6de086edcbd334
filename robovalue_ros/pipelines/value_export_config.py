"""What may be chosen when values are handed on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robovalue_ros.contracts.config import option
from robovalue_ros.contracts.tools import ReadOptions

Wanted = Literal["progress", "signals", "weights", "advantages", "all", "rerun"]
CurveChoice = Literal["auto", "causal", "hindsight"]


@dataclass(frozen=True)
class ExportConfig:
    """`robovalue value export`."""

    results: Path = option(..., "folder that robovalue value estimate wrote", positional=True)
    to: Wanted = option(
        "all", "what to write; all: progress, signals, weights and advantages; rerun: an .rrd file"
    )
    out: Path | None = option(
        None, "folder to write into (rerun: the .rrd file); default: below the results"
    )
    dataset: Path | None = option(
        None, "data set whose rows the files are for, such as a LeRobotDataset; default: the scored "
        "recordings, numbered in their order",
    )  # fmt: skip
    curve: CurveChoice = option(
        "auto", "which curve everything is made of; auto: causal where all episodes have it"
    )
    horizon: int = option(50, "frames ahead that weights and advantages look", low=1, high=100_000)
    kappa: float = option(0.01, "gain from which a sample has full weight", low=0.0, high=1.0)
    gamma: float = option(1.0, "discount per frame of advantages", low=0.01, high=1.0)
    share: float = option(0.3, "share of advantages that count as positive", low=0.01, high=0.99)
    unknown: Literal["nan", "value"] = option(
        "nan", "frames unlike any demonstration: nan (no opinion) or the value all the same"
    )
    partial: bool = option(False, "leave out episodes of the data set without values")
    truth: str = option("progress", "rerun: recorded signal that holds the true progress")
    limit: int = option(10, "rerun: at most so many episodes", low=1, high=1000)
    picture_px: int = option(320, "rerun: longest side of pictures", low=32, high=4096)
    jpeg_quality: int = option(80, "rerun: JPEG quality of pictures", low=10, high=100)
    read: ReadOptions = option(ReadOptions, "how to read recordings and data set")

"""What may be chosen when values are judged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from robovalue_ros.contracts.config import option
from robovalue_ros.contracts.tools import ReadOptions


@dataclass(frozen=True)
class EvaluateConfig:
    """`robovalue value evaluate`."""

    results: Path = option(..., "folder that robovalue value estimate wrote", positional=True)
    out: Path | None = option(None, "also write the whole table; the name ends in .json or .md")
    json: bool = option(False, "print JSON instead of tables")
    truth: str = option("progress", "recorded signal that holds the true progress, 0..1")
    drops: str | None = option(
        None, "recorded signal, true from when something was lost; default: falls of the truth"
    )
    demonstrations: tuple[str, ...] = option(
        ("teleop",), "sources whose episodes taught the method; they are not judged"
    )
    calibration: float = option(
        0.25, "share of episodes with truth that teach the calibration and are not judged",
        low=0.0, high=0.9,
    )  # fmt: skip
    controls: bool = option(
        False, "score shuffled, reversed and frozen frames too, with the value model"
    )
    model: Path | None = option(
        None, "value model that made the causal curves; default: value_model.npz in the folder"
    )
    wrong_model: Path | None = option(
        None, "value model of another task, for the control that judges by the wrong task"
    )
    weights: Path | None = option(
        None, "where the weights of the model's encoder lie, if not where it was fitted"
    )
    device: str = option("auto", "where the encoder runs: auto, cpu, cuda:0, ...")
    draws: int = option(1000, "bootstrap resamples of episodes", low=10, high=100_000)
    level: float = option(0.95, "coverage of the intervals", low=0.5, high=0.999)
    drop_size: float = option(0.1, "fall that counts as a drop", low=0.01, high=0.9)
    drop_s: float = option(0.75, "seconds within which it must fall", low=0.05, high=60.0)
    stall_s: float = option(0.75, "seconds of standing still that count", low=0.1, high=60.0)
    seed: int = option(0, "seed of resamples, splits and shuffles", low=0)
    read: ReadOptions = option(ReadOptions, "how to read the recordings")

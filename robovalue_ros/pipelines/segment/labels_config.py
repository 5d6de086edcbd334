"""Every option of `robovalue segment export-labels`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robovalue_ros.contracts.config import option
from robovalue_ros.contracts.tools import ReadOptions

Rests = Literal["cut", "kept"]
Uneven = Literal["leave_out", "spread"]


@dataclass(frozen=True)
class LabelsConfig:
    """`robovalue segment export-labels`."""

    results: Path = option(..., "folder that `robovalue segment stream` wrote", positional=True)
    dataset: Path = option(..., "the data set whose episodes were cut; it is only read")
    out: Path = option(..., "folder for the labels, outside the data set")
    plans: Path | None = option(
        None, "JSON file of plans (APD_plans.json): the segments of an episode get its task's steps"
    )
    texts: tuple[str, ...] = option((), "or the texts of the segments of every episode, in order")
    uneven: Uneven = option(
        "leave_out", "an episode with more or fewer segments than texts: leave_out, or spread them "
        "evenly over its segments",
    )  # fmt: skip
    rests: Rests = option(
        "cut",
        "cut: a rest between two segments is halved between them, and every frame has a label; "
        "kept: it has none",
    )
    suite: str | None = option(None, "name of the data set in the JSON; none: its folder's")
    partial: bool = option(False, "write the side car although episodes have no labels")
    read: ReadOptions = option(ReadOptions, "how to read")

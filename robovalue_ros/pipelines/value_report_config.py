"""What may be chosen for the page of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from robovalue_ros.contracts.config import option
from robovalue_ros.contracts.tools import ReadOptions

TRUTH = "progress"


@dataclass(frozen=True)
class ValueReportConfig:
    """`robovalue value report`."""

    results: Path = option(
        ..., "folder that robovalue value estimate wrote", positional=True
    )  # fmt: skip
    out: Path | None = option(None, "HTML file to write; default: report.html in that folder")
    title: str | None = option(None, "headline; default: the folder's name")
    limit: int = option(50, "at most this many episodes get videos", low=0, high=1000)
    segments: Path | None = option(
        None, "what robovalue segment stream wrote, or a list of actions: a row below the curves"
    )
    truth: str = option(TRUTH, "recorded signal that holds the true progress")
    read: ReadOptions = option(ReadOptions, "how to read the recordings")

"""Every option of `robovalue segment split`, `check` and `clean`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from robovalue_ros.contracts.config import option


@dataclass(frozen=True)
class SplitConfig:
    """`robovalue segment split`."""

    source: Path = option(..., "a video, or a folder of videos and folders", positional=True)
    out: Path = option(..., "folder for the pieces; sub-folders stay", positional=True)
    seconds: float = option(40.0, "length of a piece; the last may be shorter", low=0.1, high=1e6)
    min_seconds: float = option(0.0, "leave out a last piece that is shorter", low=0.0)
    crf: int = option(18, "H.264 quality; smaller is better", low=0, high=40)
    workers: int = option(1, "processes, each with one thread", low=1, high=256)


@dataclass(frozen=True)
class CheckConfig:
    """`robovalue segment check`."""

    path: Path = option(
        Path(), "a file, or a folder of videos and track files and folders", positional=True
    )
    quick: bool = option(False, "look at each file's index only, without decoding frames")
    min_frames: int = option(1, "files with fewer frames count as damaged", low=1)
    verbose: bool = option(False, "also list the files that are fine")
    workers: int = option(1, "processes, each with one thread", low=1, high=256)


@dataclass(frozen=True)
class CleanConfig:
    """`robovalue segment clean`."""

    path: Path = option(
        Path(), "a file, or a folder of videos and track files and folders", positional=True
    )
    dry_run: bool = option(False, "tell what would be removed, and remove nothing")
    move_to: Path | None = option(
        None, "keep damaged files in this folder instead of removing them"
    )
    quick: bool = option(False, "look at each file's index only, without decoding frames")
    min_frames: int = option(1, "files with fewer frames count as damaged", low=1)
    verbose: bool = option(False, "also list the files that are fine")
    workers: int = option(1, "processes, each with one thread", low=1, high=256)

"""`robovalue segment check` and `clean`: which videos and track files are damaged."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.data.media.listing import VIDEO_SUFFIXES
from robovalue_ros.data.tracks.reader import SUFFIXES as TRACK_SUFFIXES
from robovalue_ros.data.tracks.reader import TracksFile
from robovalue_ros.data.video import VideoFrames, frame_index
from robovalue_ros.pipelines.segment.pool import Jobs
from robovalue_ros.pipelines.segment.video_list import TEMPORARY, files_below
from robovalue_ros.pipelines.segment.videos_config import CheckConfig, CleanConfig

DEFAULT_PROGRESS = SilentProgress()
State = Literal["fine", "damaged", "unreadable"]
BLOCK = 64
STALE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Checked:
    """One file. unreadable: nobody could look at it, so nothing is known. reason: what is wrong."""

    path: Path
    state: State
    frames: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CleanResult:
    """checked: every file that was looked at. removed: damaged ones and what broken runs left."""

    checked: tuple[Checked, ...]
    removed: tuple[Path, ...]


def check_files(
    config: CheckConfig | CleanConfig, *, progress: Progress = DEFAULT_PROGRESS
) -> list[Checked]:
    """Look at every video and track file; raises DataError when there is none."""
    files = files_below(config.path, (*VIDEO_SUFFIXES, *TRACK_SUFFIXES))
    checked = []
    with progress.stage("files", len(files)) as tick:
        jobs = Jobs[Path, Checked](_Check(config.quick, config.min_frames), str)
        for path, result in jobs.run(files, config.workers):
            if isinstance(result, DataError):
                state: State = "damaged" if os.access(path, os.R_OK) else "unreadable"
                result = Checked(path, state, 0, result.reason)
            checked.append(result)
            tick(1)
    return sorted(checked, key=lambda one: one.path)


def clean_files(config: CleanConfig, *, progress: Progress = DEFAULT_PROGRESS) -> CleanResult:
    """Remove damaged files, or move them away, and what broken runs left an hour ago or earlier.

    A file that cannot be read for want of rights stays. With dry_run nothing is touched.
    """
    checked = check_files(config, progress=progress)
    damaged = [one.path for one in checked if one.state == "damaged"]
    left = _left_over(config.path)
    if not config.dry_run:
        for path in damaged:
            _remove(path, config)
        for path in left:
            path.unlink(missing_ok=True)
    return CleanResult(tuple(checked), (*damaged, *left))


def _left_over(root: Path) -> Sequence[Path]:
    if not root.is_dir():
        return ()
    before = time.time() - STALE_S
    return sorted(
        path for path in root.rglob(f"{TEMPORARY}*")
        if path.is_file() and path.stat().st_mtime < before
    )  # fmt: skip


def _remove(path: Path, config: CleanConfig) -> None:
    try:
        if config.move_to is None:
            path.unlink()
            return
        inside = path.name if config.path.is_file() else path.relative_to(config.path)
        target = config.move_to / inside
        if target.exists():
            raise DataError(target, "is there already", "an empty place for a damaged file")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
    except OSError as problem:
        raise DataError(path, problem.strerror or str(problem), "a file that may go") from problem


@dataclass(frozen=True, slots=True)
class _Check:
    quick: bool
    min_frames: int

    def __call__(self, path: Path) -> Checked:
        video = path.suffix.lower() in VIDEO_SUFFIXES
        frames = self._video(path) if video else self._tracks(path)
        if frames < self.min_frames:
            return Checked(path, "damaged", frames, f"has only {frames} frames")
        return Checked(path, "fine", frames)

    def _video(self, path: Path) -> int:
        if self.quick:
            return len(frame_index(path))
        source = VideoFrames(path)
        try:
            return sum(1 for _ in source.iterate())
        finally:
            source.close()

    def _tracks(self, path: Path) -> int:
        file = TracksFile(path)
        try:
            views = file.views()
            if not views:
                raise DataError(path, "holds no tracks", "root/<view>/tracks")
            frames = [file.info(view).frames for view in views]
            if not self.quick:
                for view, count in zip(views, frames, strict=True):
                    for at in range(0, count, BLOCK):
                        file.read(view, at, min(at + BLOCK, count))
            return min(frames)
        finally:
            file.close()

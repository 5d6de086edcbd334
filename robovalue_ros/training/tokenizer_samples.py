"""Windows of followed points as samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.progress import Progress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.tracks.reader import TracksFile, TracksInfo
from robovalue_ros.segment.gates import MotionGateOptions, motion_gate
from robovalue_ros.segment.tracks import Floats, Interpolation, in_time, track_points

BLOCK = 64  # frames that are read together when all windows are looked at


@dataclass(frozen=True, slots=True)
class SampleOptions:
    """How a row of a file becomes a sample.

    views: None for those of the first file. horizon: frames used of each row; 0: all. frames: of a
    sample, spread over those; 0: as many. gate: leave out windows that it drops; None: keep all.
    compat: lost points are at pixel 0, as in older trainings.
    """

    views: tuple[str, ...] | None = None
    horizon: int = 0
    frames: int = 0
    interpolation: Interpolation = "linear"
    gate: MotionGateOptions | None = None
    compat: bool = False


class MotionSamples:
    """Samples (V, T, N, 2): normalised positions as (row, column). Pickles, for other processes."""

    def __init__(
        self,
        files: Sequence[TracksFile],
        infos: Sequence[Sequence[TracksInfo]],
        rows_M2: NDArray[np.int64],
        views: Sequence[str],
        options: SampleOptions,
    ) -> None:
        """infos: of each file, one a view. rows_M2: number of the file, and frame in it."""
        self._files, self._infos, self._rows = tuple(files), infos, rows_M2
        self._views, self._options = tuple(views), options

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Tensor:
        number, frame = (int(part) for part in self._rows[index])
        file, infos = self._files[number], self._infos[number]
        points = [
            sample_points(file.tracks(view, frame), info, self._options)
            for view, info in zip(self._views, infos, strict=True)
        ]
        return torch.from_numpy(np.stack(points))

    @property
    def rows(self) -> NDArray[np.int64]:
        """Number of the file, and frame in it (M, 2), of each sample; both ascend."""
        return self._rows

    def close(self) -> None:
        for file in self._files:
            file.close()


def sample_points(tracks_TN2: Floats, info: TracksInfo, options: SampleOptions) -> Floats:
    """Return positions (T', N, 2) of tracks (T, N, 2) in pixels (x, y)."""
    used = tracks_TN2[: options.horizon or None].swapaxes(0, 1)
    points = track_points(used, (info.height, info.width), compat=options.compat)
    return in_time(points, options.frames or len(points), options.interpolation)


@dataclass(frozen=True, slots=True)
class Opened:
    """Recordings that fit together. infos: of each file, one a view."""

    files: tuple[TracksFile, ...]
    infos: tuple[tuple[TracksInfo, ...], ...]
    views: tuple[str, ...]
    findings: tuple[Finding, ...]


def open_recordings(
    paths: Sequence[Path], options: SampleOptions, like: Opened | None = None
) -> Opened:
    """Open track files; those that are damaged or other than the first are findings.

    like: recordings that these have to fit. Raises DataError when none is left.
    """
    files: list[TracksFile] = []
    infos: list[tuple[TracksInfo, ...]] = []
    findings: list[Finding] = []
    views = options.views if like is None else like.views
    kind = None if like is None else _kind(like.infos[0])
    for path in paths:
        file = TracksFile(path)
        try:
            views = views or file.views()
            if not views:
                raise DataError(path, "holds no tracks", "root/<view>/tracks")
            found = tuple(file.info(view) for view in views)
            kind = kind or _kind(found)
            _require_alike(path, found, kind, options)
        except DataError as problem:
            findings.append(Finding("error", path.name, str(problem), "It is left out."))
            continue
        finally:
            file.close()
        files.append(file)
        infos.append(found)
    if not files:
        raise DataError(
            paths[0] if paths else "data", "no recording can be used", "readable track files",
            findings[0].found if findings else "",
        )  # fmt: skip
    return Opened(tuple(files), tuple(infos), tuple(views or ()), tuple(findings))


def motion_samples(
    opened: Opened, options: SampleOptions, progress: Progress
) -> tuple[MotionSamples, tuple[Finding, ...]]:
    """Return a sample for every frame of recordings, without still windows where a gate is given.

    A recording whose damage shows only now becomes a finding.
    """
    total = sum(infos[0].frames for infos in opened.infos)
    rows = [np.empty((0, 2), np.int64)]
    findings: list[Finding] = []
    with progress.stage("looking at windows", total) as tick:
        for number, (file, infos) in enumerate(zip(opened.files, opened.infos, strict=True)):
            frames = min(info.frames for info in infos)
            moving = np.ones(frames, np.bool_)
            try:
                if options.gate is not None:
                    moving = _moving(file, opened.views, infos, options, options.gate)
            except DataError as problem:
                findings.append(Finding("error", file.path.name, str(problem), "It is left out."))
                moving[:] = False
            finally:
                file.close()
            chosen = np.flatnonzero(moving)
            rows.append(np.stack([np.full(len(chosen), number), chosen], axis=1))
            tick(frames)
    samples = MotionSamples(
        opened.files, opened.infos, np.concatenate(rows).astype(np.int64), opened.views, options
    )
    return samples, tuple(findings)


def _moving(
    file: TracksFile,
    views: Sequence[str],
    infos: Sequence[TracksInfo],
    options: SampleOptions,
    gate: MotionGateOptions,
) -> NDArray[np.bool_]:
    """Tell for each frame whether the points of any view move."""
    frames = min(info.frames for info in infos)
    moving = np.zeros(frames, np.bool_)
    for view, info in zip(views, infos, strict=True):
        for start in range(0, frames, BLOCK):
            tracks, _ = file.read(view, start, min(start + BLOCK, frames))
            for at, one in enumerate(tracks):
                speed = np.diff(sample_points(one, info, options), axis=0)
                moving[start + at] |= not motion_gate(speed, gate).dropped
    return moving


def _kind(infos: Sequence[TracksInfo]) -> tuple[int, int, str]:
    return infos[0].points, infos[0].horizon, infos[0].grid


def _require_alike(
    path: Path, infos: Sequence[TracksInfo], kind: tuple[int, int, str], options: SampleOptions
) -> None:
    for info in infos:
        if _kind([info]) != kind:
            raise DataError(
                path, f"follows {info.points} points for {info.horizon} frames on the grid {info.grid}",
                f"{kind[0]} points, {kind[1]} frames and the grid {kind[2]}, as the first recording",
            )  # fmt: skip
    if options.horizon > kind[1]:
        raise DataError(path, f"follows points for {kind[1]} frames", f"at least {options.horizon}")

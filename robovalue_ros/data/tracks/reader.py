"""Reading track files, ours or those that people have."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import DataError, nearest
from robovalue_ros.data.hdf5.damage import (
    FILTER_RATIO,
    FREE_BYTES,
    INTACT_HINT,
    damage_as_data_error,
)
from robovalue_ros.data.hdf5.file import EpisodeFile, check_stored

ROOT = "root"
SUFFIXES = (".hdf5", ".h5")
Floats = NDArray[np.float32]
GridKind = Literal["cells", "reference"]


@dataclass(frozen=True, slots=True)
class TracksInfo:
    """What one view of a file holds.

    frames: from each, `points` points are followed for `horizon` frames. height, width: of the
    pictures in which positions are pixels. grid: which points; files that do not say are older.
    """

    frames: int
    horizon: int
    points: int
    height: int
    width: int
    grid: GridKind


class TracksFile:
    """One video's tracks; opened when needed, and pickles without its handle."""

    def __init__(self, path: Path) -> None:
        self._file = EpisodeFile(path)

    @property
    def path(self) -> Path:
        return self._file.path

    def close(self) -> None:
        self._file.close()

    def views(self) -> tuple[str, ...]:
        """List the cameras; raises DataError when the file cannot be read."""
        return self._file.names(ROOT)

    def info(self, view: str) -> TracksInfo:
        """Describe a view; raises DataError when it is missing or not as it should be."""
        tracks = self._dataset(view, "tracks", 4)
        shape = tuple(int(side) for side in tracks.shape)
        if shape[3] != 2 or min(shape) < 1:
            raise DataError(self.path, f"{tracks.name} has shape {shape}", "(F, horizon, N, 2)")
        vis = self._dataset(view, "vis", 3)
        if tuple(vis.shape) != shape[:3]:
            raise DataError(self.path, f"{vis.name} has shape {vis.shape}", f"{shape[:3]}")
        for dataset in (tracks, vis):
            self._check_claim(dataset)
        sides = (self._side(view, "height"), self._side(view, "width"))
        cells = self._file.attribute("grid", f"{ROOT}/{view}") == "cells"
        return TracksInfo(shape[0], shape[1], shape[2], *sides, "cells" if cells else "reference")

    def read(self, view: str, start: int, stop: int) -> tuple[Floats, Floats]:
        """Return tracks (k, horizon, N, 2) and visibility (k, horizon, N) of frames [start, stop)."""
        with damage_as_data_error(self.path, f"reading frames {start} to {stop} of {view}"):
            tracks = self._dataset(view, "tracks", 4)[start:stop]
            vis = self._dataset(view, "vis", 3)[start:stop]
        return np.asarray(tracks, np.float32), np.asarray(vis, np.float32)

    def tracks(self, view: str, frame: int) -> Floats:
        """Return the tracks (horizon, N, 2) of one frame, without their visibility."""
        with damage_as_data_error(self.path, f"reading frame {frame} of {view}"):
            return np.asarray(self._dataset(view, "tracks", 4)[frame], np.float32)

    def _dataset(self, view: str, name: str, axes: int) -> h5py.Dataset:
        if view not in self.views():
            known = self.views()
            raise DataError(self.path, f"has no view {view!r}", hint=nearest(view, known))
        dataset = self._file.dataset(f"{ROOT}/{view}/{name}")
        if dataset.dtype.kind != "f" or dataset.ndim != axes:
            raise DataError(
                self.path, f"{dataset.name} is {dataset.dtype} of shape {dataset.shape}",
                f"floating-point numbers with {axes} axes",
            )  # fmt: skip
        return dataset

    def _check_claim(self, dataset: h5py.Dataset) -> None:
        """Refuse more frames than are stored: whole files may be large, single frames may not."""
        frame = math.prod(dataset.shape[1:]) * dataset.dtype.itemsize
        check_stored(self.path, dataset, frame)
        with damage_as_data_error(self.path, f"measuring {dataset.name}"):
            stored = min(int(dataset.id.get_storage_size()), self.path.stat().st_size)
        if frame * dataset.shape[0] > max(FREE_BYTES, stored * FILTER_RATIO):
            raise DataError(
                self.path, f"{dataset.name} claims {dataset.shape[0]} frames in {stored} bytes",
                "as many frames as are stored", INTACT_HINT,
            )  # fmt: skip

    def _side(self, view: str, name: str) -> int:
        value: Any = self._file.attribute(name, f"{ROOT}/{view}")
        if not isinstance(value, int) or value < 1:
            raise DataError(
                self.path, f"{ROOT}/{view} has the {name} {value!r}", "a positive number"
            )
        return value


def list_track_files(folder: Path) -> tuple[Path, ...]:
    """List the track files of a folder and its sub-folders, sorted; a file stands for itself.

    Raises DataError when there is none.
    """
    if folder.is_file():
        return (folder,)
    found = sorted(
        path for path in folder.rglob("*") if path.suffix in SUFFIXES and not _hidden(path, folder)
    )
    if not found:
        reason = "holds no track files" if folder.is_dir() else "does not exist"
        raise DataError(
            folder, reason, "a folder with .hdf5 files of followed points",
            "`robovalue segment preprocess` makes them from videos.",
        )  # fmt: skip
    return tuple(found)


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)

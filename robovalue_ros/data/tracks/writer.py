"""Writing track files: whole or not at all, with checksums."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.validate import describe, require
from robovalue_ros.data.atomic import atomic_path
from robovalue_ros.data.tracks.reader import ROOT, Floats, GridKind, TracksFile


class TracksWriter:
    """Takes blocks of frames of one view, in order."""

    def __init__(self, group: h5py.Group, horizon: int, points: int) -> None:
        shape = (horizon, points, 2)
        self._tracks, self._vis = (
            group.create_dataset(
                name, (0, *rest), np.float32, maxshape=(None, *rest), chunks=(1, *rest),
                fletcher32=True,
            )
            for name, rest in (("tracks", shape), ("vis", shape[:2]))
        )  # fmt: skip

    @property
    def frames(self) -> int:
        return int(self._tracks.shape[0])

    def append(self, tracks: Floats, vis: Floats) -> None:
        """Add frames: tracks (k, horizon, N, 2) in pixels (x, y), visibility (k, horizon, N)."""
        wanted = self._tracks.shape[1:]
        require(tracks.shape[1:] == wanted, "tracks", f"shape (k, {wanted})", describe(tracks))
        require(vis.shape == tracks.shape[:3], "vis", f"shape {tracks.shape[:3]}", describe(vis))
        start = self.frames
        for dataset, block in ((self._tracks, tracks), (self._vis, vis)):
            dataset.resize(start + len(block), axis=0)
            dataset[start:] = block


@contextmanager
def writing_tracks(
    path: Path, view: str, *, horizon: int, points: int, size: tuple[int, int], grid: GridKind
) -> Iterator[TracksWriter]:
    """Add a view to a file, which appears when the block ends well; other views in it stay.

    size: height and width of the pictures that were looked at. Raises DataError when the view is
    there already, and when the disk refuses.
    """
    if has_view(path, view):
        raise DataError(path, f"holds the view {view!r} already")
    try:
        with atomic_path(path) as temporary:
            if path.is_file():
                shutil.copyfile(path, temporary)
            with h5py.File(temporary, "a", libver=("v110", "v110")) as file:
                group = file.require_group(ROOT).create_group(view)
                group.attrs["height"], group.attrs["width"] = (np.int64(side) for side in size)
                group.attrs["grid"] = np.bytes_(grid.encode())
                yield TracksWriter(group, horizon, points)
    except OSError as problem:
        reason = str(problem).splitlines()[0][:300]
        raise DataError(
            path, f"cannot be written: {reason}", "a writable folder with free space"
        ) from problem


def has_view(path: Path, view: str) -> bool:
    """Tell whether a file is there and holds a view; raises DataError for a damaged file."""
    if not path.is_file():
        return False
    file = TracksFile(path)
    try:
        return view in file.views()
    finally:
        file.close()

"""Lists of actions that the segmenter found, as a row below the curves of an episode."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.segment_files import (
    CLIPS_FOLDER,
    SEGMENTS_SUFFIX,
    SegmentsFile,
    read_segments,
    segment_files,
)
from robovalue_ros.report.model import Band

LANE = "actions"
SAME_RATE = 0.02  # share by which rates of one recording may differ: stamps are rounded
NAMED = 3


class ActionLists:
    """The lists of actions in a file or folder, by the names of the videos.

    path: one `NAME_segments.json`, a folder of such files, or what `robovalue segment stream` wrote.
    Raises DataError when there is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files = _listed(path)
        self._unused = set(self._files)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the videos that have a list."""
        return tuple(self._files)

    def of(
        self, names: Iterable[str], cameras: Sequence[str], findings: list[Finding]
    ) -> SegmentsFile | None:
        """Return the list of an episode, of its first camera that has one; None where none has.

        names: what the episode may be called. A list that cannot be read is told in `findings`.
        """
        short = [one for name in names for one in (name, PurePosixPath(name).name)]
        wanted = [f"{name}{camera}" for camera in ("", *(f"_{one}" for one in cameras)) for name in short]  # fmt: skip
        found = [name for name in dict.fromkeys(map(_as_folder, wanted)) if name in self._files]
        if not found:
            return None
        self._unused -= set(found)
        try:
            return read_segments(self._files[found[0]])
        except DataError as problem:
            findings.append(Finding("error", found[0], str(problem), "Its actions are not shown."))
            return None

    def unused(self) -> list[Finding]:
        """Tell which lists belong to no episode that was asked for."""
        if not self._unused:
            return []
        names = sorted(self._unused)
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        text = f"lists of actions that belong to no episode: {', '.join(names[:NAMED])}{more}"
        none = len(names) == len(self._files)
        advice = "A list is called like its episode, or like that and the camera."
        return [Finding("warning" if none else "note", str(self.path), text, advice)]


def action_bands(listed: SegmentsFile, stamps_s: NDArray[np.float64]) -> tuple[Band, ...]:
    """Return actions as bands on the clock of an episode with stamps (T,).

    Where the list counts the frames of this recording, bands begin and end with these frames.
    """
    count = len(stamps_s)
    step = float(np.median(np.diff(stamps_s))) if count > 1 else 1.0
    ends = np.append(stamps_s, stamps_s[-1] + step)
    fps = listed.fps
    by_frame = fps is not None and abs(fps * step - 1.0) <= SAME_RATE
    bands = []
    for span in listed.segments:
        start, stop = ends[0] + span.start, ends[0] + span.stop
        if by_frame and fps is not None:
            first, last = (min(count, round(second * fps)) for second in (span.start, span.stop))
            start, stop = ends[first], ends[last]
        start, stop = float(start), float(min(stop, ends[-1]))
        if start < stop:
            label = span.label.replace("_", " ").replace("segment", "action")
            bands.append(Band(start, stop, label, "action", LANE))
    return tuple(bands)


def action_frames(
    listed: SegmentsFile, stamps_s: NDArray[np.float64]
) -> tuple[tuple[int, int, str], ...]:
    """Return actions as frames [first, stop) with their labels; one between two frames is none."""
    found = []
    for band in action_bands(listed, stamps_s):
        first, stop = np.searchsorted(stamps_s, (band.start_s, band.stop_s)).tolist()
        if first < stop:
            found.append((first, stop, band.label))
    return tuple(found)


def _listed(path: Path) -> dict[str, Path]:
    if path.is_file():
        return {path.name.removesuffix(SEGMENTS_SUFFIX): path}
    flat = [*path.glob(f"*{SEGMENTS_SUFFIX}"), *path.glob(f"{CLIPS_FOLDER}/*{SEGMENTS_SUFFIX}")]
    if flat:
        return {one.name.removesuffix(SEGMENTS_SUFFIX): one for one in sorted(flat)}
    return segment_files(path)


def _as_folder(name: str) -> str:
    """Return a name as folders of results have it."""
    return re.sub(r"[^\w.\-]+", "_", name).strip(".")

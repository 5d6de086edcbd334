"""The last minute of a stream, small enough to keep, and an episode of it when somebody asks."""

from __future__ import annotations

import uuid
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.frames import FrameSource, Image
from robovalue_ros.contracts.ports import EpisodeWriter
from robovalue_ros.contracts.types import Episode, Finding
from robovalue_ros.data.stills import decode_still, still_size
from robovalue_ros.pipelines.convert import convert
from robovalue_ros.value.stream.clips import Pace
from robovalue_ros.value.stream.live import ValueSample

SECOND = 1_000_000_000
FLAGS = ("stall", "regression", "unknown", "declared")


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """One moment: a JPEG or PNG by camera, and what the stream said."""

    stills: Mapping[str, bytes]
    sample: ValueSample


class LastMinute:
    """Keeps moments of the last seconds, at most so many per second and so many bytes."""

    def __init__(self, seconds: float, rate_hz: float, most_bytes: int) -> None:
        self._span_ns = round(seconds * SECOND)
        self._rate_hz, self._most_bytes = rate_hz, most_bytes
        self.clear()

    def clear(self) -> None:
        """Forget everything: what follows has other stamps."""
        self._kept: deque[Kept] = deque()
        self._bytes = 0
        self._pace = Pace(1.0 / self._rate_hz)
        self._begun_ns: int | None = None

    def wants(self, stamp_ns: int) -> bool:
        """Tell whether the moment at this stamp is one to keep; asked once per moment."""
        if self._span_ns == 0:
            return False
        if self._begun_ns is None:
            self._begun_ns = stamp_ns
        return self._pace((stamp_ns - self._begun_ns) * 1e-9)

    def add(self, moment: Kept) -> None:
        """Keep a moment, later than the last one, and let go of old ones."""
        self._kept.append(moment)
        self._bytes += _size(moment)
        oldest = moment.sample.stamp_ns - self._span_ns
        while self._kept and (
            self._kept[0].sample.stamp_ns < oldest or self._bytes > self._most_bytes
        ):
            self._bytes -= _size(self._kept.popleft())

    @property
    def bytes(self) -> int:
        return self._bytes

    def moments(self) -> tuple[Kept, ...]:
        """Return what is kept, oldest first."""
        return tuple(self._kept)


def write_snapshot(
    moments: Sequence[Kept],
    folder: Path,
    task: str,
    model_id: str,
    writer: EpisodeWriter,
) -> tuple[Path, int]:
    """Write an episode below `folder`; return where, and how many frames it has.

    Raises DataError when there is nothing to write, or the folder refuses.
    """
    episode = _episode(moments, task, model_id)
    if episode is None:
        raise DataError(folder, "there is nothing to write yet", "a camera that sends pictures")
    destination = _free(folder, f"snapshot_{episode.meta['last_stamp_ns']}")
    try:
        convert(_OneEpisode(folder, episode), writer, destination, fingerprint=uuid.uuid4().hex)
    except OSError as problem:
        raise DataError(destination, f"cannot be written: {problem.strerror}") from None
    return destination, len(episode)


def _size(moment: Kept) -> int:
    return sum(map(len, moment.stills.values()))


def _free(folder: Path, name: str) -> Path:
    """Return a name that nothing has: a simulator's stamps come again."""
    path, number = folder / name, 1
    while path.exists():
        number += 1
        path = folder / f"{name}_{number}"
    return path


def _episode(moments: Sequence[Kept], task: str, model_id: str) -> Episode | None:
    """Return the moments as an episode of the cameras that most of them show, in their usual size.

    An episode has a picture of every camera in every frame, so moments without one are left out.
    """
    shows = Counter(camera for moment in moments for camera in moment.stills)
    cameras = [camera for camera, count in shows.items() if 2 * count >= len(moments)]
    sizes = {
        camera: _usual(still_size(m.stills[camera]) for m in moments if camera in m.stills)
        for camera in cameras
    }
    chosen = [
        moment
        for moment in moments
        if all(
            camera in moment.stills and still_size(moment.stills[camera]) == sizes[camera]
            for camera in cameras
        )
    ]
    if not chosen or not cameras:
        return None
    samples = [moment.sample for moment in chosen]
    nothing = np.empty((len(chosen), 0), np.float32)
    stamps = np.array([sample.stamp_ns for sample in samples], np.int64)
    return Episode(
        id="snapshot",
        task=task,
        stamps_ns=stamps,
        cameras={camera: StillFrames([m.stills[camera] for m in chosen]) for camera in cameras},
        states=nothing,
        actions=nothing,
        signals={"value": np.array([sample.value for sample in samples])}
        | {flag: np.array([getattr(sample, flag) for sample in samples]) for flag in FLAGS},
        meta={"value_model": model_id, "last_stamp_ns": int(stamps[-1])},
    )


def _usual(sizes: Iterable[tuple[int, int] | None]) -> tuple[int, int] | None:
    return Counter(sizes).most_common(1)[0][0]


class StillFrames(FrameSource):
    """Frames that are kept as JPEG or PNG, all of one size."""

    def __init__(self, stills: Sequence[bytes]) -> None:
        self._stills = tuple(stills)
        size = still_size(self._stills[0])
        if size is None:
            raise ValueError("neither JPEG nor PNG")
        self._shape = size

    def __len__(self) -> int:
        return len(self._stills)

    @property
    def shape(self) -> tuple[int, int]:
        return self._shape

    def read(self, index: int) -> Image:
        return decode_still(self._stills[self._check_index(index)])


class _OneEpisode:
    """A reader of one episode that is in memory already."""

    format = "live"

    def __init__(self, path: Path, episode: Episode) -> None:
        self.path, self._episode = path, episode

    def episode_ids(self) -> tuple[str, ...]:
        return (self._episode.id,)

    def open(self, episode_id: str) -> Episode:
        return self._episode

    def findings(self) -> tuple[Finding, ...]:
        return ()

    def close(self) -> None:
        pass

"""One episode somewhere on disk, under the name that result files know it by."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from robovalue_ros.contracts.ports import EpisodeReader
from robovalue_ros.contracts.types import Episode, Finding, Frame

Opener = Callable[[Path], EpisodeReader]
"""Opens a file or data set; a door passes `wiring.open_reader` with its reading options."""
MOST_OPEN = 64


@dataclass(frozen=True, slots=True)
class Recording:
    """data: the file or data set, resolved. episode_id: within `data`.

    path: names the recording in result files: the file itself when it holds one episode, else
    `data` / `episode_id`. source: which list it came from, such as `rollouts_success`.
    """

    source: str
    data: Path
    episode_id: str
    path: Path

    @property
    def whole_file(self) -> bool:
        """Tell whether the file is the episode."""
        return self.path == self.data


def episode_frames(episode: Episode, cameras: Sequence[str] | None = None) -> Iterator[Frame]:
    """Yield the moments of an episode in order, with the images of some or all cameras."""
    names = tuple(episode.cameras) if cameras is None else tuple(cameras)
    streams = [episode.cameras[name].iterate() for name in names]
    for stamp, *images in zip(episode.stamps_ns.tolist(), *streams, strict=True):
        yield Frame(stamp, dict(zip(names, images, strict=True)))


class Readers:
    """Opens recordings and keeps the readers that were used last."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._kept: OrderedDict[Path, EpisodeReader] = OrderedDict()
        self._findings: dict[Finding, None] = {}
        self._versions: dict[Path, tuple[int, int]] = {}

    def version(self, data: Path) -> tuple[int, int]:
        """Return bytes and newest time of change (ns) of a file or data set, looked up once."""
        if data not in self._versions:
            files = [data] if data.is_file() else sorted(data.rglob("*"))
            seen = [file.stat() for file in files if file.is_file()]
            self._versions[data] = (
                sum(status.st_size for status in seen),
                max((status.st_mtime_ns for status in seen), default=0),
            )
        return self._versions[data]

    def of(self, data: Path) -> EpisodeReader:
        """Return the reader of a file or data set; raises DataError."""
        reader = self._kept.pop(data, None) or self._opener(data)
        self._kept[data] = reader
        while len(self._kept) > MOST_OPEN:
            _, oldest = self._kept.popitem(last=False)
            self._collect(oldest)
            oldest.close()
        return reader

    def open(self, recording: Recording) -> Episode:
        """Read one recording; frames stay lazy. Raises DataError naming file and reason."""
        return self.of(recording.data).open(recording.episode_id)

    def findings(self) -> tuple[Finding, ...]:
        """Return what the readers noticed so far, once each."""
        for reader in self._kept.values():
            self._collect(reader)
        return tuple(self._findings)

    def close(self) -> None:
        """Let go of every reader."""
        for reader in self._kept.values():
            self._collect(reader)
            reader.close()
        self._kept.clear()

    def _collect(self, reader: EpisodeReader) -> None:
        for finding in reader.findings():
            self._findings.setdefault(finding)

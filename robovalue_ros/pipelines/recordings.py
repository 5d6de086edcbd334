"""One episode somewhere on disk, under the name that result files know it by."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from robovalue_ros.contracts.ports import EpisodeReader
from robovalue_ros.contracts.types import Episode, Finding

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


class Readers:
    """Opens recordings and keeps the readers that were used last."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._kept: OrderedDict[Path, EpisodeReader] = OrderedDict()
        self._findings: dict[Finding, None] = {}

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

"""The stored embeddings and references of a run, opened when a diagnosis first asks for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType

from robovalue_ros.contracts.tools import ReadOptions
from robovalue_ros.pipelines.diagnose.inputs import ReferenceEpisode
from robovalue_ros.pipelines.estimate.prepare import Skipped, prepare, recording_id
from robovalue_ros.pipelines.estimate.sources import SUCCESS, TELEOP, list_recordings
from robovalue_ros.pipelines.estimate.stored import StoredEmbeddings
from robovalue_ros.pipelines.recordings import Opener, Readers, Recording
from robovalue_ros.value.episodes import KeyedEmbeddings

OpenerOf = Callable[[ReadOptions], Opener]
"""From a run's reading options to what opens its recordings."""


class RunEmbeddings:
    """Gives diagnoses what a run stored; a context manager.

    Nothing is opened before it is asked for, so that what needs no embeddings also works on a
    folder that has none. Methods raise DataError for a folder that no run of ours wrote.
    """

    def __init__(self, opener_of: OpenerOf) -> None:
        self._opener_of = opener_of
        self._opened: dict[Path, StoredEmbeddings] = {}

    def series_of(
        self, out: Path, recording: Recording, series: str
    ) -> Mapping[str, KeyedEmbeddings]:
        """Return one series of one recording, by camera role."""
        return self._stored(out).series(recording, series)

    def references_of(self, out: Path, ids: Collection[str]) -> list[ReferenceEpisode]:
        """Return the recordings that centres name by their ids, in the order of the lists."""
        config = self._stored(out).config
        readers = Readers(self._opener_of(config.read))
        try:
            lists = list_recordings(config, readers)
            listed = [r for source in (TELEOP, SUCCESS) for r in lists.by_source.get(source, ())]
            wanted = [r for r in listed if recording_id(r, readers, config) in ids]
            usable = [prepare(recording, readers, config) for recording in wanted]
            return [
                ReferenceEpisode(found.recording, found.task)
                for found in usable
                if not isinstance(found, Skipped) and found.is_success
            ]
        finally:
            readers.close()

    def close(self) -> None:
        """Let go of every file."""
        for stored in self._opened.values():
            stored.close()
        self._opened.clear()

    def __enter__(self) -> RunEmbeddings:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _stored(self, out: Path) -> StoredEmbeddings:
        if out not in self._opened:
            # The reading options stand in the folder, so the opener learns them afterwards.
            stored = StoredEmbeddings(out, lambda path: self._opener_of(stored.config.read)(path))
            self._opened[out] = stored
        return self._opened[out]

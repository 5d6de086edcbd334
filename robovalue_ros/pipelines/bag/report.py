"""The page of scored bags: every try with its cameras and its value in step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.frames import SlicedFrames
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.tools import ReadOptions
from robovalue_ros.contracts.types import Episode, Finding
from robovalue_ros.data.rosbag.reader import RosbagReader
from robovalue_ros.data.rosbag.score_table import FLAGS, read_scores
from robovalue_ros.data.value_store.causal import CausalValues
from robovalue_ros.pipelines.bag.config import BagScoreConfig
from robovalue_ros.pipelines.bag.score import Outcome
from robovalue_ros.pipelines.recordings import Readers, Recording
from robovalue_ros.pipelines.results import ScoredEpisode
from robovalue_ros.pipelines.value_report import write_value_report

DEFAULT_PROGRESS = SilentProgress()


def write_bag_report(
    outcomes: Sequence[Outcome],
    config: BagScoreConfig,
    target: Path,
    progress: Progress = DEFAULT_PROGRESS,
) -> Path:
    """Write one HTML file about scored bags; raises DataError when a table is damaged."""
    episodes: list[ScoredEpisode] = []
    readers: dict[Path, _ScoredBag] = {}
    findings: list[Finding] = []
    for outcome in outcomes:
        assert outcome.score is not None
        findings += outcome.score.findings
        reader = _ScoredBag(outcome, config)
        readers[reader.path] = reader
        episodes += reader.scored()
    opened = Readers(lambda data: readers[data])
    try:
        return write_value_report(
            episodes, opened, target, title="Scored bags", limit=config.limit, findings=findings,
            progress=progress,
        )  # fmt: skip
    finally:
        opened.close()


class _ScoredBag:
    """Fills `EpisodeReader`: the tries of one bag, with exactly the frames that have a value."""

    format = "rosbag"

    def __init__(self, outcome: Outcome, config: BagScoreConfig) -> None:
        assert outcome.score is not None
        self.path = outcome.bag.path.resolve()
        self._name, self._score = outcome.name, outcome.score
        self._columns = read_scores(outcome.files.table)
        options = ReadOptions(
            source_format="rosbag", color=config.choice.color, topics=config.choice.topics
        )
        self._reader = RosbagReader(outcome.bag.path, options)

    def episode_ids(self) -> tuple[str, ...]:
        return tuple(self._tries())

    def findings(self) -> tuple[Finding, ...]:
        return ()

    def close(self) -> None:
        self._reader.close()

    def scored(self) -> list[ScoredEpisode]:
        """Return the curves of the tries as the page takes them."""
        task, success = self._about()
        found = []
        for name, rows in self._tries().items():
            flags = {flag: self._columns[flag][rows] for flag in FLAGS}
            causal = CausalValues(
                values=self._columns["value"][rows], stamps_ns=self._columns["stamp_ns"][rows],
                **flags, task=task, source="bag", success=success, model_id=self._score.model,
                content=self._score.fingerprint,
            )  # fmt: skip
            recording = Recording("bag", self.path, name, self.path)
            found.append(ScoredEpisode(name, recording, task, success, None, causal))
        return found

    def open(self, episode_id: str) -> Episode:
        """Return the frames of a try; raises DataError when the reader found other moments."""
        rows = self._tries()[episode_id]
        wanted = self._columns["stamp_ns"][rows]
        episode = self._whole()
        at = np.searchsorted(episode.stamps_ns, wanted)
        inside = np.minimum(at, len(episode) - 1)
        if not np.array_equal(episode.stamps_ns[inside], wanted):
            raise DataError(
                self.path, "some moments have no picture of every camera; shown without videos"
            )
        indices = inside.tolist()
        return replace(
            episode, stamps_ns=wanted,
            cameras={name: SlicedFrames(frames, indices)
                     for name, frames in episode.cameras.items()},
            states=episode.states[inside], actions=episode.actions[inside],
            signals={name: values[inside] for name, values in episode.signals.items()},
        )  # fmt: skip

    def _whole(self) -> Episode:
        return self._reader.open(self._reader.episode_ids()[0])

    def _about(self) -> tuple[str, bool | None]:
        try:
            episode = self._whole()
        except DataError:
            return "", None
        try:
            return episode.task, episode.success
        finally:
            episode.close()

    def _tries(self) -> dict[str, NDArray[np.int64]]:
        """Return the rows of each try by its name."""
        numbers = self._columns["episode"]
        count = int(numbers[-1]) + 1 if len(numbers) else 0
        return {
            self._name if count == 1 else f"{self._name} try {number + 1}": np.flatnonzero(
                numbers == number
            )
            for number in range(count)
        }

"""Which recorded episodes a value model learns from, and why the others are left out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import (
    ConfigError,
    ContractError,
    DataError,
    RobovalueError,
    nearest,
)
from robovalue_ros.contracts.frames import FrameSource, Image
from robovalue_ros.contracts.progress import Progress, Tick
from robovalue_ros.contracts.types import Episode, Finding
from robovalue_ros.pipelines.recordings import Readers, Recording
from robovalue_ros.value.stream.fitting import FEWEST_DEMOS

FEW = 10
T = TypeVar("T")
Stamps = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Listed:
    """What one readable episode says about itself."""

    recording: Recording
    task: str
    success: bool | None
    cameras: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Demonstrations of one task, the cameras that all of them have, and what was noticed."""

    task: str
    cameras: tuple[str, ...]
    demonstrations: tuple[Recording, ...]
    findings: tuple[Finding, ...]


def list_episodes(
    data: Sequence[Path], readers: Readers, progress: Progress
) -> tuple[list[Listed], list[Finding]]:
    """Open every episode once, without reading frames; damaged ones become findings."""
    listed: list[Listed] = []
    findings: list[Finding] = []
    for path in data:
        ids = readers.of(path).episode_ids()
        if not ids:
            raise DataError(path, "holds no episodes", "at least one demonstration")
        with progress.stage(f"looking through {path.name}", len(ids)) as tick:
            for episode_id in ids:
                recording = Recording("demonstrations", path, episode_id, path / episode_id)
                try:
                    episode = readers.open(recording)
                except DataError as problem:
                    findings.append(damaged(recording, problem))
                    progress.say(f"left out {episode_id}: {problem}")
                else:
                    names = tuple(episode.cameras)
                    listed.append(Listed(recording, episode.task, episode.success, names))
                    episode.close()
                tick(1)
    return listed, findings


def choose_demonstrations(listed: Sequence[Listed], task: str | None) -> Chosen:
    """Keep the successful episodes of one task.

    Where no episode says whether it succeeded, all count. Raises ConfigError for several tasks of
    which none is chosen, or an unknown one, DataError where nothing is left.
    """
    of_task = _of_task(listed, task)
    findings: list[Finding] = []
    good = [entry for entry in of_task if entry.success]
    failed = sum(entry.success is False for entry in of_task)
    silent = len(of_task) - len(good) - failed
    if failed:
        findings.append(Finding("note", "failures", f"failed episodes left out: {failed}"))
    if good and silent:
        text = f"episodes with success unknown, left out: {silent}"
        findings.append(Finding("note", "labels", text))
    elif silent and not failed:
        good = list(of_task)
        text = f"no episode says whether it succeeded: all {silent} are taken for successes"
        findings.append(Finding("warning", "labels", text, "Leave out those that failed."))
    if not good:
        where = of_task[0].recording.data
        raise DataError(
            where, f"none of {len(of_task)} episodes is a success", "at least two demonstrations"
        )
    cameras = _common_cameras(good, findings)
    return Chosen(
        of_task[0].task, cameras, tuple(entry.recording for entry in good), tuple(findings)
    )


def _of_task(listed: Sequence[Listed], task: str | None) -> list[Listed]:
    tasks = {entry.task: 0 for entry in listed}
    for entry in listed:
        tasks[entry.task] += 1
    if task is not None:
        if task not in tasks:
            raise ConfigError(f"no episode has the task {task!r}", hint=nearest(task, tasks))
        return [entry for entry in listed if entry.task == task]
    if len(tasks) > 1:
        names = ", ".join(f"{name!r} ({count})" for name, count in tasks.items())
        raise ConfigError(
            f"the episodes are about {len(tasks)} tasks: {names}", "one task per value model",
            "Choose it with --task.",
        )  # fmt: skip
    return list(listed)


def _common_cameras(good: Sequence[Listed], findings: list[Finding]) -> tuple[str, ...]:
    seen = {name: 0 for entry in good for name in entry.cameras}
    for entry in good:
        for name in entry.cameras:
            seen[name] += 1
    common = tuple(name for name, count in seen.items() if count == len(good))
    counts = ", ".join(f"{name} ({count} of {len(good)})" for name, count in seen.items())
    if not common:
        raise DataError(
            good[0].recording.data, f"no camera is in every demonstration: {counts or 'none at all'}",
            "one camera that all have", "Leave out the episodes that lack it.",
        )  # fmt: skip
    if len(common) < len(seen):
        text = f"differ between demonstrations: {counts}; only {', '.join(common)} is used"
        findings.append(Finding("warning", "cameras", text, "Choose with --cameras."))
    return common


def damaged(recording: Recording, problem: RobovalueError) -> Finding:
    """Describe an episode that is left out because it cannot be read or used."""
    return Finding("error", recording.episode_id, str(problem), "Repair or remove the file.")


def few_findings(count: int) -> list[Finding]:
    """Warn where a model had little to learn from."""
    if count >= FEW:
        return []
    text = f"only {count}; values will be rough, and flags are learned from little"
    return [Finding("warning", "demonstrations", text, f"Record {FEW} or more; 20 are good.")]


class WatchedFrames(FrameSource):
    """Passes frames on as they are read, counts them and hashes what it saw.

    For one pass from the first frame to the last.
    """

    def __init__(self, source: FrameSource, tick: Tick) -> None:
        self._source, self._tick = source, tick
        self._digest = hashlib.sha256()

    def __len__(self) -> int:
        return len(self._source)

    @property
    def shape(self) -> tuple[int, int]:
        return self._source.shape

    def read(self, index: int) -> Image:
        return self._source.read(index)

    def iterate(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[Image]:
        for image in self._source.iterate(start, stop, step):
            self._digest.update(f"{image.shape}".encode())
            self._digest.update(np.ascontiguousarray(image).data)
            self._tick(1)
            yield image

    @property
    def seen(self) -> str:
        """Return the SHA-256 of the frames that went through."""
        return self._digest.hexdigest()


def content_of(stamps_ns: Stamps, watched: Mapping[str, WatchedFrames]) -> str:
    """Return a short hash of a demonstration's stamps and of the frames that were read."""
    digest = hashlib.sha256(np.ascontiguousarray(stamps_ns).data)
    for name in sorted(watched):
        digest.update(f"{name} {watched[name].seen}".encode())
    return digest.hexdigest()[:16]


class Taken:
    """The demonstrations, read one after the other; those that turn out unusable are left out.

    entries, findings, frames and seconds tell afterwards what was used.
    """

    def __init__(
        self, chosen: Chosen, readers: Readers, progress: Progress, most: int | None
    ) -> None:
        self._chosen, self._readers, self._progress = chosen, readers, progress
        self._most = len(chosen.demonstrations) if most is None else most
        self.entries: list[dict[str, Any]] = []
        self.findings: list[Finding] = []
        self.frames, self.seconds = 0, 0.0

    def each(self, prepare: Callable[[Mapping[str, FrameSource], Stamps], T]) -> Iterator[T]:
        """Yield what `prepare` makes of each demonstration's cameras and stamps.

        It reads every camera once from first to last. Raises DataError where fewer than two are
        usable.
        """
        total = min(self._most, len(self._chosen.demonstrations))
        with self._progress.stage("reading demonstrations", total) as tick:
            for recording in self._chosen.demonstrations:
                if len(self.entries) == self._most:
                    break
                try:
                    yield self._read(recording, prepare)
                except (DataError, ContractError) as problem:
                    self.findings.append(damaged(recording, problem))
                    self._progress.say(f"left out {recording.episode_id}: {problem}")
                else:
                    tick(1)
        if len(self.entries) < FEWEST_DEMOS:
            raise DataError(
                self._chosen.demonstrations[0].data,
                f"only {len(self.entries)} demonstrations can be used",
                f"at least {FEWEST_DEMOS} successful ones",
                self.findings[0].found if self.findings else "",
            )

    def _read(
        self, recording: Recording, prepare: Callable[[Mapping[str, FrameSource], Stamps], T]
    ) -> T:
        episode = self._readers.open(recording)
        cameras = self._chosen.cameras
        try:
            with self._progress.stage(recording.episode_id, len(episode) * len(cameras)) as tick:
                watched = {name: WatchedFrames(episode.cameras[name], tick) for name in cameras}
                made = prepare(watched, episode.stamps_ns)
        finally:
            episode.close()
        self._note(recording, episode, content_of(episode.stamps_ns, watched))
        return made

    def _note(self, recording: Recording, episode: Episode, content: str) -> None:
        seconds = float(episode.stamps_ns[-1] - episode.stamps_ns[0]) / 1e9
        self.frames += len(episode)
        self.seconds += seconds
        self.entries.append(
            {
                "id": recording.episode_id, "data": recording.data.name, "frames": len(episode),
                "seconds": round(seconds, 3), "content": content,
            }
        )  # fmt: skip

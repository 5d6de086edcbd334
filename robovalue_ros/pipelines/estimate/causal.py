"""Causal curves of recordings: each is pushed through a stream as a robot would have sent it."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from robovalue_ros.contracts.errors import ConfigError, ContractError, DataError, RobovalueError
from robovalue_ros.contracts.progress import Tick
from robovalue_ros.contracts.types import Episode
from robovalue_ros.data.identity import source_identity
from robovalue_ros.data.value_store.causal import CausalValues, read_causal, write_causal
from robovalue_ros.pipelines.estimate.journal import Journal
from robovalue_ros.pipelines.recordings import Readers, Recording, episode_frames
from robovalue_ros.value.stream.live import ValueSample, ValueStream

STAGE = "causal"
Samples = list[ValueSample]
Outcome = Samples | RobovalueError
StreamMaker = Callable[[], ValueStream]
"""Makes the stream of a process; pickles and hashes, so that workers make their own, once."""


@dataclass(frozen=True, slots=True)
class CausalTarget:
    """A recording and where its causal curve goes."""

    recording: Recording
    file: Path


def run_causal(
    targets: Sequence[CausalTarget],
    readers: Readers,
    make_stream: StreamMaker,
    journal: Journal,
    tick: Tick,
    *,
    reading: str = "",
    workers: int = 1,
) -> None:
    """Write the causal curve of every recording that lacks it; a damaged one stops nobody.

    reading: the options that change what is read from a recording. workers: processes that score
    recordings side by side; the curves do not depend on it.
    """
    stream = make_stream()
    model_id = stream.model.id
    waiting: list[tuple[CausalTarget, str]] = []
    for target in targets:
        found = _opened(target, readers, reading, journal, tick)
        if found is None:
            continue
        episode, content = found
        if _is_there(target, model_id, content, episode):
            journal.done(target.recording, STAGE, target.file, reused=True)
            tick(1)
        else:
            waiting.append((target, content))
    opened = _reopened(waiting, readers, journal, tick)
    side_by_side = min(workers, len(waiting))
    for job, samples in _scored(opened, stream, make_stream, side_by_side):
        if isinstance(samples, RobovalueError):
            journal.failed(job.target.recording, STAGE, str(samples))
        else:
            write_causal(job.target.file, causal_values(samples, job, model_id))
            journal.done(job.target.recording, STAGE, job.target.file, reused=False)
        tick(1)


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A recording that is being scored."""

    target: CausalTarget
    content: str
    episode: Episode


def causal_values(samples: Sequence[ValueSample], job: Job, model_id: str) -> CausalValues:
    """Turn the samples of an episode into what is stored."""
    episode = job.episode

    def flags(name: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return np.array([getattr(sample, name) for sample in samples], np.bool_)

    return CausalValues(
        values=np.array([sample.value for sample in samples], np.float64),
        stamps_ns=episode.stamps_ns, stall=flags("stall"), regression=flags("regression"),
        unknown=flags("unknown"), declared=flags("declared"), task=episode.task,
        source=job.target.recording.source, success=episode.success, model_id=model_id,
        content=job.content,
    )  # fmt: skip


def _opened(
    target: CausalTarget, readers: Readers, reading: str, journal: Journal, tick: Tick
) -> tuple[Episode, str] | None:
    try:
        episode = readers.open(target.recording)
        return episode, _content(episode, target.recording, readers, reading)
    except DataError as problem:
        journal.failed(target.recording, STAGE, str(problem))
        tick(1)
        return None


def _content(episode: Episode, recording: Recording, readers: Readers, reading: str) -> str:
    """Return a digest that changes with the frames and stamps of an episode."""
    digest = hashlib.sha256(episode.stamps_ns.tobytes())
    for name in sorted(episode.cameras):
        source = episode.cameras[name]
        version = f"{recording.path} {readers.version(recording.data)} {reading}"
        told = source_identity(source) or version
        digest.update(f"{name}\0{told}\0".encode())
        source.close()
    return digest.hexdigest()


def _is_there(target: CausalTarget, model_id: str, content: str, episode: Episode) -> bool:
    if not target.file.is_file():
        return False
    try:
        stored = read_causal(target.file)
    except DataError:
        return False
    made_from = (stored.model_id, stored.content, stored.task, stored.source, stored.success)
    source = target.recording.source
    return made_from == (model_id, content, episode.task, source, episode.success)


def _reopened(
    waiting: Sequence[tuple[CausalTarget, str]], readers: Readers, journal: Journal, tick: Tick
) -> Iterator[Job]:
    """Open again what is scored next, so that only a few episodes are in memory."""
    for target, content in waiting:
        try:
            yield Job(target, content, readers.open(target.recording))
        except DataError as problem:
            journal.failed(target.recording, STAGE, str(problem))
            tick(1)


def _scored(
    jobs: Iterator[Job], stream: ValueStream, make_stream: StreamMaker, workers: int
) -> Iterator[tuple[Job, Outcome]]:
    if workers < 2:
        for job in jobs:
            yield job, _samples(stream, job.episode)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, _one_thread_each) as pool:
        running: deque[tuple[Job, Future[Outcome]]] = deque()
        for job in jobs:
            running.append((job, pool.submit(_score_elsewhere, make_stream, job.episode)))
            # Results wait in order; a few tasks ahead keep every process busy.
            if len(running) > 2 * workers:
                yield _awaited(running)
        while running:
            yield _awaited(running)


def _awaited(running: deque[tuple[Job, Future[Outcome]]]) -> tuple[Job, Outcome]:
    job, future = running.popleft()
    try:
        return job, future.result()
    except BrokenProcessPool as problem:
        raise ConfigError(
            "a process that scored causal curves was ended from outside",
            "every process to live until the work is done",
            "What was finished is kept. Give the same command again, with --workers 1 if memory "
            "is short.",
        ) from problem


def _one_thread_each() -> None:
    """Let a worker compute on one thread: there are as many workers as cores."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)


def _score_elsewhere(make_stream: StreamMaker, episode: Episode) -> Outcome:
    return _samples(_own_stream(make_stream), episode)


@lru_cache(maxsize=1)
def _own_stream(make_stream: StreamMaker) -> ValueStream:
    """Return the stream of this process, made once."""
    return make_stream()


def _samples(stream: ValueStream, episode: Episode) -> Outcome:
    stream.reset()
    try:
        cameras = [name for name in stream.model.cameras if name in episode.cameras]
        return [stream.push(frame) for frame in episode_frames(episode, cameras)]
    except (DataError, ContractError) as problem:
        return problem
    finally:
        episode.close()

"""One process: threads decode ahead, the network runs in the caller's thread.

Recordings pass through in order: find out what they hold, ask the cache, decode what is missing,
queue the clips, save. Only decoding and hashing happen in threads. Prepared frames are counted in
bytes before they are decoded and given back when their last clip is through the network, so memory
does not grow with the number of recordings.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.ports import FrameEncoder
from robovalue_ros.contracts.progress import Tick
from robovalue_ros.data.embedding_cache.store import EmbeddingStore
from robovalue_ros.pipelines.embedding.batches import Batches
from robovalue_ros.pipelines.embedding.camera import CameraClips, Rows, Vectors
from robovalue_ros.pipelines.embedding.frames import Piece
from robovalue_ros.pipelines.embedding.job import Deliver, Job, Recording, Task
from robovalue_ros.pipelines.embedding.options import EmbeddingOptions

Decoded = Future[list[Image | DataError]]


class LocalRun:
    """Embeds recordings; computed, reused: clips that went through the network, and others."""

    def __init__(
        self,
        encoders: Mapping[str, FrameEncoder],
        store: EmbeddingStore | None,
        options: EmbeddingOptions,
        tick: Tick,
        deliver: Deliver,
    ) -> None:
        self.computed = self.reused = 0
        self._encoders, self._store, self._options = encoders, store, options
        self._tick, self._deliver = tick, deliver
        self._batches = Batches(self._embedded)
        self._capacity = options.bank_mb << 20
        self._held = 0
        self._task_of: dict[Piece, Task] = {}
        self._jobs: dict[Job, None] = {}

    def run(self, recordings: Sequence[Recording]) -> None:
        """Embed recordings; each is delivered when it is complete."""
        with ThreadPoolExecutor(self._options.threads, thread_name_prefix="decode") as pool:
            try:
                self._work(pool, self._tasks(pool, recordings))
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
                # Whatever ends the run early, what was computed is not lost.
                for job in list(self._jobs):
                    self._save(job)

    def _work(self, pool: ThreadPoolExecutor, tasks: Iterator[Task]) -> None:
        waiting: deque[tuple[Task, Decoded]] = deque()
        upcoming = next(tasks, None)
        while upcoming is not None or waiting or self._batches.waiting:
            while upcoming is not None and self._fits(upcoming, len(waiting)):
                self._held += upcoming.nbytes
                self._task_of.update(dict.fromkeys(upcoming.pieces, upcoming))
                waiting.append((upcoming, pool.submit(upcoming.decode)))
                upcoming = next(tasks, None)
            if waiting:
                task, future = waiting.popleft()
                self._queue(task, future.result())
            else:
                # Nothing left to wait for, or no room before these clips let go of their frames.
                self._batches.flush()

    def _fits(self, task: Task, ahead: int) -> bool:
        if self._held == 0:
            return True
        return ahead <= self._options.threads and self._held + task.nbytes <= self._capacity

    def _tasks(self, pool: ThreadPoolExecutor, recordings: Sequence[Recording]) -> Iterator[Task]:
        """Yield what has to be decoded; a recording that the cache knows whole yields nothing."""
        for job, contents in self._named(pool, recordings):
            self._jobs[job] = None
            for camera, content in zip(job.cameras, contents, strict=True):
                if isinstance(content, DataError):
                    self._give_up(camera, content)
                elif self._store is not None:
                    camera.look_up(self._store, content)
                    self.reused += camera.found
                    self._tick(camera.found)
            # Half of the bank: while one task is embedded the next is decoded.
            tasks = list(job.tasks(self._capacity // 2))
            job.open_clips = sum(task.left for task in tasks)
            job.planned = True
            if job.complete:
                self._finish(job)
            yield from tasks

    def _named(
        self, pool: ThreadPoolExecutor, recordings: Sequence[Recording]
    ) -> Iterator[tuple[Job, list[str | DataError]]]:
        """Find out what recordings hold, some ahead: hashing takes time."""
        if self._store is None:  # nobody asks for names
            for recording in recordings:
                job = Job(recording, self._encoders)
                yield job, [""] * len(job.cameras)
            return
        ahead: deque[tuple[Job, Future[list[str | DataError]]]] = deque()
        for recording in recordings:
            job = Job(recording, self._encoders)
            ahead.append((job, pool.submit(job.contents)))
            if len(ahead) > self._options.threads:
                first, future = ahead.popleft()
                yield first, future.result()
        for first, future in ahead:
            yield first, future.result()

    def _queue(self, task: Task, decoded: Sequence[Image | DataError]) -> None:
        for piece, frames in zip(task.pieces, decoded, strict=True):
            if isinstance(frames, DataError):
                self._give_up(piece.camera, frames)
                self._let_go(piece, len(piece.rows))
            else:
                self._batches.add(piece, frames)

    def _embedded(self, piece: Piece, places: Rows, vectors: Vectors) -> None:
        camera, rows = piece.camera, piece.rows[places]
        camera.put(rows, vectors)
        self.computed += len(rows)
        if camera.failure is None:
            served = camera.served(rows)
            self.reused += served - len(rows)
            self._tick(served)
            if camera.due(self._options.save_seconds):
                self._save(self._task_of[piece].job)
        self._let_go(piece, len(rows))

    def _let_go(self, piece: Piece, clips: int) -> None:
        task = self._task_of[piece]
        task.left -= clips
        task.job.open_clips -= clips
        if task.left == 0:
            self._held -= task.nbytes
            for done in task.pieces:
                del self._task_of[done]
        if task.job.complete:
            self._finish(task.job)

    def _finish(self, job: Job) -> None:
        del self._jobs[job]
        self._save(job)
        for camera in job.cameras:
            camera.tidy(self._store)
        job.deliver(self._deliver)

    def _save(self, job: Job) -> None:
        with job.reading:  # saving looks at the files once more
            for camera in job.cameras:
                try:
                    camera.save(self._store)
                except DataError as problem:
                    self._give_up(camera, problem)

    def _give_up(self, camera: CameraClips, problem: DataError) -> None:
        if camera.failure is None:
            camera.failure = problem
            self._tick(camera.served(camera.missing))

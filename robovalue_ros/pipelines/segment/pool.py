"""Jobs in several processes with one thread each; a process that dies costs no other job."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Generic, TypeVar

from robovalue_ros.contracts.errors import DataError

J = TypeVar("J")
R = TypeVar("R")
WATCH_S = 1.0
DIED = "the process that worked on it died, perhaps for want of memory"


class Jobs(Generic[J, R]):
    """What is done to each job. work: a function that pickles; its DataError is a job's result.

    name: what a job is called in errors.
    """

    def __init__(self, work: Callable[[J], R], name: Callable[[J], str]) -> None:
        self._work, self._name = work, name

    def run(self, jobs: Sequence[J], workers: int) -> Iterator[tuple[J, R | DataError]]:
        """Yield each job with its result as it is done; with one worker in this process."""
        if workers == 1 or len(jobs) < 2:
            for job in jobs:
                yield job, _tried(self._work, job)
            return
        yield from self._together(list(jobs), workers)

    def _together(self, jobs: list[J], workers: int) -> Iterator[tuple[J, R | DataError]]:
        """Run jobs side by side; when a process dies, those that were under way run alone."""
        suspects: list[J] = []
        while jobs:
            left, broken = list(jobs), False
            pool = _pool(min(workers, len(jobs)))
            try:
                for job, result in _done(pool, self._work, jobs):
                    left = [other for other in left if other is not job]
                    yield job, result
            except BrokenProcessPool:
                broken = True
            finally:
                pool.shutdown(wait=not broken, cancel_futures=True)
            # Which of them it was nobody knows: the first ones were under way.
            under_way = 2 * workers if broken else 0
            suspects += left[:under_way]
            jobs = left[under_way:]
        yield from self._alone(suspects)

    def _alone(self, jobs: Sequence[J]) -> Iterator[tuple[J, R | DataError]]:
        """Run jobs one at a time; the one under which a process dies is to blame."""
        pool: ProcessPoolExecutor | None = None
        try:
            for job in jobs:
                pool = pool or _pool(1)
                try:
                    yield job, pool.submit(_tried, self._work, job).result()
                except BrokenProcessPool:
                    pool = None
                    hint = "Give it fewer workers or smaller files."
                    yield job, DataError(self._name(job), DIED, hint=hint)
        finally:
            if pool is not None:
                pool.shutdown(cancel_futures=True)


def _done(
    pool: ProcessPoolExecutor, work: Callable[[J], R], jobs: Sequence[J]
) -> Iterator[tuple[J, R | DataError]]:
    waiting: dict[Future[Any], J] = {pool.submit(_tried, work, job): job for job in jobs}
    while waiting:
        finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
        for future in finished:
            job = waiting.pop(future)
            yield job, future.result()


def _tried(work: Callable[[J], R], job: J) -> R | DataError:
    try:
        return work(job)
    except DataError as problem:
        return problem


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"),
        initializer=_one_thread, initargs=(os.getpid(),),
    )  # fmt: skip


def _one_thread(parent: int) -> None:
    """Use one thread, and end with the process that started this one, however that ended."""
    import cv2
    from threadpoolctl import threadpool_limits

    cv2.setNumThreads(1)
    threadpool_limits(1)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()

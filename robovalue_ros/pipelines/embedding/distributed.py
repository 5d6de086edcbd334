"""Several processes through Ray: each embeds recordings of its own into the same cache.

A process builds its encoders once and then takes a few recordings at a time. Vectors are the same
as those of one process: encoders promise that a clip's vector depends on the clip alone, and every
process computes with the same number of threads. Ray runs on this machine only, without its
dashboard and without telling anybody; a Ray that is running already is used as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from robovalue_ros.contracts.errors import ConfigError, MissingExtra, RobovalueError
from robovalue_ros.contracts.ports import FrameEncoder
from robovalue_ros.contracts.progress import Tick
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.embedding_cache.store import EmbeddingStore
from robovalue_ros.pipelines.embedding.job import Answer, Deliver, Recording
from robovalue_ros.pipelines.embedding.local import LocalRun
from robovalue_ros.pipelines.embedding.options import EmbeddingOptions, usable_cores
from robovalue_ros.pipelines.embedding.recipe import EncoderSource

ROUNDS = 4
"""How often each process gets recordings: often enough that all end at about the same time."""
MOST_AT_ONCE = 16
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Without this a process that reserves no GPU of Ray's would not see the one it is told to use.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Ray turns 127.0.0.1 into the address of the network card unless it is told that there is no
    # cluster, and would then listen to everybody.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}


@dataclass(frozen=True)
class Outcome:
    """What a process made of some recordings: answers by place, or why it cannot go on."""

    answers: dict[int, Answer]
    computed: int
    reused: int
    findings: tuple[Finding, ...]
    failure: RobovalueError | None = None


class Worker:
    """Lives in a process of its own and embeds what it is given."""

    def __init__(
        self,
        source: EncoderSource,
        share: int,
        shares: int,
        root: Path | None,
        options: EmbeddingOptions,
        threads: int,
    ) -> None:
        import torch

        # Ray gives its processes one thread; sums split otherwise could round otherwise.
        torch.set_num_threads(threads)
        self._source, self._share, self._shares = source, share, shares
        self._store = None if root is None else EmbeddingStore(root)
        self._options = options
        self._encoders: Mapping[str, FrameEncoder] | None = None

    def embed(self, recordings: Sequence[Recording]) -> Outcome:
        """Embed recordings; what a user can cause comes back as a value, with its text whole."""
        answers: dict[int, Answer] = {}
        run: LocalRun | None = None
        failure: RobovalueError | None = None
        try:
            if self._encoders is None:
                self._encoders = self._source.build(self._share, self._shares)
            run = LocalRun(
                self._encoders, self._store, self._options, lambda _: None, answers.__setitem__
            )
            run.run(recordings)
        except RobovalueError as problem:
            failure = problem
        computed, reused = (run.computed, run.reused) if run is not None else (0, 0)
        findings = () if self._store is None else self._store.findings
        return Outcome(answers, computed, reused, findings, failure)


class RayRun:
    """Like `LocalRun`, in several processes."""

    def __init__(
        self,
        source: EncoderSource,
        store: EmbeddingStore | None,
        options: EmbeddingOptions,
        tick: Tick,
        deliver: Deliver,
    ) -> None:
        self.computed = self.reused = 0
        self.findings: dict[Finding, None] = {}
        self._source, self._options = source, options
        self._root = None if store is None else store.root.parent
        self._tick, self._deliver = tick, deliver

    def run(self, recordings: Sequence[Recording]) -> None:
        """Embed recordings; each bundle is delivered when it is complete."""
        if not recordings:
            return
        import torch

        count = min(self._options.actors or self._source.shares(), len(recordings))
        workers = self._options.workers or max(1, usable_cores() // count)
        options = replace(self._options, workers=workers)
        with running_ray(count) as ray:
            kind = ray.remote(num_cpus=1, max_restarts=0)(Worker)
            threads = torch.get_num_threads()
            actors = [
                kind.remote(self._source, share, count, self._root, options, threads)
                for share in range(count)
            ]
            try:
                self._share_out(ray, actors, bundles(recordings, count))
            except ray.exceptions.RayError as problem:
                raise ConfigError(
                    f"a process of the engine ray ended ({_first_line(problem)})",
                    "every process to live until the work is done",
                    "What was finished is in the cache; use fewer actors, a smaller bank_mb, or "
                    "--engine local.",
                ) from problem
            finally:
                for actor in actors:
                    ray.kill(actor)

    def _share_out(
        self, ray: Any, actors: Sequence[Any], work: Sequence[Sequence[Recording]]
    ) -> None:
        """Give each free process the next bundle."""
        upcoming = iter(work)
        busy: dict[Any, tuple[Any, Sequence[Recording]]] = {}
        for actor, bundle in zip(actors, upcoming, strict=False):
            busy[actor.embed.remote(bundle)] = actor, bundle
        while busy:
            (done,), _ = ray.wait(list(busy), num_returns=1)
            actor, bundle = busy.pop(done)
            self._take(ray.get(done), bundle)
            following = next(upcoming, None)
            if following is not None:
                busy[actor.embed.remote(following)] = actor, following

    def _take(self, outcome: Outcome, bundle: Sequence[Recording]) -> None:
        self.computed += outcome.computed
        self.reused += outcome.reused
        self.findings |= dict.fromkeys(outcome.findings)
        if outcome.failure is not None:
            raise outcome.failure
        for place, answer in outcome.answers.items():
            self._deliver(place, answer)
        self._tick(sum(len(request) for recording in bundle for request in recording.requests))


def bundles(recordings: Sequence[Recording], actors: int) -> list[Sequence[Recording]]:
    """Cut recordings into bundles, several for each process."""
    size = max(1, min(MOST_AT_ONCE, len(recordings) // (ROUNDS * actors)))
    return [recordings[start : start + size] for start in range(0, len(recordings), size)]


@contextmanager
def running_ray(processes: int) -> Iterator[Any]:
    """Yield the package with a Ray that runs; one that was started here is stopped again.

    Raises MissingExtra without the package.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        ray = import_module("ray")
    except ModuleNotFoundError as problem:
        raise MissingExtra("ray", "ray", "the engine ray") from problem
    if ray.is_initialized():
        yield ray
        return
    ray.init(
        address="local", num_cpus=processes, include_dashboard=False, log_to_driver=False,
        logging_level="ERROR", _node_ip_address="127.0.0.1",
    )  # fmt: skip
    try:
        yield ray
    finally:
        ray.shutdown()


def _first_line(problem: Exception) -> str:
    lines = str(problem).strip().splitlines()
    return lines[0][:200] if lines else type(problem).__name__

"""The embedding service: clips in, vectors out, each clip through the network once in its life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from robovalue_ros.contracts.errors import ConfigError, DataError, nearest
from robovalue_ros.contracts.ports import FrameEncoder
from robovalue_ros.contracts.progress import Progress, SilentProgress, Tick
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.embedding_cache.store import EmbeddingStore
from robovalue_ros.pipelines.embedding.camera import Vectors
from robovalue_ros.pipelines.embedding.distributed import RayRun
from robovalue_ros.pipelines.embedding.job import Answer, by_recording
from robovalue_ros.pipelines.embedding.local import LocalRun
from robovalue_ros.pipelines.embedding.options import EmbeddingOptions
from robovalue_ros.pipelines.embedding.recipe import EncoderRecipe, EncoderSource
from robovalue_ros.pipelines.embedding.request import ClipRequest

__all__ = ["ClipRequest", "Embedder", "EmbeddingOptions", "EncoderRecipe", "EncoderSource"]

DEFAULT_OPTIONS = EmbeddingOptions()
DEFAULT_PROGRESS = SilentProgress()
STAGE = "embedding"


class Embedder:
    """Turns clip requests into vectors through the cache.

    encoders: by camera, the same object for cameras that share one. store: None keeps nothing.
    computed, reused: clips that went through the network, and clips that did not have to. An
    encoder's network is loaded by the first clip that the cache does not know. source: builds the
    same encoders in other processes; needed for the engine ray, which runs nothing in this one.
    """

    def __init__(
        self,
        encoders: Mapping[str, FrameEncoder],
        store: EmbeddingStore | None,
        options: EmbeddingOptions = DEFAULT_OPTIONS,
        progress: Progress = DEFAULT_PROGRESS,
        source: EncoderSource | None = None,
    ) -> None:
        if options.engine == "ray" and source is None:
            raise ConfigError(
                "the engine ray was asked for an encoder that exists in this process only",
                "an encoder that other processes can build", "Use --engine local.",
            )  # fmt: skip
        self.computed = self.reused = 0
        self._source = source
        self._elsewhere: dict[Finding, None] = {}
        self._encoders, self._store = dict(encoders), store
        self._options, self._progress = options, progress

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Damage met in the cache so far."""
        here = () if self._store is None else self._store.findings
        return tuple({**dict.fromkeys(here), **self._elsewhere})

    def embed(self, requests: Sequence[ClipRequest]) -> list[Vectors | DataError]:
        """Return (N, dim) per request, in order; a damaged recording gives its DataError.

        What the same clip gives never depends on what else is asked for. Raises ConfigError when
        a camera has no encoder, or when a network cannot run.
        """
        for request in requests:
            if request.camera not in self._encoders:
                raise ConfigError(
                    f"there is no encoder for the camera {request.camera!r}",
                    hint=nearest(request.camera, self._encoders),
                )
        answers: dict[int, Answer] = {}
        recordings = by_recording(requests)
        total = sum(len(request) for request in requests)
        with self._progress.stage(STAGE, total) as tick:
            run = self._engine(tick, answers)
            try:
                run.run(recordings)
            finally:
                self.computed += run.computed
                self.reused += run.reused
                if isinstance(run, RayRun):
                    self._elsewhere |= run.findings
        return [answers[place] for place in range(len(requests))]

    def _engine(self, tick: Tick, answers: dict[int, Answer]) -> LocalRun | RayRun:
        deliver = answers.__setitem__
        if self._options.engine == "ray" and self._source is not None:
            return RayRun(self._source, self._store, self._options, tick, deliver)
        return LocalRun(self._encoders, self._store, self._options, tick, deliver)

    def close(self) -> None:
        """Let go of everything; the embedder stays usable."""

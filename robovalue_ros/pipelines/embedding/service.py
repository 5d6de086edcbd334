"""The embedding service: clips in, vectors out, each clip through the network once in its life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from robovalue_ros.contracts.errors import ConfigError, DataError, nearest
from robovalue_ros.contracts.ports import FrameEncoder
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.embedding_cache.store import EmbeddingStore
from robovalue_ros.pipelines.embedding.camera import Vectors
from robovalue_ros.pipelines.embedding.job import Answer, by_recording
from robovalue_ros.pipelines.embedding.local import LocalRun
from robovalue_ros.pipelines.embedding.options import EmbeddingOptions
from robovalue_ros.pipelines.embedding.request import ClipRequest

__all__ = ["ClipRequest", "Embedder", "EmbeddingOptions"]

DEFAULT_OPTIONS = EmbeddingOptions()
DEFAULT_PROGRESS = SilentProgress()
STAGE = "embedding"


class Embedder:
    """Turns clip requests into vectors through the cache.

    encoders: by camera, the same object for cameras that share one. store: None keeps nothing.
    computed, reused: clips that went through the network, and clips that did not have to. An
    encoder's network is loaded by the first clip that the cache does not know.
    """

    def __init__(
        self,
        encoders: Mapping[str, FrameEncoder],
        store: EmbeddingStore | None,
        options: EmbeddingOptions = DEFAULT_OPTIONS,
        progress: Progress = DEFAULT_PROGRESS,
    ) -> None:
        self.computed = self.reused = 0
        self._encoders, self._store = dict(encoders), store
        self._options, self._progress = options, progress

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Damage met in the cache so far."""
        return () if self._store is None else self._store.findings

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
            run = LocalRun(self._encoders, self._store, self._options, tick, answers.__setitem__)
            try:
                run.run(recordings)
            finally:
                self.computed += run.computed
                self.reused += run.reused
        return [answers[place] for place in range(len(requests))]

    def close(self) -> None:
        """Let go of everything; the embedder stays usable."""

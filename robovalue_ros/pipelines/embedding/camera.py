"""The clips asked of one camera of one recording: which are known, which are missing."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.frames import FrameSource
from robovalue_ros.contracts.ports import FrameEncoder
from robovalue_ros.contracts.validate import require
from robovalue_ros.data.embedding_cache.keys import ClipKeys, ClipRecipe, content_key
from robovalue_ros.data.embedding_cache.store import EmbeddingStore
from robovalue_ros.data.identity import source_identity
from robovalue_ros.pipelines.embedding.request import ClipRequest

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]
MANY_PARTS = 4
"""From so many parts on a finished recording's shard is put in order."""


class CameraClips:
    """Every distinct clip of some requests once, and the vectors found so far.

    clips_MF: the distinct clips. `missing` counts those without a vector. failure: why the rest
    never gets one.
    """

    def __init__(self, requests: Sequence[ClipRequest], encoder: FrameEncoder) -> None:
        first = requests[0]
        for request in requests:
            require(
                request.indices_NF.shape[1] == encoder.clip_frames, "indices_NF",
                f"{encoder.clip_frames} frames per clip", request.indices_NF.shape,
            )  # fmt: skip
            require(request.content == first.content, "content", "one text per camera", "several")
        self.requests, self.encoder = tuple(requests), encoder
        self.failure: DataError | None = None
        asked = np.concatenate([request.indices_NF for request in requests])
        self.clips_MF, inverse = np.unique(asked, axis=0, return_inverse=True)
        # For each asked clip its distinct clip, in the order of the requests.
        self._distinct: Rows = inverse.reshape(-1).astype(np.int64)
        self._vectors = np.zeros((len(self.clips_MF), encoder.dim), np.float32)
        self._have = np.zeros(len(self.clips_MF), bool)
        self._found = np.zeros(len(asked), bool)
        self._waiting = self._count_waiting()
        self._stored: Vectors = np.zeros((0, encoder.dim), np.float32)
        self._keys: ClipKeys | None = None
        self._identity: str | None = None
        self._saved, self._parts, self._last = self._found, 0, time.monotonic()

    @property
    def source(self) -> FrameSource:
        return self.requests[0].source

    @property
    def missing(self) -> Rows:
        """Numbers of the distinct clips that have no vector yet."""
        return np.flatnonzero(~self._have).astype(np.int64)

    @property
    def found(self) -> int:
        """How many asked clips the cache knew."""
        return int(self._found.sum())

    def served(self, rows: Rows) -> int:
        """Return how many asked clips wait for these distinct ones."""
        return int(self._waiting[rows].sum())

    def content(self) -> str:
        """Return the key of these frames; raises DataError. May decode every frame."""
        identity = self.requests[0].content
        if identity is None:
            identity = self._identity = source_identity(self.source)
        return content_key(self.source, identity)

    def look_up(self, store: EmbeddingStore, content: str) -> None:
        """Take from the cache what it knows."""
        parts = [
            ClipRecipe(content, self.encoder.encoder_id, self.encoder.dim, request.policy).keys(
                request.indices_NF
            )
            for request in self.requests
        ]
        self._keys = _joined(parts)
        self._found, self._stored = store.get_many(self._keys)
        self._saved = self._found.copy()
        self._waiting = self._count_waiting()
        # Of clips found under several series the first counts for those not found under theirs.
        rows = np.flatnonzero(self._found)[::-1]
        self._vectors[self._distinct[rows]] = self._stored[rows]
        self._have[self._distinct[rows]] = True

    def put(self, rows: Rows, vectors: Vectors) -> None:
        """Take the vectors of distinct clips."""
        self._vectors[rows] = vectors
        self._have[rows] = True

    def due(self, seconds: float) -> bool:
        """Tell whether the last save was so long ago."""
        return time.monotonic() - self._last >= seconds

    def save(self, store: EmbeddingStore | None) -> None:
        """Put into the cache what is new, unless the camera failed; durable when this returns.

        Raises DataError when the files changed since their content was named: what was read then
        may belong to other content.
        """
        self._last = time.monotonic()
        fresh = np.flatnonzero(self._have[self._distinct] & ~self._saved)
        if store is None or self._keys is None or self.failure is not None or not len(fresh):
            return
        if self._identity is not None and source_identity(self.source) != self._identity:
            raise DataError(
                self.requests[0].recording, "changed while it was read",
                hint="Wait until it is written and run again.",
            )  # fmt: skip
        keys = self._keys
        store.put_many(
            ClipKeys(keys.shard, keys.dim, keys.about, keys.digests[fresh]),
            self._vectors[self._distinct[fresh]],
        )
        self._saved[fresh] = True
        self._parts += 1

    def tidy(self, store: EmbeddingStore | None) -> None:
        """Put many parts into one, once all is saved."""
        if store is not None and self._keys is not None and self._parts >= MANY_PARTS:
            store.compact(self._keys.shard)

    def results(self) -> list[Vectors | DataError]:
        """Return the vectors (N, dim) of each request, or why there are none."""
        answers: list[Vectors | DataError] = []
        start = 0
        for request in self.requests:
            stop = start + len(request)
            distinct, found = self._distinct[start:stop], self._found[start:stop]
            if self.failure is not None and not found.all():
                answers.append(self.failure)
            else:
                vectors = self._vectors[distinct]
                if found.any():
                    vectors[found] = self._stored[start:stop][found]
                answers.append(vectors)
            start = stop
        return answers

    def _count_waiting(self) -> Rows:
        """Count for each distinct clip the asked ones that the cache did not know."""
        counts = np.bincount(self._distinct[~self._found], minlength=len(self.clips_MF))
        return counts.astype(np.int64)


def _joined(parts: Sequence[ClipKeys]) -> ClipKeys:
    """Join keys of one shard: series differ in their digests only."""
    first = parts[0]
    digests = np.concatenate([part.digests for part in parts])
    return ClipKeys(first.shard, first.dim, first.about, digests)

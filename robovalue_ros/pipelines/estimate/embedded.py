"""Embeddings of prepared recordings, from old caches, from ours, or computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.validate import FrozenMapping
from robovalue_ros.data.embedding_cache.legacy import Series as StoredSeries
from robovalue_ros.data.embedding_cache.legacy import find_legacy
from robovalue_ros.data.embedding_cache.legacy_names import LegacyEncoder
from robovalue_ros.data.embedding_cache.legacy_names import Recording as NamedFile
from robovalue_ros.pipelines.embedding.request import ClipRequest
from robovalue_ros.pipelines.estimate.clips import Series
from robovalue_ros.pipelines.estimate.config import EstimateConfig
from robovalue_ros.pipelines.estimate.journal import Journal
from robovalue_ros.pipelines.estimate.known import EncoderFacts
from robovalue_ros.pipelines.estimate.prepare import Prepared
from robovalue_ros.value.episodes import EmbeddedEpisode, KeyedEmbeddings

if TYPE_CHECKING:  # the network's libraries load when something has to be embedded
    from robovalue_ros.pipelines.embedding.service import Embedder

Vectors = NDArray[np.float32]
Wanted = tuple[Prepared, Series]


class SeriesEmbedder:
    """Turns recordings and series into embedded episodes.

    encoders: role -> what is known of its encoder. make_embedder: called when something has to be
    looked up or computed. computed, reused: clips, as the embedder counts them.
    """

    def __init__(
        self,
        encoders: Mapping[str, EncoderFacts],
        make_embedder: Callable[[], Embedder],
        config: EstimateConfig,
        journal: Journal,
    ) -> None:
        self._encoders, self._make_embedder, self._journal = encoders, make_embedder, journal
        self._embedder: Embedder | None = None
        self._root = config.embedding_root
        self._old = legacy_encoder(config, encoders)

    @property
    def counts(self) -> tuple[int, int]:
        """How many clips went through the network, and how many did not have to."""
        return (self._embedder.computed, self._embedder.reused) if self._embedder else (0, 0)

    def close(self) -> None:
        """Let go of everything, telling the journal of damage met in the cache."""
        if self._embedder is not None:
            self._embedder.close()
            self._journal.find(*self._embedder.findings)

    def embed(self, wanted: Sequence[Wanted]) -> list[EmbeddedEpisode | DataError]:
        """Return the embedded episodes, in order; a damaged one is its error.

        What old caches hold is taken from them, the rest is computed in one go, so that batches
        cross recordings.
        """
        requests: list[ClipRequest] = []
        known: list[dict[str, tuple[NDArray[np.bool_], Vectors]] | DataError] = []
        for prepared, series in wanted:
            stored = self._stored(prepared)
            parts: dict[str, tuple[NDArray[np.bool_], Vectors]] = {}
            try:
                for role, encoder in self._encoders.items():
                    found, vectors = taken(stored, series, role, encoder.dim)
                    parts[role] = (found, vectors)
                    missing = series.only(~found)
                    if len(missing.keys):
                        indices = missing.indices(prepared.span, encoder.clip_frames)
                        requests.append(_request(prepared, role, series.name, indices))
            except DataError as problem:
                requests = [r for r in requests if r.recording != prepared.key]
                known.append(problem)
                continue
            known.append(parts)
        answers = iter(self._answers(requests))
        return [
            parts if isinstance(parts, DataError) else _episode(prepared, series, parts, answers)
            for (prepared, series), parts in zip(wanted, known, strict=True)
        ]

    def _answers(self, requests: Sequence[ClipRequest]) -> list[Vectors | DataError]:
        if not requests:
            return []
        if self._embedder is None:
            self._embedder = self._make_embedder()
        return self._embedder.embed(requests)

    def _stored(self, prepared: Prepared) -> StoredSeries:
        recording = prepared.recording
        if self._old is None or not recording.whole_file:
            return {}
        found = find_legacy(self._root, self._old, NamedFile.of(recording.data), prepared.trim)
        self._journal.find(*found.findings)
        return found.series or {}


def legacy_encoder(
    config: EstimateConfig, encoders: Mapping[str, EncoderFacts]
) -> LegacyEncoder | None:
    """Return what names the folder of old caches; None where there cannot be any."""
    if config.encoder_name != "vjepa2" or config.vjepa_ckpt is None:
        return None
    first = next(iter(encoders.values()))
    old = LegacyEncoder(
        config.vjepa_ckpt, config.vjepa_img_size or 384, first.clip_frames, config.epsilon
    )
    return old if old.folder(config.embedding_root).is_dir() else None


def taken(
    stored: StoredSeries, series: Series, role: str, dim: int
) -> tuple[NDArray[np.bool_], Vectors]:
    """Return which entries an old cache holds (N,), and their vectors (N, dim)."""
    found = np.zeros(len(series.keys), bool)
    vectors = np.zeros((len(series.keys), dim), np.float32)
    entries = stored.get(series.name, {}).get(role)
    if entries is None or len(entries.times) == 0 or entries.vectors.shape[1] != dim:
        return found, vectors
    place = np.minimum(np.searchsorted(entries.times, series.keys), len(entries.times) - 1)
    found = entries.times[place] == series.keys
    vectors[found] = entries.vectors[place[found]]
    return found, vectors


def _request(prepared: Prepared, role: str, policy: str, indices: NDArray[np.int64]) -> ClipRequest:
    return ClipRequest(prepared.key, role, prepared.frames[role], None, policy, indices)


def _episode(
    prepared: Prepared,
    series: Series,
    parts: Mapping[str, tuple[NDArray[np.bool_], Vectors]],
    answers: Iterator[Vectors | DataError],
) -> EmbeddedEpisode | DataError:
    """Join what was stored with the answers, one for each role that asked."""
    cameras = {}
    problem: DataError | None = None
    for role, (found, vectors) in parts.items():
        if not found.all():
            answer = next(answers)
            if isinstance(answer, DataError):
                problem = answer
                continue
            vectors[~found] = answer
        cameras[role] = KeyedEmbeddings(series.keys, vectors)
    if problem is not None:
        return problem
    return EmbeddedEpisode(
        prepared.key, prepared.task, prepared.length, prepared.is_success, FrozenMapping(cameras)
    )

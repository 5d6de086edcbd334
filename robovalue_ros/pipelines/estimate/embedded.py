"""Embeddings of prepared recordings, from old caches, from ours, or computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.ports import FrameEncoder
from robovalue_ros.contracts.validate import FrozenMapping
from robovalue_ros.data.embedding_cache.legacy import Series as StoredSeries
from robovalue_ros.data.embedding_cache.legacy import find_legacy
from robovalue_ros.data.embedding_cache.legacy_names import LegacyEncoder
from robovalue_ros.data.embedding_cache.legacy_names import Recording as NamedFile
from robovalue_ros.pipelines.embedding.request import ClipRequest
from robovalue_ros.pipelines.embedding.service import Embedder
from robovalue_ros.pipelines.estimate.clips import Series
from robovalue_ros.pipelines.estimate.config import EstimateConfig
from robovalue_ros.pipelines.estimate.journal import Journal
from robovalue_ros.pipelines.estimate.prepare import Prepared
from robovalue_ros.value.episodes import EmbeddedEpisode, KeyedEmbeddings

Vectors = NDArray[np.float32]
Wanted = tuple[Prepared, Series]


class SeriesEmbedder:
    """Turns recordings and series into embedded episodes. encoders: role -> encoder."""

    def __init__(
        self,
        encoders: Mapping[str, FrameEncoder],
        embedder: Embedder,
        config: EstimateConfig,
        journal: Journal,
    ) -> None:
        self._encoders, self._embedder, self._journal = encoders, embedder, journal
        self._root = config.embedding_root
        self._old = legacy_encoder(config, encoders)

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
                    indices = missing.indices(prepared.span, encoder.clip_frames)
                    requests.append(_request(prepared, role, series.name, indices))
            except DataError as problem:
                requests = [r for r in requests if r.recording != prepared.key]
                known.append(problem)
                continue
            known.append(parts)
        answers = iter(self._embedder.embed(requests))
        return [
            parts
            if isinstance(parts, DataError)
            else _episode(prepared, series, parts, [next(answers) for _ in parts])
            for (prepared, series), parts in zip(wanted, known, strict=True)
        ]

    def _stored(self, prepared: Prepared) -> StoredSeries:
        recording = prepared.recording
        if self._old is None or not recording.whole_file:
            return {}
        found = find_legacy(self._root, self._old, NamedFile.of(recording.data), prepared.trim)
        self._journal.find(*found.findings)
        return found.series or {}


def legacy_encoder(
    config: EstimateConfig, encoders: Mapping[str, FrameEncoder]
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
    answers: Sequence[Vectors | DataError],
) -> EmbeddedEpisode | DataError:
    cameras = {}
    for (role, (found, vectors)), answer in zip(parts.items(), answers, strict=True):
        if isinstance(answer, DataError):
            return answer
        vectors[~found] = answer
        cameras[role] = KeyedEmbeddings(series.keys, vectors)
    return EmbeddedEpisode(
        prepared.key, prepared.task, prepared.length, prepared.is_success, FrozenMapping(cameras)
    )

"""The embeddings that a finished run worked with, read again without its encoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from robovalue_ros.contracts.config import from_mapping
from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.embedding_cache.keys import ClipRecipe, content_key
from robovalue_ros.data.embedding_cache.legacy import find_legacy
from robovalue_ros.data.embedding_cache.legacy_names import LegacyEncoder
from robovalue_ros.data.embedding_cache.legacy_names import Recording as NamedFile
from robovalue_ros.data.embedding_cache.store import EmbeddingStore
from robovalue_ros.data.identity import source_identity
from robovalue_ros.data.value_store.reports import read_report
from robovalue_ros.pipelines.estimate.clips import Series, reference_series, scored_series
from robovalue_ros.pipelines.estimate.config import EstimateConfig
from robovalue_ros.pipelines.estimate.embedded import taken
from robovalue_ros.pipelines.estimate.outputs import RUN_FILE
from robovalue_ros.pipelines.estimate.prepare import Prepared, Skipped, prepare
from robovalue_ros.pipelines.recordings import Opener, Readers, Recording
from robovalue_ros.value.episodes import KeyedEmbeddings


class StoredEmbeddings:
    """Finds embeddings of a run again. Raises DataError for a folder that no run wrote."""

    def __init__(self, out: Path, opener: Opener) -> None:
        content = read_report(out / RUN_FILE)
        if not isinstance(content.get("config"), dict) or "encoders" not in content:
            raise DataError(out / RUN_FILE, "is incomplete", "config and encoders of a run")
        self.config = from_mapping(EstimateConfig, content["config"], str(out / RUN_FILE))
        self._encoders: Mapping[str, Mapping[str, Any]] = content["encoders"]
        self._readers = Readers(opener)
        # The folder may have been moved since: what lay inside it is looked for where it is now.
        inside = self.config.embed_cache_dir is None
        self._root = out / "embedding_cache" if inside else self.config.embedding_root
        self._store = EmbeddingStore(self._root)

    def series(self, recording: Recording, name: str) -> dict[str, KeyedEmbeddings]:
        """Return the embeddings of a series by camera role.

        name: `prefix`, or `seg50` and `win50s6` with the numbers of the run. Raises DataError when
        the cache does not hold them all, or the recording cannot be read.
        """
        prepared = prepare(recording, self._readers, self.config)
        if isinstance(prepared, Skipped):
            raise DataError(recording.path, f"has nothing to score ({prepared.reason})")
        problem: DataError | None = None
        for series in self._series(prepared, name):
            try:
                return {
                    role: KeyedEmbeddings(series.keys, self._vectors(prepared, role, series, known))
                    for role, known in self._encoders.items()
                }
            except DataError as missing:
                problem = missing
        assert problem is not None
        raise problem

    def close(self) -> None:
        """Let go of every file."""
        self._readers.close()

    def _series(self, prepared: Prepared, name: str) -> list[Series]:
        """Return what the run may have embedded under a name: prefixes differ by use."""
        options = self.config.method()
        made = [make(prepared.length, options) for make in (scored_series, reference_series)]
        named = [series for series in made if series.name == name]
        if not named:
            known = " and ".join(dict.fromkeys(series.name for series in made))
            raise DataError(
                prepared.recording.path, f"no series {name} was made by this run",
                f"{known}, as {self.config.value_method} makes it",
            )  # fmt: skip
        return named

    def _vectors(
        self, prepared: Prepared, role: str, series: Series, known: Mapping[str, Any]
    ) -> np.ndarray[Any, np.dtype[np.float32]]:
        old = self._old_cache(prepared, int(known["clip_frames"]))
        found, vectors = taken(old, series, role, int(known["dim"]))
        missing = series.only(~found)
        if len(missing.keys) == 0:
            return vectors
        source = prepared.frames[role]
        recipe = ClipRecipe(
            content_key(source, source_identity(source)), known["id"], int(known["dim"]),
            series.name,
        )  # fmt: skip
        keys = recipe.keys(missing.indices(prepared.span, int(known["clip_frames"])))
        there, fresh = self._store.get_many(keys)
        if not there.all():
            raise DataError(
                prepared.recording.path,
                f"{int((~there).sum())} of {len(there)} embeddings of {series.name} are not in "
                f"{self._root}",
                "those that `robovalue value estimate` stored", "Run it again.",
            )  # fmt: skip
        vectors[~found] = fresh
        return vectors

    def _old_cache(self, prepared: Prepared, clip_frames: int) -> Mapping[str, Any]:
        config = self.config
        if config.vjepa_ckpt is None or not prepared.recording.whole_file:
            return {}
        old = LegacyEncoder(
            config.vjepa_ckpt, config.vjepa_img_size or 384, clip_frames, config.epsilon
        )
        named = NamedFile.of(prepared.recording.data)
        return find_legacy(self._root, old, named, prepared.trim).series or {}


def stored_series(
    out: Path, recording: Recording, series: str, opener: Opener
) -> Mapping[str, KeyedEmbeddings]:
    """Return one series of one recording; see `StoredEmbeddings.series`."""
    stored = StoredEmbeddings(out, opener)
    try:
        return stored.series(recording, series)
    finally:
        stored.close()

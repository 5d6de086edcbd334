"""The stored embeddings of a run, as the diagnoses take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.pipelines.diagnose.inputs import ReferenceEpisode
from robovalue_ros.pipelines.recordings import Recording
from robovalue_ros.value.episodes import KeyedEmbeddings

ADVICE = "This version does not read embeddings back; tables and histograms do without."


def stored_series(out: Path, recording: Recording, series: str) -> Mapping[str, KeyedEmbeddings]:
    """Return the stored embeddings of a series of a recording, by camera role."""
    raise DataError(out, f"gives no {series} embeddings of {recording.path.name}", "", ADVICE)


def stored_references(out: Path) -> Sequence[ReferenceEpisode]:
    """Return the references of a run, in the order of its fit."""
    raise DataError(out, "does not tell its reference episodes", "", ADVICE)

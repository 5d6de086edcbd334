"""Where a diagnosis gets stored embeddings from; nothing here encodes anything."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from robovalue_ros.contracts.errors import ConfigError, DataError, nearest
from robovalue_ros.data.value_store.metadata import METADATA_FILE
from robovalue_ros.data.value_store.reports import read_report
from robovalue_ros.pipelines.recordings import Recording
from robovalue_ros.value.episodes import KeyedEmbeddings
from robovalue_ros.value.fusion import CameraFusion, CameraMode

T = TypeVar("T")
SeriesOf = Callable[[Path, Recording, str], Mapping[str, KeyedEmbeddings]]
"""Results folder, recording and series (`prefix`, `seg50`, `win50s6`) -> camera role -> vectors.

Raises DataError when the cache does not hold them.
"""


@dataclass(frozen=True, slots=True)
class ReferenceEpisode:
    """A successful episode that centres were made of."""

    recording: Recording
    task: str


ReferencesOf = Callable[[Path, Collection[str]], Sequence[ReferenceEpisode]]
"""Results folder and ids that centres name -> the reference episodes."""


@dataclass(frozen=True, slots=True)
class CameraChoice:
    """Which cameras a run looked at, and how they were joined."""

    mode: CameraMode
    fusion: CameraFusion

    @classmethod
    def of(cls, path: Path, cfg: Mapping[str, Any]) -> CameraChoice:
        """Read it from a stored configuration; raises DataError naming `path`."""
        mode, fusion = cfg.get("camera_mode"), cfg.get("camera_fusion")
        if mode not in ("high", "wrist", "both"):
            raise DataError(path, f"camera_mode is {mode!r}", "high, wrist or both")
        if mode != "both":
            fusion = "dist_min"  # one camera has nothing to join, and may not tell
        if fusion not in ("dist_min", "dist_mean", "emb_mean", "emb_concat"):
            raise DataError(path, f"camera_fusion is {fusion!r}", "a known fusion")
        return cls(mode, fusion)


def metadata_of(out: Path) -> dict[str, Any]:
    """Return the metadata of a run, empty where it has none yet."""
    path = out / METADATA_FILE
    return read_report(path) if path.is_file() else {}


def picked(what: str, wanted: str | None, choices: Mapping[str, T]) -> tuple[str, T]:
    """Return the wanted entry, or the first by name; raises ConfigError naming the nearest."""
    name = sorted(choices)[0] if wanted is None else wanted
    if name not in choices:
        raise ConfigError(f"there is no {what} {name!r}", hint=nearest(name, choices))
    return name, choices[name]

"""Read and write the embedding files of the tools people have today.

A file is used only when all of it is sound and its trimmed span is the one asked for; everything
else is a finding and counts as not there. Writing keeps their layout to the letter, so that they
can go on with our files, but files appear whole and writers take turns.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.types import Finding
from robovalue_ros.contracts.validate import describe, require
from robovalue_ros.data.atomic import atomic_path
from robovalue_ros.data.embedding_cache.legacy_names import (
    LegacyEncoder,
    Recording,
    array_name,
    by_name_finding,
    candidates,
    key_count,
    parse_array_name,
)
from robovalue_ros.data.plain_npz import read_arrays

Array = NDArray[Any]

SCHEMA_VERSION = 1
MAX_BYTES = 1 << 30
"""The two cameras of an hour at 20 frames per second fit, with every series people store."""
_NUMBERS = (
    "schema_version", "trim_start", "trim_end", "t_total", "vjepa_img_size", "vjepa_num_frames",
)  # fmt: skip
_INT32 = np.iinfo(np.int32)


class Trim(NamedTuple):
    """The span of a recording that counts: first and last raw frame, and frames in between."""

    start: int
    end: int
    total: int


class Entries(NamedTuple):
    """One series of one camera: times (N,) int32 ascending, vectors (N, D) float32."""

    times: NDArray[np.int32]
    vectors: NDArray[np.float32]


Series = Mapping[str, Mapping[str, Entries]]
"""Series name (`prefix`, `seg50`, `win50s6`) -> camera (`high`, `wrist`) -> entries."""


@dataclass(frozen=True, slots=True)
class LegacyContent:
    """What was found: the series, None when there is nothing usable; and why."""

    series: Series | None
    findings: tuple[Finding, ...] = ()
    path: Path | None = None


def find_legacy(
    root: Path, encoder: LegacyEncoder, recording: Recording, trim: Trim,
    *, max_bytes: int = MAX_BYTES,
) -> LegacyContent:  # fmt: skip
    """Return the stored embeddings of a recording, by identity, else by name.

    By name only the newest file counts, and only when the recording it was made from is not
    there any more: another recording of that name keeps its embeddings for itself.
    """
    for path in candidates(encoder.folder(root), recording):
        if path.name == recording.file_name():
            return read_legacy(path, trim, encoder, max_bytes=max_bytes)
        if _belongs_to_another(path, recording):
            continue
        content = read_legacy(path, trim, encoder, max_bytes=max_bytes)
        if content.series is None:
            return content
        note = by_name_finding(recording, path)
        return LegacyContent(content.series, (*content.findings, note), path)
    return LegacyContent(None)


def read_legacy(
    path: Path, trim: Trim, encoder: LegacyEncoder | None = None, *, max_bytes: int = MAX_BYTES
) -> LegacyContent:
    """Return the series of one file; never raises for what the file holds.

    encoder: when given, image size and frames per clip must agree too. max_bytes: a file that
    unpacks to more counts as damaged.
    """
    try:
        arrays = read_arrays(path, _is_ours, max_bytes=max_bytes)
        stored = {name: _integer(path, arrays, name) for name in _NUMBERS}
        series = _series(path, arrays, stored["t_total"])
    except DataError as error:
        return _refused(path, error.reason, "It is not used. Remove it to silence this.")
    except FileNotFoundError:
        return LegacyContent(None)
    except OSError as error:
        return _refused(path, f"cannot be read ({error.strerror})", "Check disk and permissions.")
    wanted = {
        "schema_version": SCHEMA_VERSION,
        "trim_start": trim.start, "trim_end": trim.end, "t_total": trim.total,
    }  # fmt: skip
    if encoder is not None:
        wanted |= {
            "vjepa_img_size": encoder.image_size,
            "vjepa_num_frames": encoder.clip_frames,
        }
    wrong = [f"{name} {stored[name]} (not {w})" for name, w in wanted.items() if stored[name] != w]
    if wrong:
        return _refused(
            path, f"was made otherwise: {', '.join(wrong)}",
            "It is not used. Check epsilon and the trim signal if you expected it to fit.",
        )  # fmt: skip
    return LegacyContent(series, (), path)


def write_legacy(
    root: Path, encoder: LegacyEncoder, recording: Recording, trim: Trim, series: Series
) -> tuple[Finding, ...]:
    """Add series to a recording's file; where both have a time the new vector stays.

    What is there already is kept when it is sound and of the same trimmed span, otherwise it is
    replaced and the findings say so. Raises ContractError for series that do not fit.
    """
    for name, cameras in series.items():
        for camera, entries in cameras.items():
            _require_entries(name, camera, entries, trim.total)
    folder = encoder.folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / recording.file_name()
    with _turn(folder):
        old = read_legacy(path, trim, encoder)
        arrays: dict[str, Any] = {
            "schema_version": np.int32(SCHEMA_VERSION),
            "hdf5_path": np.str_(recording.path),
            "trim_start": np.int32(trim.start),
            "trim_end": np.int32(trim.end),
            "t_total": np.int32(trim.total),
            "vjepa_ckpt": np.str_(encoder.checkpoint_text()),
            "vjepa_img_size": np.int32(encoder.image_size),
            "vjepa_num_frames": np.int32(encoder.clip_frames),
        }
        for name, cameras in merge_series(old.series or {}, series).items():
            for camera, entries in cameras.items():
                arrays[array_name("t", name, camera)] = entries.times
                arrays[array_name("emb", name, camera)] = entries.vectors
        with atomic_path(path) as temporary:
            np.savez_compressed(temporary, **arrays)
    return old.findings


def merge_series(old: Series, new: Series) -> dict[str, dict[str, Entries]]:
    """Return the union of two contents; at equal times the new vector stays."""
    result = {name: dict(cameras) for name, cameras in old.items()}
    for name, cameras in new.items():
        mine = result.setdefault(name, {})
        for camera, entries in cameras.items():
            before = mine.get(camera)
            mine[camera] = entries if before is None else _merge_entries(before, entries)
    return result


def _merge_entries(old: Entries, new: Entries) -> Entries:
    if old.vectors.shape[1] != new.vectors.shape[1]:
        # Another encoder under the same name: the two cannot stand side by side.
        return new
    kept = ~np.isin(old.times, new.times)
    times = np.concatenate([old.times[kept], new.times])
    vectors = np.concatenate([old.vectors[kept], new.vectors])
    order = np.argsort(times, kind="stable")
    return Entries(times[order].astype(np.int32), vectors[order].astype(np.float32))


def _is_ours(name: str) -> bool:
    return name in _NUMBERS or parse_array_name(name) is not None


def _integer(path: Path, arrays: Mapping[str, Array], name: str) -> int:
    array = arrays.get(name)
    if array is None or array.size != 1 or array.dtype.kind not in "iu":
        raise DataError(path, f"damaged (no number {name})")
    return int(array.reshape(-1)[0])


def _series(path: Path, arrays: Mapping[str, Array], total: int) -> Series:
    found: dict[str, dict[str, Entries]] = {}
    for name in arrays:
        parsed = parse_array_name(name)
        if parsed is None:
            continue
        _, series, camera = parsed
        pair = [arrays.get(array_name(kind, series, camera)) for kind in ("t", "emb")]
        times, vectors = pair
        if times is None or vectors is None:
            raise DataError(path, f"damaged ({series} of {camera} is half there)")
        problem = _problem(times, vectors, key_count(series, total))
        if problem:
            raise DataError(path, f"damaged ({series} of {camera}: {problem})")
        entries = Entries(times.astype(np.int32), vectors.astype(np.float32))
        found.setdefault(series, {})[camera] = entries
    return found


def _problem(times: Array, vectors: Array, count: int) -> str:
    """Say what is wrong with a series; empty when nothing is."""
    if times.ndim != 1 or times.dtype.kind not in "iu":
        return "times are not whole numbers (N,)"
    if vectors.ndim != 2 or vectors.dtype != np.float32 or len(vectors) != len(times):
        return f"vectors are not float32 ({len(times)}, D)"
    if len(times) == 0:
        return ""
    if not bool(np.all(times[1:] > times[:-1])):
        return "times do not ascend"
    if int(times[0]) < 0 or int(times[-1]) >= min(count, _INT32.max):
        return f"times outside 0..{count - 1}"
    return "" if bool(np.isfinite(vectors).all()) else "vectors that are not finite"


def _require_entries(series: str, camera: str, entries: Entries, total: int) -> None:
    array_name("t", series, camera)
    times, vectors = np.asarray(entries.times), np.asarray(entries.vectors)
    problem = _problem(times, vectors, key_count(series, total))
    require(
        not problem, f"{series} of {camera}",
        f"ascending times within 0..{key_count(series, total) - 1} and float32 vectors (N, D)",
        problem or describe(vectors),
    )  # fmt: skip


def _belongs_to_another(path: Path, recording: Recording) -> bool:
    """Tell whether the recording that a file was made from still exists beside ours."""
    try:
        stored = read_arrays(path, {"hdf5_path"}.__contains__, max_bytes=1 << 20).get("hdf5_path")
        if stored is None or stored.dtype.kind != "U" or stored.size != 1:
            return False
        other = Path(str(stored.reshape(-1)[0]))
        return other != recording.path and other.exists()
    except (DataError, OSError, ValueError):
        return False  # what is wrong with the file is told when it is read


def _refused(path: Path, reason: str, advice: str) -> LegacyContent:
    return LegacyContent(None, (Finding("warning", str(path), reason, advice),), path)


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Wait until no other writer of ours merges into a file of this folder."""
    with (folder / ".lock").open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield

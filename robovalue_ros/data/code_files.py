"""Files that hold the codes of a segment: the segmenter's side cars, and older layouts.

A damaged file is named and passed over; a JSON file without codes (a list of segments, a summary)
is no damage, it is only counted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robovalue_ros.contracts.errors import ContractError, DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.segment.codes.sequences import CodeSequence, Floats, Ints

DEFAULT_PROGRESS = SilentProgress()
CODE_KEYS = ("codes_windows", "codes_flat", "code_sequences_flat", "codes_2d", "code_sequences")
VECTOR_KEYS = ("latent_matrix", "quantized_windows")
CODES_FOLDER, CLIPS_FOLDER = "code_indices", "segmented_videos"
CLIP_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm")
LARGEST_CODE = 1 << 31
MAX_BYTES = 1 << 30
DEEPEST = 6


@dataclass(frozen=True, slots=True)
class CodeFolder:
    """sequences: by name. findings: what was damaged. without: JSON files that hold no codes."""

    root: Path
    sequences: tuple[CodeSequence, ...]
    findings: tuple[Finding, ...]
    without: int

    @property
    def names(self) -> tuple[str, ...]:
        """Paths of the files, relative to the root, sorted."""
        return tuple(sequence.name for sequence in self.sequences)


def read_code_folder(
    root: Path,
    *,
    labelled: bool,
    vectors: bool = False,
    progress: Progress = DEFAULT_PROGRESS,
) -> CodeFolder:
    """Read every `*.json` under a folder, in sorted order.

    labelled: the first folder below the root is the class; a file in the root is its own. vectors:
    also read the vectors of the tokens. Raises DataError when the folder is missing or when no
    file in it holds codes.
    """
    if not root.is_dir():
        raise DataError(root, "is no folder", "a folder of JSON files with codes")
    paths = [p for p in root.rglob("*.json") if p.is_file() and not p.name.startswith(".")]
    paths.sort(key=lambda path: path.relative_to(root).as_posix())
    sequences: list[CodeSequence] = []
    findings: list[Finding] = []
    without = 0
    with progress.stage("reading codes", len(paths)) as tick:
        for path in paths:
            name = path.relative_to(root).as_posix()
            try:
                if len(name.splitlines()) != 1:
                    raise DataError(path, "has a line break in its name", "a name on one line")
                found = read_codes(path, name, vectors=vectors)
            except DataError as problem:
                findings.append(
                    Finding("warning", name, f"passed over: {problem.reason}", problem.hint)
                )
                progress.say(f"passed over: {problem}")
            else:
                if found is None:
                    without += 1
                else:
                    label = name.partition("/")[0] if labelled else None
                    sequences.append(_labelled(found, label))
            tick(1)
    if not sequences:
        raise DataError(
            root, f"no JSON file with codes among {len(paths)} ({len(findings)} damaged)",
            f"files with {CODE_KEYS[0]}",
            "The segmenter writes them below code_indices/ when it has a tokenizer.",
        )  # fmt: skip
    return CodeFolder(root, tuple(sequences), tuple(findings), without)


def read_codes(
    path: Path, name: str | None = None, *, vectors: bool = False
) -> CodeSequence | None:
    """Read one file; None when it holds no codes. Raises DataError when it is damaged."""
    content = _json_object(path)
    for key in CODE_KEYS:
        codes = _codes(path, key, content.get(key))
        if len(codes):
            break
    else:
        return None
    rows = _vectors(path, content) if vectors else None
    try:
        return CodeSequence(name or path.name, codes, None, rows, _stated_size(path, content))
    except ContractError as problem:
        raise DataError(path, str(problem), "codes from 0") from problem


@dataclass(frozen=True, slots=True)
class CodeSpan:
    """Where a segment lies in its video: first and last frame of those looked at, at a rate."""

    first: int
    last: int
    target_fps: float


def span_of(root: Path, name: str) -> CodeSpan | None:
    """Return where a segment lies, as its side car says; None when it does not."""
    content = _json_object(root / name)
    segment, window = content.get("segment"), content.get("window")
    if not isinstance(segment, dict) or not isinstance(window, dict):
        return None
    first, last = segment.get("start_frame"), segment.get("end_frame")
    fps: Any = window.get("target_fps")
    if type(first) is not int or type(last) is not int or type(fps) not in (int, float):
        return None
    usable = 0 <= first <= last and 0.0 <= fps < 1e6
    return CodeSpan(first, last, float(fps)) if usable else None


def clip_of(root: Path, name: str) -> Path | None:
    """Return the video of a segment: where its side car says, or beside it; None when it is gone.

    A stored path is tried as it is, then from the folder of the codes and from the one above.
    """
    path = root / name
    try:
        stored = _json_object(path).get("video_segment_path")
    except DataError:
        stored = None
    tried: list[Path] = []
    if isinstance(stored, str) and stored and "\0" not in stored:
        tried += [Path(stored), path.parent / stored, path.parent.parent / stored]
        # A folder that was moved as a whole still has its clips at the same place inside.
        tried.append(path.parent.parent / CLIPS_FOLDER / Path(stored).name)
    stem = path.name.removesuffix(".json").removesuffix(".codes")
    for folder in (path.parent.parent / CLIPS_FOLDER, path.parent):
        tried += [folder / f"{stem}{suffix}" for suffix in CLIP_SUFFIXES]
    return next((file for file in tried if _is_file(file)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for this file system
        return False


def _labelled(sequence: CodeSequence, label: str | None) -> CodeSequence:
    return CodeSequence(
        sequence.name, sequence.codes, label, sequence.vectors, sequence.codebook_size
    )


def _json_object(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(path, "is too large", f"at most {MAX_BYTES} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise DataError(path, f"cannot be read ({reason})", "a complete JSON file") from problem
    if not isinstance(content, dict):
        return {}
    return content


def _codes(path: Path, key: str, value: Any) -> Ints:
    """Flatten nested lists of codes; an absent key has none."""
    if value is None:
        return np.zeros(0, np.int64)
    if not isinstance(value, list):
        raise DataError(path, f"{key} is a {type(value).__name__}", "lists of whole numbers")
    flat = list(_leaves(path, key, value, DEEPEST))
    return np.array(flat, np.int64)


def _leaves(path: Path, key: str, value: Sequence[Any], depth: int) -> Iterator[int]:
    for item in value:
        if type(item) is int and 0 <= item < LARGEST_CODE:
            yield item
        elif isinstance(item, list) and depth > 0:
            yield from _leaves(path, key, item, depth - 1)
        else:
            shown = repr(item)[:40]
            raise DataError(path, f"{key} holds {shown}", "whole numbers from 0")


def _vectors(path: Path, content: dict[str, Any]) -> Floats | None:
    """Return the first of the vector keys that is there as rows (m, D)."""
    for key in VECTOR_KEYS:
        if content.get(key):
            try:
                rows = np.array(content[key], np.float32)
            except (ValueError, TypeError, OverflowError) as problem:
                raise DataError(
                    path, f"{key} is no table of numbers", "(windows, d, D)"
                ) from problem
            if rows.ndim < 2 or rows.size == 0 or not np.isfinite(rows).all():
                raise DataError(path, f"{key} has shape {rows.shape}", "rows of finite numbers")
            return rows.reshape(-1, rows.shape[-1])
    return None


def _stated_size(path: Path, content: dict[str, Any]) -> int | None:
    """Return the code book size that a file states, or the product of its levels."""
    meta = content.get("meta")
    if not isinstance(meta, dict):
        return None
    size, levels = meta.get("codebook_size"), meta.get("codebook_levels")
    if size is None and isinstance(levels, list) and levels:
        size = math.prod(levels) if all(type(level) is int for level in levels) else levels
    if size is None:
        return None
    if type(size) is not int or not 0 < size < LARGEST_CODE:
        raise DataError(path, f"meta.codebook_size is {size!r}", "a whole number above 0")
    return size

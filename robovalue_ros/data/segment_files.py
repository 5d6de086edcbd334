"""Reading what segmenting leaves behind: energies per window, and lists of segments."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robovalue_ros.contracts.errors import DataError

ENERGY_PATTERN = "*energy*.jsonl"
SEGMENTS_SUFFIX = "_segments.json"
CLIPS_FOLDER = "segmented_videos"
MAX_BYTES = 1 << 30
MOST_SEGMENTS = 1_000_000
MOST_WINDOWS = 100_000_000


@dataclass(frozen=True, slots=True)
class EnergyFile:
    """Energies by window, of one source and mode ("" where lines do not say).

    repeated: windows that several lines name, as files have that older tools appended to run after
    run; the last line counts.
    """

    path: Path
    values: Mapping[int, float]
    source: str
    mode: str
    repeated: int


def read_energies(path: Path) -> EnergyFile:
    """Read the energies of one video; raises DataError naming the line that cannot be used."""
    values: dict[int, float] = {}
    kinds: dict[tuple[str, str], None] = {}
    repeated = 0
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        window, energy, kind = _energy(path, number, line)
        repeated += window in values
        values[window] = energy
        kinds.setdefault(kind)
    if len(kinds) > 1:
        named = ", ".join(" ".join(kind) for kind in kinds)
        raise DataError(
            path, f"mixes energies of {named}", "one source and mode in a file",
            "Several runs wrote into it: cut the video again into a fresh folder.",
        )  # fmt: skip
    source, mode = next(iter(kinds), ("", ""))
    return EnergyFile(path, values, source, mode, repeated)


@dataclass(frozen=True, slots=True)
class NamedSpan:
    """One segment, in seconds."""

    start: float
    stop: float
    label: str


@dataclass(frozen=True, slots=True)
class SegmentsFile:
    """A video's list of segments. duration: seconds; where nobody said, the end of the last one.

    fps: of the frames that times were counted in, None where nobody said. params: how it was cut.
    """

    path: Path
    video: str
    segments: tuple[NamedSpan, ...]
    duration: float
    fps: float | None
    params: Mapping[str, Any]


def read_segments(path: Path) -> SegmentsFile:
    """Read a list of segments; raises DataError naming what is wrong with it."""
    try:
        content = json.loads(_text(path))
    except (ValueError, RecursionError) as problem:
        raise DataError(
            path, f"is no JSON: {str(problem)[:200]}", "a list of segments"
        ) from problem
    if not isinstance(content, dict) or not isinstance(content.get("segments"), list):
        raise DataError(path, "holds no list `segments`", '{"segments": [{"start_sec": ...}]}')
    listed = content["segments"]
    if len(listed) > MOST_SEGMENTS:
        raise DataError(path, f"lists {len(listed)} segments", f"at most {MOST_SEGMENTS}")
    spans = tuple(_span(path, number, entry) for number, entry in enumerate(listed))
    told = _number(content.get("video_duration_sec"))
    last = max((span.stop for span in spans), default=0.0)
    fps = _number(content.get("fps"))
    params = content.get("segmentation_params")
    return SegmentsFile(
        path,
        str(content.get("video") or path.name.removesuffix(SEGMENTS_SUFFIX)),
        spans,
        last if told is None or told <= 0.0 else told,
        fps if fps is not None and fps > 0.0 else None,
        params if isinstance(params, dict) else {},
    )


def segment_files(root: Path) -> dict[str, Path]:
    """Return the list of segments of every video below a folder of results, by its name.

    A video's folder holds `segmented_videos/<name>_segments.json`; such folders may lie one deeper.
    Raises DataError when there is none, or when two videos share a name.
    """
    found: dict[str, Path] = {}
    for depth in ("*", "*/*"):
        for path in sorted(root.glob(f"{depth}/{CLIPS_FOLDER}/*{SEGMENTS_SUFFIX}")):
            name = path.name.removesuffix(SEGMENTS_SUFFIX)
            if name in found:
                raise DataError(
                    root, f"{path} and {found[name]} are both of the video {name!r}",
                    "one list of segments for each video", "Name one of both folders.",
                )  # fmt: skip
            found[name] = path
    if not found:
        raise DataError(
            root, "holds no lists of segments", f"*/{CLIPS_FOLDER}/*{SEGMENTS_SUFFIX}",
            "`robovalue segment stream` writes them.",
        )  # fmt: skip
    return found


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(path, "is too large", f"at most {MAX_BYTES} bytes")
        return path.read_text(encoding="utf-8")
    except OSError as problem:
        raise DataError(path, problem.strerror or str(problem), "a readable file") from problem
    except UnicodeDecodeError as problem:
        raise DataError(path, "is no text in UTF-8", "a file of JSON") from problem


def _energy(path: Path, number: int, line: str) -> tuple[int, float, tuple[str, str]]:
    expected = '{"window": 0, "energy": 1.5, "source": "velocity", "mode": "l2_mean"}'
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as problem:
        raise DataError(path, f"line {number} is no JSON", expected) from problem
    window = entry.get("window") if isinstance(entry, dict) else None
    energy = _number(entry.get("energy")) if isinstance(entry, dict) else None
    if isinstance(window, bool) or not isinstance(window, int) or energy is None:
        window = -1
    if not 0 <= window < MOST_WINDOWS or energy is None:
        raise DataError(path, f"line {number} is {line[:100]!r}", expected)
    return window, energy, (str(entry.get("source", "")), str(entry.get("mode", "")))


def _span(path: Path, number: int, entry: object) -> NamedSpan:
    start = _number(entry.get("start_sec")) if isinstance(entry, dict) else None
    stop = _number(entry.get("end_sec")) if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or start is None or stop is None or not 0.0 <= start <= stop:
        raise DataError(
            path,
            f"segment {number} is {str(entry)[:100]}",
            "start_sec and end_sec, 0 <= start <= end",
        )
    return NamedSpan(start, stop, str(entry.get("label", f"segment_{number}")))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None

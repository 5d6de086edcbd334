"""The data that the page's script reads, as text that cannot leave its element."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.report.lanes import curves
from robovalue_ros.report.model import CurveMark, ReportEpisode

PLAIN = CurveMark()


def episode_json(episode: ReportEpisode) -> str:
    """Return one episode without its videos: times in seconds from its first stamp."""
    start = float(episode.stamps_s[0])
    content = {
        "stamps": _numbers(np.asarray(episode.stamps_s, np.float64) - start, 9),
        "cameras": list(episode.videos),
        "signals": [
            {
                "name": curve.name,
                "low": _number(curve.low),
                "high": _number(curve.high),
                "unit": curve.unit,
                "values": _numbers(curve.values, 6),
                "style": episode.marks.get(curve.name, PLAIN).style,
                "note": episode.marks.get(curve.name, PLAIN).note,
            }
            for curve in curves(episode.signals)
        ],
        "bands": [
            {
                "start": _number(band.start_s - start, 9),
                "stop": _number(band.stop_s - start, 9),
                "label": band.label,
                "kind": band.kind,
                "lane": band.lane,
                "level": None if band.level is None else _number(band.level, 3),
            }
            for band in episode.bands
        ],
    }
    return inert_json(content)


def inert_json(content: Any) -> str:
    """Return JSON in which no character can end or comment out the element around it."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    # A lone surrogate is valid in a str, but not in the UTF-8 file that the page becomes.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def video_text(video: bytes | Path) -> str:
    """Return a video as base64; the script turns it into a blob when the episode is opened."""
    content = video.read_bytes() if isinstance(video, Path) else video
    return base64.b64encode(content).decode("ascii")


def _number(value: float, digits: int = 6) -> float | int | None:
    if not np.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def _numbers(values: NDArray[np.float64], digits: int) -> list[float | int | None]:
    return [_number(value, digits) for value in values.tolist()]

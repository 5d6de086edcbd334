"""What a report shows: episodes with videos and curves, chapters of text and tables, findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from robovalue_ros.contracts.types import Array, Finding
from robovalue_ros.contracts.validate import FrozenMapping, describe, frozen_array, require

BandKind = Literal["segment", "action", "good", "note", "warning", "error"]
Cell = str | int | float | bool | None
CurveStyle = Literal["strong", "plain", "thin"]


def _set(target: object, name: str, value: object) -> None:
    object.__setattr__(target, name, value)


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of an episode, [start_s, stop_s) on the clock of its stamps.

    Bands of one kind share a row: "segment" and "action" draw stretches one after the other, the
    other kinds also tint the curves below. lane: what the row is called, beside it; such rows are low. level:
    0..1, how strongly a segment is coloured, so that a row of many reads as one picture.
    """

    start_s: float
    stop_s: float
    label: str
    kind: BandKind = "segment"
    lane: str = ""
    level: float | None = None

    def __post_init__(self) -> None:
        _set(self, "start_s", float(self.start_s))
        _set(self, "stop_s", float(self.stop_s))
        ordered = np.isfinite([self.start_s, self.stop_s]).all() and self.start_s < self.stop_s
        require(
            bool(ordered),
            "start_s, stop_s",
            "finite seconds, start_s < stop_s",
            f"{self.start_s}, {self.stop_s}",
        )
        kinds = get_args(BandKind)
        require(self.kind in kinds, "kind", f"one of {', '.join(kinds)}", repr(self.kind))
        if self.level is not None:
            _set(self, "level", float(self.level))
            require(0 <= self.level <= 1, "level", "a number in 0..1", self.level)


@dataclass(frozen=True, slots=True)
class CurveMark:
    """How a curve is drawn, and a few words below its name."""

    style: CurveStyle = "plain"
    note: str = ""

    def __post_init__(self) -> None:
        styles = get_args(CurveStyle)
        require(self.style in styles, "style", f"one of {', '.join(styles)}", repr(self.style))


@dataclass(frozen=True, slots=True, eq=False)
class ReportEpisode:
    """One episode as the page shows it.

    stamps_s: (T,) strictly increasing seconds on any clock; the page shows them from zero.
    videos: camera -> an H.264 MP4 of constant rate that holds one picture per stamp: its bytes, or
    the file that holds them until the page is written. signals: name -> (T,) numbers, NaN where
    unknown. facts: shown as they are. marks: signal -> how it is drawn.
    """

    id: str
    task: str
    success: bool | None
    rate_hz: float
    stamps_s: Array
    videos: Mapping[str, bytes | Path] = field(default_factory=dict)
    signals: Mapping[str, Array] = field(default_factory=dict)
    facts: Mapping[str, Cell] = field(default_factory=dict)
    notes: str = ""
    bands: tuple[Band, ...] = ()
    marks: Mapping[str, CurveMark] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require(bool(self.id), "id", "a non-empty text", repr(self.id))
        rate = float(self.rate_hz)
        require(bool(np.isfinite(rate)) and rate >= 0, "rate_hz", "a number >= 0", self.rate_hz)
        _set(self, "rate_hz", rate)
        stamps = frozen_array("stamps_s", self.stamps_s, ndim=1)
        usable = len(stamps) > 0 and np.isfinite(stamps).all() and bool((np.diff(stamps) > 0).all())
        require(
            bool(usable), "stamps_s", "at least one second, strictly increasing", describe(stamps)
        )
        _set(self, "stamps_s", stamps)
        for name, video in self.videos.items():
            usable = isinstance(video, Path) or (isinstance(video, bytes) and len(video) > 0)
            require(usable, f"videos[{name!r}]", "the bytes of an MP4 file", describe(video))
        signals = {}
        for name, values in self.signals.items():
            array = frozen_array(f"signals[{name!r}]", values, ndim=1)
            fits = len(array) == len(stamps)
            require(fits, f"signals[{name!r}]", f"{len(stamps)} numbers", describe(array))
            signals[name] = array
        _set(self, "signals", FrozenMapping(signals))
        _set(self, "videos", FrozenMapping(self.videos))
        _set(self, "facts", FrozenMapping(self.facts))
        _set(self, "bands", tuple(self.bands))
        strange = [name for name in self.marks if name not in signals]
        require(not strange, "marks", "names of signals", strange)
        _set(self, "marks", FrozenMapping(self.marks))

    @property
    def duration_s(self) -> float:
        """Seconds from the first to the last stamp."""
        return float(self.stamps_s[-1] - self.stamps_s[0])


@dataclass(frozen=True, slots=True)
class ReportChapter:
    """A heading, paragraphs (separated by an empty line) and, with columns, a table.

    picture: a PNG that stands below the text; caption: what it shows, in words.
    """

    title: str
    text: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    picture: bytes = b""
    caption: str = ""

    def __post_init__(self) -> None:
        _set(self, "columns", tuple(self.columns))
        _set(self, "rows", tuple(tuple(row) for row in self.rows))
        for number, row in enumerate(self.rows):
            fits = len(row) == len(self.columns)
            require(fits, f"rows[{number}]", f"{len(self.columns)} cells", f"{len(row)} cells")


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """The whole page. Episode ids are unique, since links name them.

    columns: facts that stand in the table, in order; None lets the page choose numbers that differ.
    tiles: further ones for the summary: label, value, what it is about.
    """

    title: str
    subtitle: str = ""
    episodes: tuple[ReportEpisode, ...] = ()
    chapters: tuple[ReportChapter, ...] = ()
    findings: tuple[Finding, ...] = ()
    columns: tuple[str, ...] | None = None
    tiles: tuple[tuple[str, str, str], ...] = ()

    def __post_init__(self) -> None:
        for name in ("episodes", "chapters", "findings"):
            _set(self, name, tuple(getattr(self, name)))
        counts = Counter(episode.id for episode in self.episodes)
        twice = [name for name, count in counts.items() if count > 1]
        require(not twice, "episodes", "ids that occur once", f"{twice[:3]} more than once")

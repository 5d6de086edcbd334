"""What the stages of a stream hand on: a window's frames, its reading, and what follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.frames import Image
from robovalue_ros.segment.gates import GateAnswer
from robovalue_ros.segment.selection import Why
from robovalue_ros.segment.tracking import Tokens

Gate = Literal["open", "pixels", "motion"]


@dataclass(frozen=True, slots=True, eq=False)
class FrameTimes:
    """The frames [start, stop) of a window, counted among those that were looked at.

    stamps_ns: (T,) their stamps. source: (T,) their numbers among all frames that came.
    """

    start: int
    stop: int
    stamps_ns: NDArray[np.int64]
    source: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds that a window took: following points, and the tokenizer."""

    track_s: float = 0.0
    forward_s: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What is known about one window, from its own frames alone.

    energy: None where there is none; the window then counts for nothing. tokens: None where a gate
    left the window out, or nobody tokenizes. images: its frames, or nothing for a stored reading.
    """

    window: int
    frames: FrameTimes
    energy: float | None
    tokens: Tokens | None = None
    gate: Gate = "open"
    pixels: GateAnswer | None = None
    motion: GateAnswer | None = None
    images: tuple[Image, ...] = ()
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame by its three names: index among those looked at, source index, stamp."""

    index: int
    source: int
    stamp_ns: int


@dataclass(frozen=True, slots=True)
class SegmentOpened:
    """An action begins. number: counts all actions, also those that are not kept in the end."""

    number: int
    window: int
    first: Moment


@dataclass(frozen=True, slots=True, eq=False)
class FramesAppended:
    """Frames [start, stop) of the open action. images: the same frames, where there are any."""

    number: int
    start: int
    stop: int
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ChosenCodes:
    """A window whose codes belong to an action."""

    window: int
    tokens: Tokens


@dataclass(frozen=True, slots=True, eq=False)
class SegmentClosed:
    """An action ended: frames first.index to last.index, both inside.

    windows: [first, behind the last). why: "kept", or why it is not. at_end: the stream ended, not
    the action. codes: of the windows that belong to it, in order.
    """

    number: int
    windows: tuple[int, int]
    first: Moment
    last: Moment
    why: Why
    at_end: bool
    codes: tuple[ChosenCodes, ...]

    @property
    def kept(self) -> bool:
        return self.why == "kept"

    @property
    def start(self) -> int:
        return self.first.index

    @property
    def stop(self) -> int:
        return self.last.index + 1


Event = SegmentOpened | FramesAppended | SegmentClosed


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """What one window changed. smoothed: the energy after smoothing. active: in an action."""

    reading: Reading
    smoothed: float | None
    active: bool
    events: tuple[Event, ...]

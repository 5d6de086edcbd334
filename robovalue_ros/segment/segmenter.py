"""From readings to actions: smoothing, the state machine, and what belongs to an action."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from robovalue_ros.segment.events import (
    ChosenCodes,
    Event,
    FramesAppended,
    FrameTimes,
    Moment,
    Reading,
    SegmentClosed,
    SegmentOpened,
    Update,
)
from robovalue_ros.segment.hysteresis import Hysteresis
from robovalue_ros.segment.options import StreamOptions
from robovalue_ros.segment.selection import CodeChooser, first_frame, verdict
from robovalue_ros.segment.smoothing import Smoother
from robovalue_ros.segment.tracking import Tokens
from robovalue_ros.segment.windows import Schedule


@dataclass(slots=True, eq=False)
class _Open:
    """The action that is open. stop: behind the last frame that it has."""

    number: int
    window: int
    first: Moment
    stop: int
    chooser: CodeChooser
    last_window: int
    last: Moment
    codes: list[ChosenCodes] = field(default_factory=list)


class Segmenter:
    """Takes the readings of windows in order and says what each changes.

    A window that never comes is left out, and nothing else changes: every reading says which window
    it is, and time goes on by these numbers. has_codes: whether readings carry tokens.
    """

    def __init__(self, options: StreamOptions, has_codes: bool) -> None:
        self._options = options
        self._schedule = options.schedule
        self._has_codes = has_codes
        self._machine = Hysteresis(options.hysteresis, options.longest)
        self._smoother = Smoother(options.smoothing)
        self._open: _Open | None = None
        self._count = 0

    @property
    def active(self) -> bool:
        """Whether an action is open."""
        return self._open is not None

    def tune(self, options: StreamOptions) -> None:
        """Use other guards from the next window on; window, stride and smoothing stay."""
        self._options = options
        self._machine.tune(options.hysteresis, options.longest)

    def absorb(self, reading: Reading) -> Update:
        """Take the reading of the next window; raises ContractError when it is not a later one."""
        if reading.energy is None:
            return Update(reading, None, self.active, ())
        smoothed, energy = self._level(reading.energy)
        step = self._machine.push(reading.window, energy)
        events: list[Event] = []
        if step.began:
            events.append(self._begin(reading))
        if self._open is not None:
            events.append(self._append(self._open, reading))
            if step.ended:
                events.append(self._close(self._open, at_end=False))
        return Update(reading, smoothed, step.active, tuple(events))

    def finish(self) -> SegmentClosed | None:
        """Close an open action at its last window, by the same rules as any other."""
        self._machine.close()
        return None if self._open is None else self._close(self._open, at_end=True)

    def _level(self, energy: float) -> tuple[float, float]:
        """Return the smoothed energy and the one that decides."""
        smoothing = self._options.smoothing
        if not smoothing.enable:
            return energy, energy
        smoothed = self._smoother.push(energy)
        return smoothed, smoothed if smoothing.use_for_seg else energy

    def _begin(self, reading: Reading) -> SegmentOpened:
        selection = self._options.selection
        start = first_frame(self._schedule, reading.window, selection.align)
        first = _moment(reading.frames, start)
        chooser = CodeChooser(self._schedule, selection, start)
        self._open = _Open(
            self._count, reading.window, first, start, chooser, reading.window, first
        )
        self._count += 1
        return SegmentOpened(self._open.number, reading.window, first)

    def _append(self, action: _Open, reading: Reading) -> FramesAppended:
        frames = reading.frames
        start = max(action.stop, frames.start)
        action.stop, action.last_window = frames.stop, reading.window
        action.last = _moment(frames, frames.stop - 1)
        wanted = reading.tokens if self._options.selection.export_codes else None
        if wanted is not None and action.chooser.offer(reading.window):
            action.codes.append(ChosenCodes(reading.window, wanted))
        images = reading.images[start - frames.start :] if reading.images else ()
        return FramesAppended(action.number, start, frames.stop, images)

    def _close(self, action: _Open, *, at_end: bool) -> SegmentClosed:
        self._open = None
        options = self._options
        why = verdict(
            action.last_window - action.window + 1,
            action.chooser if self._has_codes else None,
            options.selection,
            compat=options.compatible,
        )
        return SegmentClosed(
            action.number, (action.window, action.last_window + 1), action.first, action.last,
            why, at_end, tuple(action.codes),
        )  # fmt: skip


def stored_reading(
    schedule: Schedule,
    window: int,
    energy: float | None,
    tokens: Tokens | None = None,
    *,
    fps: float,
) -> Reading:
    """Return the reading of a window whose energy is already known, of an even recording."""
    start, stop = schedule.span(window)
    index = np.arange(start, stop, dtype=np.int64)
    stamps = np.rint(index * (1e9 / fps)).astype(np.int64)
    return Reading(window, FrameTimes(start, stop, stamps, index), energy, tokens)


def _moment(frames: FrameTimes, index: int) -> Moment:
    at = index - frames.start
    return Moment(index, int(frames.source[at]), int(frames.stamps_ns[at]))

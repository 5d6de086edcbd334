"""Pushes the moments of a bag through the value stream, and knows where one try ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from robovalue_ros.contracts.types import Frame
from robovalue_ros.value.stream.continuity import Continuity
from robovalue_ros.value.stream.flags import Floats
from robovalue_ros.value.stream.live import ValueSample, ValueStream
from robovalue_ros.value.stream.telling import Event, EventTeller


@dataclass(frozen=True, slots=True)
class Scored:
    """What is known at one frame. episode, frame: counted from 0. events: what began there."""

    sample: ValueSample
    episode: int
    frame: int
    events: tuple[Event, ...]


class Tries:
    """Scores the frames of one bag; each try begins with a stream that has forgotten the last.

    A try ends when stamps go back clearly (a recording that was begun again), after a pause longer
    than gap_ns, and at `end`. Frames that are only a little late are left out, as they are live.
    """

    def __init__(self, stream: ValueStream, gap_ns: int) -> None:
        self._stream = stream
        # The rule of the live node: what is a jump there ends a try here.
        self._continuity = Continuity(jump_ns=gap_ns)
        self._teller = EventTeller(stream.model.id)
        self.episodes = self.frames = self.late = 0
        self._frame = 0
        stream.reset()

    def end(self) -> None:
        """End the try: the next frame begins another."""
        self._continuity.reset()

    def push(self, frame: Frame, small: Mapping[str, Floats]) -> Scored | None:
        """Score a frame, its images made `small` too; None when it is too late to count."""
        verdict = self._continuity.judge(frame.stamp_ns)
        if not verdict.accept:
            self.late += 1
            return None
        if verdict.reset or verdict.kind == "first":
            self._stream.reset()
            self._teller.reset()
            self.episodes += 1
            self._frame = 0
        sample = self._stream.push(frame, small)
        scored = Scored(sample, self.episodes - 1, self._frame, tuple(self._teller.push(sample)))
        self._frame += 1
        self.frames += 1
        return scored

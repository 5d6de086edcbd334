"""What is told about a sample, by every door in the same words: its state, and what just began."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from robovalue_ros.value.stream.live import ValueSample

EventKind = Literal["stall", "regression", "unknown", "done"]
# Worst first: the state's sentence names the first that holds.
FLAGS: tuple[tuple[str, EventKind, str], ...] = (
    ("unknown", "unknown", "unlike any demonstration"),
    ("regression", "regression", "the value has fallen clearly"),
    ("stall", "stall", "nothing moves"),
    ("declared", "done", "the task looks done"),
)
PART = "value"


@dataclass(frozen=True, slots=True)
class Told:
    """The state at one frame. level: warning when a person should look."""

    level: Literal["ok", "warning"]
    message: str
    values: Mapping[str, str | float | bool]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that began at a frame."""

    kind: EventKind
    stamp_ns: int
    value: float
    model_id: str

    def to_json(self) -> str:
        """Return one line of JSON, the same bytes for the same event."""
        content = {
            "event": self.kind, "stamp_ns": self.stamp_ns, "value": self.value,
            "model": self.model_id,
        }  # fmt: skip
        return json.dumps(content)


def told(sample: ValueSample, model_id: str) -> Told:
    """Return the state of a sample. A stall after the task looks done is no cause for concern."""
    raised = [words for name, _, words in FLAGS if getattr(sample, name)]
    alarm = sample.unknown or sample.regression or (sample.stall and not sample.declared)
    message = raised[0] if alarm else FLAGS[-1][2] if sample.declared else "under way"
    return Told(
        "warning" if alarm else "ok",
        message,
        {
            "value": sample.value, "stall": sample.stall, "regression": sample.regression,
            "unknown": sample.unknown, "declared": sample.declared, "model": model_id,
        },
    )  # fmt: skip


class EventTeller:
    """Turns samples into events: each flag once when it rises, again only after it fell."""

    def __init__(self, model_id: str) -> None:
        self._model_id = model_id
        self.reset()

    def reset(self) -> None:
        """Begin a new try: every flag is down."""
        self._up = {name: False for name, _, _ in FLAGS}

    def push(self, sample: ValueSample) -> list[Event]:
        """Return what began at this sample."""
        events = []
        for name, kind, _ in FLAGS:
            now = bool(getattr(sample, name))
            if now and not self._up[name]:
                events.append(Event(kind, sample.stamp_ns, sample.value, self._model_id))
            self._up[name] = now
        return events

"""What the segmenter node tells about a window."""

from __future__ import annotations

import math
from dataclasses import dataclass

from robovalue_ros.nodes.diagnostics import Health, Value
from robovalue_ros.segment.events import Update
from robovalue_ros.segment.options import StreamOptions
from robovalue_ros.segment.warm_up import is_watching

COUNTS = (
    "received", "looked_at", "published", "refused", "late_pictures", "restarts", "unstamped",
    "windows", "windows_late", "windows_skipped", "actions",
)  # fmt: skip
PART = "action"
REST = -1


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a window took and how long it might: seconds. latency: since its last stamp."""

    cost_s: float
    budget_s: float
    latency_s: float
    share_s: float

    @property
    def late(self) -> bool:
        return self.cost_s > self.budget_s


def told_threshold(options: StreamOptions) -> float:
    """Return the threshold, NaN while it is not known yet."""
    return math.nan if is_watching(options) else options.hysteresis.threshold


def window_state(update: Update, options: StreamOptions, pace: Pace) -> Health:
    """Tell the state at a window. segment: the number of its action, -1 at rest."""
    reading = update.reading
    number = next((event.number for event in update.events), REST)
    energy = math.nan if reading.energy is None else reading.energy
    values: dict[str, Value] = {
        "window": reading.window,
        "energy": energy,
        "smoothed": energy if update.smoothed is None else update.smoothed,
        "threshold": told_threshold(options),
        "watching": is_watching(options),
        "active": update.active,
        "segment": number,
        "gate": reading.gate,
        "budget_ms": round(pace.budget_s * 1e3, 3),
        "cost_ms": round(pace.cost_s * 1e3, 3),
        "late": pace.late,
        "latency_ms": round(pace.latency_s * 1e3, 3),
        "share_ms": round(pace.share_s * 1e3, 3),
    }
    words = "in an action" if update.active else "at rest"
    if is_watching(options):
        words = "watching, no threshold yet"
    return Health(PART, "ok", words, values)

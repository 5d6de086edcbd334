"""What the segmenter node tells about a window, and diagnostics: the stream and its camera."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from robovalue_ros.nodes.diagnostics import Health, HealthLevel, Value, worst
from robovalue_ros.nodes.value_config import CameraTopic
from robovalue_ros.nodes.vitals import Report
from robovalue_ros.segment.events import Update

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


def window_state(update: Update, threshold: float, pace: Pace) -> Health:
    """Tell the state at a window. segment: the number of its action, -1 at rest."""
    reading = update.reading
    number = next((event.number for event in update.events), REST)
    energy = math.nan if reading.energy is None else reading.energy
    values: dict[str, Value] = {
        "window": reading.window,
        "energy": energy,
        "smoothed": energy if update.smoothed is None else update.smoothed,
        "threshold": threshold,
        "active": update.active,
        "segment": number,
        "gate": reading.gate,
        "budget_ms": round(pace.budget_s * 1e3, 3),
        "cost_ms": round(pace.cost_s * 1e3, 3),
        "late": pace.late,
        "latency_ms": round(pace.latency_s * 1e3, 3),
        "share_ms": round(pace.share_s * 1e3, 3),
    }
    return Health(PART, "ok", "in an action" if update.active else "at rest", values)


def camera_health(
    camera: CameraTopic, report: Report, lost_s: float, note: str | None, refused: int
) -> Health:
    """Tell whether the camera is there and usable. refused: pictures that nobody can read."""
    age, rate = report.ages_s[camera.camera], report.rates_hz[camera.camera]
    level: HealthLevel
    if math.isinf(age):
        level, message = "error", f"nothing has come on {camera.topic}"
    elif age > max(lost_s, 0.5):
        level, message = "error", f"lost: nothing has come for {age:.1f} s"
    else:
        level, message = "ok", f"{rate:.1f} pictures per second"
    if note is not None:
        level, message = worst([level, "warning"]), f"{message}; {note}"
    values: dict[str, Value] = {
        "topic": camera.topic, "rate_hz": round(rate, 2), "age_s": round(age, 3),
        "received": report.counts.get("received", 0), "refused": refused,
    }  # fmt: skip
    return Health(f"camera {camera.camera}", level, message, values)


def stream_health(
    report: Report, camera: Health, note: str | None, values: Mapping[str, Value]
) -> Health:
    """Tell how the whole is doing: rate, latencies, windows that were late or left out."""
    level = camera.level
    message = "" if level == "ok" else camera.message
    if note is not None:
        level = worst([level, "warning"])
        message = f"{message}; {note}" if message else note
    return Health(
        "stream",
        level,
        message or f"{report.published_hz:.1f} windows per second",
        {
            **values,
            "rate_hz": round(report.published_hz, 2),
            "latency_p50_ms": round(report.latency.p50_ms, 3),
            "latency_p95_ms": round(report.latency.p95_ms, 3),
            "share_p50_ms": round(report.share.p50_ms, 3),
            "share_p95_ms": round(report.share.p95_ms, 3),
            **{name: report.counts.get(name, 0) for name in COUNTS},
        },
    )

"""Diagnostics of the value node: one part for the stream, one for each camera."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robovalue_ros.nodes.diagnostics import Health, HealthLevel, Value, worst
from robovalue_ros.nodes.value_config import CameraTopic
from robovalue_ros.nodes.vitals import Report
from robovalue_ros.value.stream.continuity import Verdict
from robovalue_ros.value.stream.pairing import Tally

NOTE_S = 5.0
COUNTS = ("moments", "published", "dropped", "refused", "late", "restarts", "unstamped")


class Notes:
    """What was noticed lately, the newest of each place; any thread may add."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notes: dict[str, tuple[str, float]] = {}

    def add(self, where: str, what: str, now_s: float) -> None:
        with self._lock:
            self._notes[where] = (what, now_s)

    def recent(self, now_s: float) -> dict[str, str]:
        """Return what is not older than a few seconds, by place."""
        with self._lock:
            return {
                where: what for where, (what, at) in self._notes.items() if now_s - at <= NOTE_S
            }


@dataclass(frozen=True, slots=True)
class Reading:
    """What the parts of one diagnostic message are made of."""

    report: Report
    tallies: Mapping[str, Tally]
    notes: Mapping[str, str]
    lost_s: float


def moment_words(verdict: Verdict) -> str:
    """Say what is unusual about a moment's stamp; nothing for the usual."""
    seconds = f"{abs(verdict.step_ns) * 1e-9:.1f} s"
    return {
        "back": f"stamps went back by {seconds}: a new try began",
        "jump": f"stamps leapt ahead by {seconds}: a new try began",
        "gap": f"no picture for {seconds}",
    }.get(verdict.kind, "")


def camera_health(camera: CameraTopic, reading: Reading) -> Health:
    """Tell whether a camera is there and usable."""
    name, tally = camera.camera, reading.tallies[camera.camera]
    age, rate = reading.report.ages_s[name], reading.report.rates_hz[name]
    note = reading.notes.get(name)
    level: HealthLevel
    if math.isinf(age):
        level, message = "error", f"nothing has come on {camera.topic}"
    elif age > max(reading.lost_s, 0.5):
        level, message = "error", f"lost: nothing has come for {age:.1f} s"
    else:
        level, message = "ok", f"{rate:.1f} pictures per second"
    if note is not None:
        level, message = worst([level, "warning"]), f"{message}; {note}"
    values: dict[str, Value] = {
        "topic": camera.topic, "rate_hz": round(rate, 2), "age_s": round(age, 3),
        "received": tally.seen, "used": tally.used, "unused": tally.unused, "late": tally.late,
        "missed": tally.missed,
    }  # fmt: skip
    return Health(f"camera {name}", level, message, values)


def stream_health(
    reading: Reading, cameras: Sequence[Health], values: Mapping[str, Value]
) -> Health:
    """Tell how the whole is doing: latencies, losses, and the worst of its cameras."""
    report, note = reading.report, reading.notes.get("stream")
    level = worst([health.level for health in cameras])
    message = next((h.message for h in cameras if h.level == level and level != "ok"), "")
    if note is not None:
        level = worst([level, "warning"])
        message = f"{message}; {note}" if message else note
    counts = {name: report.counts.get(name, 0) for name in COUNTS}
    newest = min(report.ages_s.values(), default=math.inf)
    return Health(
        "stream",
        level,
        message or f"{report.published_hz:.1f} values per second",
        {
            **values,
            "rate_hz": round(report.published_hz, 2),
            "latency_p50_ms": round(report.latency.p50_ms, 3),
            "latency_p95_ms": round(report.latency.p95_ms, 3),
            "share_p50_ms": round(report.share.p50_ms, 3),
            "share_p95_ms": round(report.share.p95_ms, 3),
            "newest_age_s": round(newest, 3),
            **counts,
        },
    )

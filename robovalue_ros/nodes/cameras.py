"""Cameras as topics: where they are heard, and how they are doing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from robovalue_ros.nodes.diagnostics import Health, HealthLevel, Value, worst
from robovalue_ros.nodes.vitals import Report
from robovalue_ros.value.stream.continuity import Verdict

Transport = Literal["auto", "raw", "compressed"]
Reliability = Literal["best_effort", "reliable"]
COMPRESSED = "/compressed"
LEAST_LOST_S = 0.5


@dataclass(frozen=True, slots=True)
class CameraTopic:
    """Where a camera is heard. compressed: type of the topic."""

    camera: str
    topic: str
    compressed: bool


def is_compressed(topic: str, transport: Transport) -> bool:
    """Say whether a topic carries compressed pictures."""
    return transport == "compressed" or (transport == "auto" and topic.endswith(COMPRESSED))


def moment_words(verdict: Verdict) -> str:
    """Say what is unusual about a moment's stamp; nothing for the usual."""
    seconds = f"{abs(verdict.step_ns) * 1e-9:.1f} s"
    return {
        "back": f"stamps went back by {seconds}: a new try began",
        "jump": f"stamps leapt ahead by {seconds}: a new try began",
        "gap": f"no picture for {seconds}",
    }.get(verdict.kind, "")


def camera_health(
    camera: CameraTopic,
    report: Report,
    lost_s: float,
    note: str | None,
    counts: Mapping[str, Value],
) -> Health:
    """Tell whether a camera is there and usable. counts: what became of its pictures."""
    age, rate = report.ages_s[camera.camera], report.rates_hz[camera.camera]
    level: HealthLevel
    if math.isinf(age):
        level, message = "error", f"nothing has come on {camera.topic}"
    elif age > max(lost_s, LEAST_LOST_S):
        level, message = "error", f"lost: nothing has come for {age:.1f} s"
    else:
        level, message = "ok", f"{rate:.1f} pictures per second"
    if note is not None:
        level, message = worst([level, "warning"]), f"{message}; {note}"
    values: dict[str, Value] = {
        "topic": camera.topic, "rate_hz": round(rate, 2), "age_s": round(age, 3), **counts
    }  # fmt: skip
    return Health(f"camera {camera.camera}", level, message, values)


def stream_health(
    report: Report,
    cameras: Sequence[Health],
    note: str | None,
    results: str,
    values: Mapping[str, Value],
    counts: Sequence[str],
) -> Health:
    """Tell how the whole is doing: latencies, losses, and the worst of its cameras.

    results: what is published, such as "values". counts: names of what the report counted.
    """
    level = worst([health.level for health in cameras])
    message = next((h.message for h in cameras if h.level == level and level != "ok"), "")
    if note is not None:
        level = worst([level, "warning"])
        message = f"{message}; {note}" if message else note
    return Health(
        "stream",
        level,
        message or f"{report.published_hz:.1f} {results} per second",
        {
            **values,
            "rate_hz": round(report.published_hz, 2),
            "latency_p50_ms": round(report.latency.p50_ms, 3),
            "latency_p95_ms": round(report.latency.p95_ms, 3),
            "share_p50_ms": round(report.share.p50_ms, 3),
            "share_p95_ms": round(report.share.p95_ms, 3),
            "newest_age_s": round(min(report.ages_s.values(), default=math.inf), 3),
            **{name: report.counts.get(name, 0) for name in counts},
        },
    )

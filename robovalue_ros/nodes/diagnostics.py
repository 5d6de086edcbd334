"""How a node is doing, as the messages that robots' dashboards read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

HealthLevel = Literal["ok", "warning", "error", "stale"]
Value = str | int | float | bool
_LEVELS = {
    "ok": DiagnosticStatus.OK,
    "warning": DiagnosticStatus.WARN,
    "error": DiagnosticStatus.ERROR,
    "stale": DiagnosticStatus.STALE,
}
_ORDER: tuple[HealthLevel, ...] = ("ok", "stale", "warning", "error")


@dataclass(frozen=True, slots=True)
class Health:
    """The state of one part of a node. values: numbers and texts beside the sentence."""

    part: str
    level: HealthLevel
    message: str
    values: Mapping[str, Value] = field(default_factory=dict)


def worst(levels: Sequence[HealthLevel]) -> HealthLevel:
    """Return the level to show for a whole whose parts have these."""
    return max(levels, key=_ORDER.index, default="ok")


def health_to_ros(
    parts: Sequence[Health], stamp: Time, node_name: str, hardware_id: str = ""
) -> DiagnosticArray:
    """Return a message with one status per part, named `node: part`."""
    array = DiagnosticArray()
    array.header.stamp = stamp
    array.status = [
        DiagnosticStatus(
            level=_LEVELS[health.level],
            name=f"{node_name}: {health.part}",
            message=health.message,
            hardware_id=hardware_id,
            values=[
                KeyValue(key=key, value=value_text(value)) for key, value in health.values.items()
            ],
        )
        for health in parts
    ]
    return array


def value_text(value: Value) -> str:
    """Return a value as other programs read it back: true and false, nan, numbers with a point."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    return str(value)


def values_from_ros(status: DiagnosticStatus) -> dict[str, str]:
    """Return the values of a status by key."""
    return {pair.key: pair.value for pair in status.values}

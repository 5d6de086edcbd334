"""When the next message of a bag is due, and how well that was kept; without ROS and its clocks."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from robovalue_ros.contracts.validate import require

DEPTH = 100
MOST_DEPTH = 10_000
_BIN_NS = 100_000
_BINS = 10_000
_RELIABLE, _TRANSIENT = (1, "reliable"), (1, "transient_local")


class Timetable:
    """Maps times of the bag to times of the wall. rate: bag seconds per second of the wall."""

    def __init__(self, rate: float, first_ns: int, begun_ns: int) -> None:
        require(rate > 0, "rate", "more than 0", rate)
        self._rate, self._first_ns, self._begun_ns = rate, first_ns, begun_ns

    def due_ns(self, log_ns: int) -> int:
        """Return when a message is due on the wall's clock."""
        return self._begun_ns + int((log_ns - self._first_ns) / self._rate)

    def bag_ns(self, wall_ns: int) -> int:
        """Return what time it is in the bag."""
        return self._first_ns + int((wall_ns - self._begun_ns) * self._rate)


@dataclass
class Lateness:
    """How late messages left, in bins of 0.1 ms; the last bin holds everything beyond a second."""

    count: int = 0
    worst_ns: int = 0
    bins: array[int] = field(default_factory=lambda: array("q", bytes(8 * (_BINS + 1))))

    def add(self, late_ns: int) -> None:
        """Count a message; leaving early is not late."""
        late_ns = max(0, late_ns)
        self.count += 1
        self.worst_ns = max(self.worst_ns, late_ns)
        self.bins[min(late_ns // _BIN_NS, _BINS)] += 1

    def quantile_ms(self, share: float) -> float:
        """Return the lateness that a share of the messages did not exceed, to 0.1 ms."""
        wanted, seen = share * self.count, 0
        for place, count in enumerate(self.bins):
            seen += count
            if count and seen >= wanted:
                return min((place + 1) * _BIN_NS, self.worst_ns) / 1e6
        return self.worst_ns / 1e6


@dataclass(frozen=True, slots=True)
class Quality:
    """How a topic is published."""

    reliable: bool = True
    transient_local: bool = False
    depth: int = DEPTH


def quality_of(text: str) -> Quality:
    """Return what a bag tells about a topic's publishers; usual values where it tells nothing.

    Of several publishers that differ the one most subscribers can hear counts: reliable.
    """
    try:
        content: Any = yaml.safe_load(text) if text else None
    except (yaml.YAMLError, ValueError, RecursionError):
        content = None
    profiles = content if isinstance(content, list) else []
    profiles = [profile for profile in profiles if isinstance(profile, Mapping)]
    if not profiles:
        return Quality()
    depths = [d for p in profiles if type(d := p.get("depth")) is int and 0 < d <= MOST_DEPTH]
    return Quality(
        any(_plain(profile.get("reliability", 1)) in _RELIABLE for profile in profiles),
        all(_plain(profile.get("durability", 2)) in _TRANSIENT for profile in profiles),
        max([DEPTH, *depths]),
    )


def _plain(value: object) -> object:
    return value.lower() if isinstance(value, str) else value

"""How a node is doing: rates, latencies and what was lost, over the last few seconds."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

WINDOW_S = 5.0
MOST_KEPT = 2048


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 95th percentile of some times, milliseconds; NaN when there were none."""

    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class Report:
    """What `Vitals.report` tells. rates_hz, ages_s: by source; an age is infinite before the first.

    counts: since the beginning.
    """

    rates_hz: Mapping[str, float]
    ages_s: Mapping[str, float]
    latency: Spread
    share: Spread
    published_hz: float
    counts: Mapping[str, int]


class Vitals:
    """Collects what happens, from any thread; memory is bounded.

    sources: names of what arrives. Times are seconds of a clock that never goes back.
    """

    def __init__(self, sources: Sequence[str], window_s: float = WINDOW_S) -> None:
        self._lock = threading.Lock()
        self._window = window_s
        self._arrivals: dict[str, deque[float]] = {
            name: deque(maxlen=MOST_KEPT) for name in sources
        }
        self._done: deque[tuple[float, float, float]] = deque(maxlen=MOST_KEPT)
        self._counts: dict[str, int] = {}

    def arrived(self, source: str, now_s: float) -> None:
        """Note that something came from `source`."""
        with self._lock:
            self._arrivals[source].append(now_s)
            self._counts["received"] = self._counts.get("received", 0) + 1

    def published(self, now_s: float, latency_s: float, share_s: float) -> None:
        """Note a result. latency_s: since its stamp. share_s: since it arrived here."""
        with self._lock:
            self._done.append((now_s, latency_s, share_s))
            self._counts["published"] = self._counts.get("published", 0) + 1

    def count(self, what: str, many: int = 1) -> None:
        """Note that something happened."""
        with self._lock:
            self._counts[what] = self._counts.get(what, 0) + many

    def age_s(self, source: str, now_s: float) -> float:
        """Return how long ago `source` was heard, infinite when never."""
        with self._lock:
            return _age(self._arrivals[source], now_s)

    def report(self, now_s: float) -> Report:
        """Summarise the window before `now_s`."""
        with self._lock:
            recent = [row for row in self._done if now_s - row[0] <= self._window]
            return Report(
                {name: self._rate(times, now_s) for name, times in self._arrivals.items()},
                {name: _age(times, now_s) for name, times in self._arrivals.items()},
                _spread([row[1] for row in recent]),
                _spread([row[2] for row in recent]),
                self._rate([row[0] for row in recent], now_s),
                dict(self._counts),
            )

    def _rate(self, times: Sequence[float], now_s: float) -> float:
        """Return events per second from the steps between them, 0 for fewer than two."""
        recent = [time for time in times if now_s - time <= self._window]
        if len(recent) < 2 or recent[-1] <= recent[0]:
            return 0.0
        return (len(recent) - 1) / (recent[-1] - recent[0])


def _age(times: Sequence[float], now_s: float) -> float:
    return now_s - times[-1] if times else float("inf")


def _spread(seconds: Sequence[float]) -> Spread:
    if not seconds:
        return Spread(float("nan"), float("nan"))
    middle, high = np.percentile(seconds, (50, 95)) * 1e3
    return Spread(float(middle), float(high))

"""How long windows took, beside the time that there was."""

from __future__ import annotations

import resource
import time
from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np

NAMES = ("t_track_s", "t_forward_s", "t_total_s", "budget_s", "slack_s", "latency_s")


@dataclass(frozen=True, slots=True)
class WindowTimes:
    """Seconds of one window. latency: from its last frame to its result."""

    track: float
    forward: float
    total: float
    budget: float
    latency: float

    @property
    def slack(self) -> float:
        return self.budget - self.total

    @property
    def late(self) -> bool:
        return self.total > self.budget

    @property
    def status(self) -> str:
        return f"LAG(+{self.total - self.budget:.3f}s)" if self.late else "OK"

    def line(self) -> dict[str, float | str]:
        """Return the times under the names of the files."""
        return {
            "t_track_s": self.track, "t_forward_s": self.forward, "t_total_s": self.total,
            "budget_s": self.budget, "slack_s": self.slack, "status": self.status,
            "latency_s": self.latency,
        }  # fmt: skip


@dataclass(slots=True)
class TimeBook:
    """All windows of a video: eight bytes for each number, so that hours of it fit into memory."""

    late: int = 0
    left_out: int = 0
    begun: float = field(default_factory=time.perf_counter)
    _columns: dict[str, array[float]] = field(
        default_factory=lambda: {name: array("d") for name in NAMES}
    )

    def add(self, times: WindowTimes) -> None:
        """Enter a window."""
        self.late += times.late
        line = times.line()
        for name, column in self._columns.items():
            column.append(float(line[name]))

    @property
    def windows(self) -> int:
        return len(self._columns["t_total_s"])

    def summary(self, stride: int, parameters: int = 0) -> dict[str, Any]:
        """Return means, quantiles and rates. parameters: of the networks that took part."""
        wall = time.perf_counter() - self.begun
        done = self.windows
        rate = done / wall if wall > 0.0 else 0.0
        return {
            **{name: _spread(column) for name, column in self._columns.items()},
            "ok_ratio": (done - self.late) / done if done else 1.0,
            "windows_done": done,
            "windows_late": self.late,
            "windows_left_out": self.left_out,
            "wall_time_s": wall,
            "realized_windows_per_sec": rate,
            "throughput_fps_estimate": rate * stride,
            "cpu_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0,
            "gpu_memory_mb": _gpu_memory_mb(),
            "param_count": parameters,
        }


def _spread(column: array[float]) -> dict[str, float]:
    if not column:
        return dict.fromkeys(("mean", "p50", "p95", "max"), 0.0)
    values = np.frombuffer(column, np.float64)
    middle, high = np.quantile(values, (0.5, 0.95))
    return {
        "mean": float(values.mean()), "p50": float(middle), "p95": float(high),
        "max": float(values.max()),
    }  # fmt: skip


def _gpu_memory_mb() -> float:
    import sys

    torch = sys.modules.get("torch")  # whoever has not loaded it has nothing on a GPU
    if torch is None or not torch.cuda.is_available():
        return 0.0
    return float(torch.cuda.max_memory_allocated()) / 2**20

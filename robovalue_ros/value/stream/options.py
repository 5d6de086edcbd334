"""What may be chosen when a value model is fitted."""

from __future__ import annotations

from dataclasses import dataclass

from robovalue_ros.contracts.config import option


@dataclass(frozen=True)
class FitOptions:
    """How a value model is made. The defaults were measured; see benchmarks/value_study."""

    steps: int = option(
        0, "training steps; 0: about ten per frame of a usual demonstration", low=0, high=100_000
    )
    batch: int = option(32, "scenes per training step", low=1, high=4096)
    made_up: bool = option(
        True, "also learn from scenes that did not happen, in which things were left behind or lost"
    )
    smooth_s: float | None = option(
        None, "time constant of the value, seconds; none: an eightieth of a usual demonstration",
        low=0.0, high=10.0,
    )  # fmt: skip
    stall_s: float = option(
        0.6, "seconds without movement that count as a stall", low=0.05, high=60.0
    )
    fall: float = option(0.12, "fall of the value that counts as a regression", low=0.01, high=1.0)
    dwell_s: float = option(
        0.05, "seconds that the task must look done before it is declared done", low=0.0, high=60.0
    )

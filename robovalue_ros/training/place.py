"""Where a training is."""

from __future__ import annotations

from dataclasses import dataclass, field

from robovalue_ros.training.tally import Tally


@dataclass
class Place:
    """All that a checkpoint holds beside weights and optimizer."""

    epoch: int = 0
    step_in_epoch: int = 0
    step: int = 0
    best: float | None = None
    best_epoch: int = 0
    since_best: int = 0
    told: list[str] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)

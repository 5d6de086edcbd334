"""How the sequence network is trained; read by doors that have no torch."""

from __future__ import annotations

from dataclasses import dataclass

from robovalue_ros.contracts.config import option, same_as
from robovalue_ros.training.options import LoopConfig, ScheduleKind


@dataclass(frozen=True)
class CodeTraining:
    """Section `training`."""

    epochs: int = option(60, "most passes over the data", low=1, high=100_000)
    batch_size: int = option(256, "sequences per step", low=1)
    num_train_steps: int | None = same_as(LoopConfig, "num_train_steps")
    lr: float = option(1e-3, "learning rate of Adam", low=0.0)
    lr_schedule: ScheduleKind = same_as(LoopConfig, "lr_schedule", default="constant")
    warm_up: float = same_as(LoopConfig, "warm_up", default=0.0)
    warmup_steps: int | None = same_as(LoopConfig, "warmup_steps")
    decay_steps: int | None = same_as(LoopConfig, "decay_steps")
    decay_lr: float | None = same_as(LoopConfig, "decay_lr")
    timescale: float | None = same_as(LoopConfig, "timescale")
    weight_decay: float = option(1e-4, "weight decay of Adam", low=0.0)
    grad_clip: float = option(1.0, "largest norm of a gradient; 0: any", low=0.0)
    val_ratio: float = option(0.1, "share of each class that judges", low=0.0, high=0.9)
    min_delta: float = option(5e-4, "a loss must fall by more than this to be better", low=0.0)
    patience: int = option(8, "stop after so many epochs that are not better", low=1)
    balanced: bool = option(True, "draw every class equally often")
    seed: int = option(0, "of the split, the weights, the order and the dropout", low=0)

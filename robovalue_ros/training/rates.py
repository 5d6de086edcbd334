"""The learning rate of each step of a run: its schedule, fitted to its length and its plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from robovalue_ros.plans.schedule import (
    ConstantSchedule,
    CosineSchedule,
    LearningSchedule,
    RsqrtSchedule,
    ScheduleOptions,
    fitted,
    learning_rate,
    repeat_scale,
)
from robovalue_ros.training.options import ScheduleKind
from robovalue_ros.training.schedule import LAST, rate_share

TIMESCALE = 10_000.0
NO_PLAN = "plan_aware_lr_scale changes nothing without a sampling plan"


class RateOptions(Protocol):
    """What a trainer is told about its rate, as `LoopConfig` declares it."""

    @property
    def lr(self) -> float: ...
    @property
    def lr_schedule(self) -> ScheduleKind: ...
    @property
    def warm_up(self) -> float: ...
    @property
    def warmup_steps(self) -> int | None: ...
    @property
    def decay_steps(self) -> int | None: ...
    @property
    def decay_lr(self) -> float | None: ...
    @property
    def timescale(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Rates:
    """at: the rate of a step, counted from 0. scale: by which repeats lowered it, None where they
    were not asked for. notes: what could not be done."""

    at: Callable[[int], float]
    scale: float | None
    notes: tuple[str, ...]


def run_rates(
    config: RateOptions, steps: int, options: ScheduleOptions, effective_repeat: float | None
) -> Rates:
    """Return the rates of a run of `steps`. effective_repeat: of its plan, None without one."""
    asked = options.plan_aware_lr_scale
    notes: tuple[str, ...] = ()
    if asked and effective_repeat is None:
        notes = (NO_PLAN,)
    if not _counts_steps(config, options):
        if options.budget_aware_schedule:
            notes += (fitted(ConstantSchedule(), steps, options).note,)
        scale = repeat_scale(effective_repeat, options) if asked and effective_repeat else None
        highest = config.lr if scale is None else config.lr * scale
        kind, warm_up = config.lr_schedule, config.warm_up
        return Rates(lambda step: highest * rate_share(kind, step / steps, warm_up), scale, notes)
    found = fitted(_schedule(config, steps), steps, options, effective_repeat)
    if found.note:
        notes += (found.note,)
    return Rates(lambda step: learning_rate(found.schedule, step), found.scale, notes)


def _counts_steps(config: RateOptions, options: ScheduleOptions) -> bool:
    """Tell whether a schedule is given in steps, and not in shares of the run."""
    if config.lr_schedule == "rsqrt" or config.warmup_steps is not None:
        return True
    counted = config.decay_steps is not None or config.decay_lr is not None
    return config.lr_schedule == "cosine" and (counted or options.budget_aware_schedule)


def _schedule(config: RateOptions, steps: int) -> LearningSchedule:
    rise = config.warmup_steps
    warmup = round(config.warm_up * steps) if rise is None else rise
    if config.lr_schedule == "constant":
        return ConstantSchedule(warmup, config.lr)
    if config.lr_schedule == "rsqrt":
        return RsqrtSchedule(warmup, config.lr, config.timescale or TIMESCALE)
    lowest = LAST * config.lr if config.decay_lr is None else config.decay_lr
    return CosineSchedule(warmup, config.lr, config.decay_steps or steps, lowest)

"""How fast to learn in a short run, how much slower when few samples repeat, and what stays frozen."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Literal

from robovalue_ros.contracts.config import option
from robovalue_ros.plans.errors import PlanError

FreezeMode = Literal["default", "strong"]
PathFilter = Callable[[str], bool]
# Parameters of the picture encoder, as the policies that people fine-tune name them.
VISION = r".*PaliGemma/img.*"


@dataclass(frozen=True, slots=True)
class CosineSchedule:
    """A straight rise to peak_lr, then half a cosine down to decay_lr at step decay_steps."""

    warmup_steps: int = option(1000, "steps of rising", low=0)
    peak_lr: float = option(2.5e-5, "highest learning rate", low=0.0)
    decay_steps: int = option(30_000, "step at which the lowest rate is reached", low=1)
    decay_lr: float = option(2.5e-6, "lowest learning rate", low=0.0)


@dataclass(frozen=True, slots=True)
class RsqrtSchedule:
    """A straight rise to peak_lr, then down with the square root of the steps over timescale."""

    warmup_steps: int = option(1000, "steps of rising", low=0)
    peak_lr: float = option(5e-5, "highest learning rate", low=0.0)
    timescale: float = option(10_000, "steps after which the rate begins to fall clearly", low=1)


@dataclass(frozen=True, slots=True)
class ConstantSchedule:
    """One learning rate from beginning to end, after a rise."""

    warmup_steps: int = option(0, "steps of rising", low=0)
    peak_lr: float = option(2.5e-5, "learning rate", low=0.0)


LearningSchedule = CosineSchedule | RsqrtSchedule | ConstantSchedule


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleOptions:
    """How a training run fits its learning rate to its length and to its plan."""

    budget_aware_schedule: bool = option(False, "fit warm-up and decay to the number of steps")
    budget_warmup_ratio: float = option(0.03, "share of the steps that rise", low=0.0, high=1.0)
    budget_min_warmup_steps: int = option(50, "least steps that rise", low=0)
    freeze_mode: FreezeMode = option("default", "strong: the encoder stays as it is")
    plan_aware_lr_scale: bool = option(False, "learn slower when a plan's samples repeat often")
    plan_target_effective_repeat: float = option(
        50.0, "repeats of a sample up to which nothing changes", low=1e-9
    )
    plan_lr_scale_power: float = option(0.5, "power of the repeats", low=0.0)
    plan_lr_min_scale: float = option(0.05, "least share of the rate", low=0.0, high=1.0)


def learning_rate(schedule: LearningSchedule, step: int) -> float:
    """Return the learning rate of a step, counted from 0."""
    warm = schedule.warmup_steps
    if step < warm:
        return schedule.peak_lr * (step + 1) / (warm + 1)
    if isinstance(schedule, CosineSchedule):
        through = min(1.0, (step - warm) / max(1, schedule.decay_steps - warm))
        low, high = schedule.decay_lr, schedule.peak_lr
        return low + (high - low) * (0.5 + 0.5 * math.cos(math.pi * through))
    if isinstance(schedule, RsqrtSchedule):
        return schedule.peak_lr / math.sqrt((schedule.timescale + step - warm) / schedule.timescale)
    return schedule.peak_lr


def budget_warmup(steps: int, ratio: float, least: int, compat: bool = False) -> int:
    """Return the steps of rising in a run: a share of it, at least `least`, at most half.

    Never 0, except with compat where ratio and `least` both are.
    """
    found = min(max(least, round(ratio * steps)), max(1, steps // 2))
    return found if compat else max(1, found)


def budgeted(
    schedule: LearningSchedule, steps: int, options: ScheduleOptions, compat: bool = False
) -> LearningSchedule:
    """Return a schedule that is through when a run of `steps` is; a constant one as it is."""
    warmup = budget_warmup(
        steps, options.budget_warmup_ratio, options.budget_min_warmup_steps, compat
    )
    if isinstance(schedule, CosineSchedule):
        return replace(schedule, warmup_steps=warmup, decay_steps=steps)
    if isinstance(schedule, RsqrtSchedule):
        return replace(schedule, warmup_steps=warmup, timescale=float(steps))
    return schedule


def repeat_scale(effective_repeat: float, options: ScheduleOptions) -> float:
    """Return the share of the learning rate for samples that repeat so often, at most 1."""
    share = options.plan_target_effective_repeat / max(1e-9, effective_repeat)
    if share >= 1.0:
        return 1.0
    return max(options.plan_lr_min_scale, math.pow(share, options.plan_lr_scale_power))


def scaled(schedule: LearningSchedule, scale: float) -> LearningSchedule:
    """Return a schedule whose rates are all multiplied by `scale`."""
    if isinstance(schedule, CosineSchedule):
        return replace(
            schedule, peak_lr=schedule.peak_lr * scale, decay_lr=schedule.decay_lr * scale
        )
    return replace(schedule, peak_lr=schedule.peak_lr * scale)


@dataclass(frozen=True, slots=True)
class FittedSchedule:
    """The schedule of a run. scale: by which repeats lowered it, None where they were not asked for.

    note: what could not be done, empty where all was.
    """

    schedule: LearningSchedule
    scale: float | None = None
    note: str = ""


def fitted(
    schedule: LearningSchedule,
    steps: int,
    options: ScheduleOptions,
    effective_repeat: float | None = None,
    compat: bool = False,
) -> FittedSchedule:
    """Fit a schedule to a run: first to its length, then to how often samples repeat.

    effective_repeat: of the plan; None without one, and then repeats change nothing.
    """
    note, scale = "", None
    if options.budget_aware_schedule:
        if isinstance(schedule, ConstantSchedule):
            note = "budget_aware_schedule leaves a constant schedule as it is"
        schedule = budgeted(schedule, steps, options, compat)
    if options.plan_aware_lr_scale and effective_repeat is not None:
        scale = repeat_scale(effective_repeat, options)
        schedule = scaled(schedule, scale)
    return FittedSchedule(schedule, scale, note)


def schedule_mapping(schedule: LearningSchedule) -> dict[str, float]:
    """Return the numbers of a schedule by name."""
    return asdict(schedule)


def freeze_filter(mode: str, base: PathFilter, vision: str = VISION) -> PathFilter:
    """Return what says of a parameter's path whether it stays as it is.

    base: what is frozen anyway. strong freezes the paths that `vision` matches in full as well.
    """
    if mode == "default":
        return base
    if mode != "strong":
        raise PlanError(f"Unknown freeze_mode: {mode}")
    pattern = re.compile(vision, re.DOTALL)
    return lambda path: base(path) or pattern.fullmatch(path) is not None

"""How often the flags of the causal curve are right, with intervals over episodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from robovalue_ros.pipelines.evaluation.truths import Known
from robovalue_ros.value.metrics.arrays import Mask, ratio
from robovalue_ros.value.metrics.bootstrap import Interval, percentile_interval, resample_counts
from robovalue_ros.value.metrics.events import fall_onsets, true_runs
from robovalue_ros.value.metrics.truth import EvaluationSettings

Part = tuple[float, float]
NOTHING: Part = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class FlagRow:
    """One share. better: which way is good. seen: how many episodes, stalls or frames it is of."""

    name: str
    meaning: str
    better: Literal["high", "low", "none"]
    cell: Interval
    seen: int


def judge_flags(
    judged: Sequence[Known], settings: EvaluationSettings, rng: np.random.Generator
) -> tuple[FlagRow, ...]:
    """Return the shares that are defined, over episodes with a causal curve."""
    episodes = [item for item in judged if item.scored.causal is not None]
    if not episodes:
        return ()
    strata = [{True: 1, False: 0, None: 2}[item.truth.success] for item in episodes]
    counts = resample_counts(strata, settings.draws, rng)
    rows = []
    for name, meaning, better, part in _SHARES:
        parts = np.array([part(item, settings) for item in episodes], np.float64)
        drawn = ratio(counts @ parts[:, 0], counts @ parts[:, 1])
        cell = percentile_interval(drawn, settings.level)
        if not np.isnan(cell.value):
            rows.append(FlagRow(name, meaning, better, cell, int(parts[:, 1].sum())))
    return tuple(rows)


def _declared(item: Known, outcome: bool, *, at_end: bool) -> Part:
    flags = _flag(item, "declared")
    if item.truth.success is not outcome:
        return NOTHING
    return float(flags[-1] if at_end else flags.any()), 1.0


def _stalls(item: Known, settings: EvaluationSettings) -> Part:
    """Count stretches in which the robot stands still, and those that were flagged."""
    if item.still is None:
        return NOTHING
    runs = true_runs(item.still)
    runs = runs[runs[:, 1] - runs[:, 0] >= settings.stall_frames]
    flags = _flag(item, "stall")
    return float(sum(flags[start:stop].any() for start, stop in runs)), float(len(runs))


def _false_stalls(item: Known, settings: EvaluationSettings) -> Part:
    """Count frames with a whole window of motion behind them, and those that were flagged."""
    if item.still is None:
        return NOTHING
    moving = ~_recent(item.still, settings.stall_frames)
    return float((_flag(item, "stall") & moving).sum()), float(moving.sum())


def _falls(item: Known, settings: EvaluationSettings) -> Part:
    if item.truth.progress is None:
        return NOTHING
    onsets = fall_onsets(item.truth.progress, settings.drop_size, settings.drop_frames)
    flags, reach = _flag(item, "regression"), 2 * settings.drop_frames + 1
    return float(sum(flags[at : at + reach].any() for at in onsets.tolist())), float(len(onsets))


def _false_falls(item: Known, settings: EvaluationSettings) -> Part:
    if item.truth.progress is None:
        return NOTHING
    back = np.concatenate([[False], np.diff(item.truth.progress) < 0])
    quiet = ~_recent(back, 2 * settings.drop_frames)
    return float((_flag(item, "regression") & quiet).sum()), float(quiet.sum())


def _unknown(item: Known, settings: EvaluationSettings) -> Part:
    flags = _flag(item, "unknown")
    return float(flags.sum()), float(len(flags))


def _flag(item: Known, name: str) -> Mask:
    assert item.scored.causal is not None
    flags: Mask = getattr(item.scored.causal, name)
    return flags


def _recent(mask: Mask, frames: int) -> Mask:
    """Return whether any of the last `frames` entries is True."""
    total = np.concatenate([[0], np.cumsum(mask)])
    start = np.maximum(np.arange(len(mask)) + 1 - frames, 0)
    found: Mask = total[1:] - total[start] > 0
    return found


_Share = tuple[
    str, str, Literal["high", "low", "none"], Callable[[Known, EvaluationSettings], Part]
]
_SHARES: tuple[_Share, ...] = (
    ("declared_ever_success", "successes that were declared done at some frame", "high",
     lambda item, _: _declared(item, True, at_end=False)),
    ("declared_ever_failure", "failures that were ever declared done", "low",
     lambda item, _: _declared(item, False, at_end=False)),
    ("declared_end_success", "successes declared done at their last frame", "high",
     lambda item, _: _declared(item, True, at_end=True)),
    ("declared_end_failure", "failures declared done at their last frame", "low",
     lambda item, _: _declared(item, False, at_end=True)),
    ("stall_flag_found", "stretches in which the robot's state stands still that were flagged", "high",
     _stalls),
    ("stall_flag_false", "frames flagged as a stall while the state moves", "low", _false_stalls),
    ("fall_flag_found", "falls of true progress that were flagged as a regression", "high", _falls),
    ("fall_flag_false", "frames flagged as a regression without a fall before them", "low",
     _false_falls),
    ("unknown", "frames marked as unlike any demonstration", "none", _unknown),
)  # fmt: skip

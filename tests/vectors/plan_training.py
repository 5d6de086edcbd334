"""The functions behind the entries of plan.json about sampling, statistics and evaluation."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from robovalue_ros.plans.checkpoint_ids import checkpoint_folder, checkpoint_id
from robovalue_ros.plans.evaluation import EvaluationSubject, Rollout, evaluate, metrics_document
from robovalue_ros.plans.norm_stats import norm_document, norm_stats
from robovalue_ros.plans.overrides import overridden
from robovalue_ros.plans.sampler import PlanSampler
from robovalue_ros.plans.stream import WeightedStream

# The evaluator of the entries: its own settings before any override, its checkpoints, its task.
SETTINGS = {"a": 1}
CHECKPOINTS = checkpoint_folder("cfg", "exp")
SUBJECT = EvaluationSubject("task", "c", "k", "pi0", "unseen")


def draws(
    weights: Sequence[float], seed: int, replacement: bool, epochs: int = 1
) -> list[list[int]]:
    sampler = PlanSampler(WeightedStream(weights, seed=seed, replacement=replacement))
    return [list(sampler) for _ in range(epochs)]


def statistics(batches: Sequence[Any], dtype: str = "float32") -> dict[str, Any]:
    parts = [np.array(batch, dtype) for batch in batches]
    stats = norm_stats({"state": parts}, compat="reference")
    found = stats["state"]
    numbers = {name: getattr(found, name) for name in ("mean", "std", "q01", "q99")}
    kinds = [str(numbers[name].dtype) for name in ("mean", "std", "q01")]
    return {**numbers, "json": norm_document(stats), "dtypes": kinds}


def meant(value: int | str | None, existing: Sequence[str] = ()) -> str | None:
    return checkpoint_id(value, existing, CHECKPOINTS, compat="reference")


def overrides(argv: Sequence[str]) -> dict[str, str]:
    """Spec 6.13: nothing is run as code, so the name of a builtin stays text.

    The entries show what that name was turned into; it is put back once the text is there.
    """
    return {key: _as_it_was(value) for key, value in overridden(SETTINGS, argv).items()}


def _as_it_was(value: Any) -> str:
    if isinstance(value, str) and hasattr(builtins, value):
        return repr(getattr(builtins, value))
    return repr(value)


def loop(
    outcomes: Sequence[Any],
    test_num: int,
    expert: Mapping[str, Any] | None = None,
    seed0: int = 100_000,
) -> dict[str, Any]:
    found, ends = expert or {}, iter(outcomes)

    def try_policy(seed: int) -> Rollout:
        end = next(ends)
        if end == "timeout":
            return Rollout(seed, "timeout")
        if end == "exc":
            return Rollout(seed, "exception")
        return Rollout(seed, "success", end[1])

    evaluation = evaluate(lambda seed: found.get(str(seed), "ok"), try_policy, test_num, seed0)
    metrics = metrics_document(SUBJECT, evaluation, compat="reference")
    return {
        "final_seed": evaluation.next_seed, "successes": evaluation.successes, "metrics": metrics,
    }  # fmt: skip


CALLS: dict[str, Callable[..., Any]] = {
    "sampler_draws": draws,
    "norm_stats": statistics,
    "checkpoint_id": meant,
    "eval_overrides": overrides,
    "eval_loop": loop,
}

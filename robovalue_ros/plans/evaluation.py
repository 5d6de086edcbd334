"""What an evaluation of a policy counts: the seeds it takes, how they end, and its two documents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.plans.options import Compat

Ending = Literal["success", "timeout", "exception"]
SetUp = Literal["ok", "unstable", "error", "fail"]
SEED_SPAN = 100_000
MOST_REJECTED = 10_000


@dataclass(frozen=True, slots=True)
class EvaluationSubject:
    """What is evaluated, in the words of its folder and its documents."""

    task_name: str
    task_config: str
    ckpt_setting: str
    policy_name: str
    instruction_type: str


@dataclass(frozen=True, slots=True)
class Rollout:
    """One try of the policy. steps: actions it took."""

    seed: int
    ending: Ending
    steps: int = 0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All tries. rejected: seeds that the expert could not do, with the reason. next_seed: free."""

    rollouts: tuple[Rollout, ...]
    rejected: tuple[tuple[int, SetUp], ...]
    next_seed: int

    @property
    def successes(self) -> int:
        return sum(one.ending == "success" for one in self.rollouts)


def first_seed(seed: int) -> int:
    """Return the first seed that an evaluation with this seed looks at."""
    return SEED_SPAN * (1 + seed)


def evaluate(
    expert: Callable[[int], SetUp],
    policy: Callable[[int], Rollout],
    episodes: int,
    seed: int,
    most_rejected: int = MOST_REJECTED,
) -> Evaluation:
    """Let the policy try `episodes` seeds, from `seed` on, that the expert can do.

    Both say how they ended; what they raise is not caught here. Raises ConfigError after
    `most_rejected` seeds in a row that the expert cannot do.
    """
    rollouts: list[Rollout] = []
    rejected: list[tuple[int, SetUp]] = []
    in_a_row = 0
    while len(rollouts) < episodes:
        found = expert(seed)
        if found == "ok":
            rollouts.append(policy(seed))
            in_a_row = 0
        else:
            rejected.append((seed, found))
            in_a_row += 1
        seed += 1
        if in_a_row >= most_rejected:
            raise ConfigError(
                f"the expert failed on {in_a_row} seeds in a row, at last with {found!r}",
                "a task that it can do", "Look at the task's settings, or begin at another seed.",
            )  # fmt: skip
    return Evaluation(tuple(rollouts), tuple(rejected), seed)


def metrics_document(
    subject: EvaluationSubject,
    evaluation: Evaluation,
    seconds: float | None = None,
    compat: Compat = "off",
) -> dict[str, Any]:
    """Return what `_metrics.json` holds. seconds: wall time, None where nobody looked.

    Failures of kind `other` are seeds that the expert rejected, which are no episodes; with compat
    they are not counted.
    """
    rollouts, successes = evaluation.rollouts, evaluation.successes
    steps = [one.steps for one in rollouts if one.ending == "success"]
    found: dict[str, Any] = {
        "task_name": subject.task_name,
        "task_config": subject.task_config,
        "ckpt_setting": subject.ckpt_setting,
        "policy_name": subject.policy_name,
        "instruction_type": subject.instruction_type,
        "successes": successes,
        "episodes": len(rollouts),
        "success_rate": successes / max(1, len(rollouts)),
        "avg_steps_success": sum(steps) / len(steps) if steps else None,
        "failure_counts": {
            "timeout": sum(one.ending == "timeout" for one in rollouts),
            "exception": sum(one.ending == "exception" for one in rollouts),
            "other": 0 if compat == "reference" else len(evaluation.rejected),
        },
    }
    if seconds is not None:
        found["eval_time_sec"] = seconds
    return found


def result_text(timestamp: str, subject: EvaluationSubject, evaluation: Evaluation) -> str:
    """Return what `_result.txt` holds: when, which instructions, and the share of successes."""
    share = evaluation.successes / max(1, len(evaluation.rollouts))
    return f"Timestamp: {timestamp}\n\nInstruction Type: {subject.instruction_type}\n\n{share}\n"


def result_folder(subject: EvaluationSubject, time: str) -> PurePosixPath:
    """Return where the documents of an evaluation go, below the folder it runs in."""
    return PurePosixPath(
        "eval_result", subject.task_name, subject.policy_name, subject.task_config,
        subject.ckpt_setting, time,
    )  # fmt: skip

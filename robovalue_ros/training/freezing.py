"""Which weights of a network stay as they are."""

from __future__ import annotations

from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.plans.schedule import freeze_filter
from robovalue_ros.training.task import Task


def freeze(task: Task, mode: str) -> int:
    """Freeze what a mode names and return how many weights that are.

    strong: those that the task declares. Raises ConfigError where it declares none, or where
    nothing is left to learn; PlanError for an unknown mode.
    """
    stays = freeze_filter(mode, lambda path: False, task.strong_freeze or "")
    if mode == "default":
        return 0
    if task.strong_freeze is None:
        raise ConfigError(
            f"freeze_mode is {mode}, and {task.kind} has no part to freeze", "freeze_mode default"
        )
    frozen = [w for path, w in task.network.named_parameters() if stays(path)]
    for weight in frozen:
        weight.requires_grad_(False)
    if not any(weight.requires_grad for weight in task.parameters()):
        raise ConfigError(f"freeze_mode {mode} freezes all of {task.kind}", "something to learn")
    return len(frozen)

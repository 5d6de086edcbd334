"""Plans of tasks from JSON: the three layouts that people have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.types import SubstepPlan

MAX_BYTES = 1 << 28
TEXT_KEYS = ("subgoal", "description", "text")


def task_key(task: str) -> str:
    """Return what tasks are compared by: lower case, without spaces around."""
    return task.strip().lower()


def read_plans(path: Path) -> dict[str, SubstepPlan]:
    """Return the plan of each task by its key; of equal tasks the first.

    An entry has `instruction.raw` and `plan` (or `instruction.plan`), whose steps have a subgoal or a
    description. Raises DataError naming the entry that cannot be used.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(path, "is too large", f"at most {MAX_BYTES} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise DataError(path, f"cannot be read: {str(problem)[:200]}", "a JSON array") from problem
    if not isinstance(content, list):
        raise DataError(path, f"holds a {type(content).__name__}", "a JSON array of plans")
    plans: dict[str, SubstepPlan] = {}
    for number, entry in enumerate(content):
        plan = _plan(path, number, entry)
        plans.setdefault(task_key(plan.task), plan)
    return plans


def _plan(path: Path, number: int, entry: Any) -> SubstepPlan:
    expected = '{"instruction": {"raw": "...", "plan": [{"subgoal": "..."}]}}'
    if not isinstance(entry, Mapping):
        raise DataError(path, f"entry {number} is {str(entry)[:60]!r}", expected)
    instruction = entry.get("instruction")
    inner = instruction if isinstance(instruction, Mapping) else {"raw": instruction}
    task, steps = inner.get("raw"), inner.get("plan", entry.get("plan"))
    if not isinstance(task, str) or not task.strip() or not isinstance(steps, list) or not steps:
        raise DataError(path, f"entry {number} lacks its instruction or its plan", expected)
    texts = []
    for step in steps:
        told = [step.get(key) for key in TEXT_KEYS] if isinstance(step, Mapping) else [step]
        text = next((one for one in told if isinstance(one, str) and one.strip()), None)
        if text is None:
            raise DataError(path, f"a step of entry {number} has no text", expected)
        texts.append(text.strip())
    return SubstepPlan(task.strip(), tuple(texts))

"""The folder of an evaluation: `_metrics.json` and `_result.txt`, where older tools put them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.data.atomic import write_json, write_text
from robovalue_ros.plans.evaluation import (
    Evaluation,
    EvaluationSubject,
    metrics_document,
    result_folder,
    result_text,
)
from robovalue_ros.plans.options import Compat

METRICS, RESULT = "_metrics.json", "_result.txt"
TIME = "%Y-%m-%d %H:%M:%S"


def write_evaluation(
    root: Path,
    subject: EvaluationSubject,
    evaluation: Evaluation,
    begun: datetime,
    seconds: float | None = None,
    compat: Compat = "off",
) -> Path:
    """Write both documents of an evaluation that began at `begun`; returns their folder.

    Files of another evaluation are never replaced: one that began in the same second gets a folder
    with a number. Raises ConfigError for a name that leads out of its folder.
    """
    time = begun.strftime(TIME)
    folder = root / _inside(subject, time)
    number = 2
    while (folder / METRICS).exists() or (folder / RESULT).exists():
        folder = root / _inside(subject, f"{time}_{number}")
        number += 1
    write_json(folder / METRICS, metrics_document(subject, evaluation, seconds, compat))
    write_text(folder / RESULT, result_text(time, subject, evaluation))
    return folder


def _inside(subject: EvaluationSubject, time: str) -> Path:
    parts = (subject.task_name, subject.policy_name, subject.task_config, subject.ckpt_setting)
    for part in parts:
        if part in ("", ".", "..") or "/" in part or "\\" in part or "\0" in part:
            raise ConfigError(
                f"{part!r} cannot be the name of a folder", "a name without slashes",
                "Tasks, policies, settings and checkpoints name the folder of an evaluation.",
            )  # fmt: skip
    return Path(result_folder(subject, time))

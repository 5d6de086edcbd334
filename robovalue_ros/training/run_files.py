"""What a run leaves about itself before its first step: its summary, and its plan."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.atomic import atomic_path, write_json
from robovalue_ros.plans.exposure import Exposure
from robovalue_ros.plans.run_summary import RunFacts, run_summary
from robovalue_ros.training.planned import RunPlan

SUMMARY, PLAN_FOLDER = "run_summary.json", "sampling_plan"


def describe_run(
    folder: Path, facts: RunFacts, run: RunPlan, seen: Exposure | None, lr_scale: float | None
) -> tuple[Finding, ...]:
    """Write the summary of a run, and copy its plan beside it; what could not be copied is told."""
    planned = run.planned
    use = None if planned is None else planned.use
    told = run_summary(facts, run.schedule, use, seen, lr_scale)
    if planned is not None:
        told["plan_anchors_drawn"] = len(planned.weights)
    write_json(folder / SUMMARY, told)
    return () if planned is None else _keep_plan(planned.files, folder / PLAN_FOLDER)


def _keep_plan(files: Sequence[Path], folder: Path) -> tuple[Finding, ...]:
    findings = []
    for file in files:
        target = folder / file.name
        try:
            if target.exists() and target.samefile(file):
                continue  # a run may go on by its own copy
            with atomic_path(target) as temporary:
                shutil.copyfile(file, temporary)
        except OSError as problem:
            why = problem.strerror or str(problem)
            found = f"{file} could not be copied to {target}: {why}"
            findings.append(Finding("warning", file.name, found, "Keep it by hand."))
    return tuple(findings)

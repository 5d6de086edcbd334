"""The threshold that options name: told, or from a report."""

from __future__ import annotations

import json
from pathlib import Path

from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.pipelines.segment.stream_config import CutOptions
from robovalue_ros.segment.threshold import threshold_from_report
from robovalue_ros.segment.warm_up import FOR_VELOCITIES


def given_threshold(cut: CutOptions) -> float:
    """Return the threshold that options name; with auto, the one to fall back on.

    Raises ConfigError when there is none, DataError for a report that cannot be read.
    """
    if cut.threshold_mode == "report":
        if cut.report_path is None:
            raise ConfigError("the threshold is to come from a report", "--report-path FILE")
        return threshold_from_report(_report(cut.report_path), cut.report_key)
    if cut.threshold is not None:
        return cut.threshold
    if cut.energy_source != "velocity" and cut.segment and cut.threshold_mode == "fixed":
        raise ConfigError(
            f"the energy {cut.energy_source} has no threshold of its own", "--threshold NUMBER",
            "`robovalue segment sweep` finds one; --threshold-mode auto guesses one for each video.",
        )  # fmt: skip
    return FOR_VELOCITIES


def _report(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise DataError(path, problem.strerror or str(problem), "a report in JSON") from problem
    except (ValueError, RecursionError) as problem:
        raise DataError(path, "is no JSON", "a report of `robovalue segment sweep`") from problem
    if not isinstance(content, dict):
        raise DataError(path, f"holds a {type(content).__name__}", "a mapping")
    return content

"""Where the threshold comes from: told, from a report, or from the energies themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.pipelines.segment.stream_config import CutOptions
from robovalue_ros.segment.hysteresis import HysteresisOptions
from robovalue_ros.segment.options import StreamOptions
from robovalue_ros.segment.smoothing import Smoother
from robovalue_ros.segment.threshold import otsu, threshold_from_report

FOR_VELOCITIES = HysteresisOptions().threshold
FEWEST = 8  # energies that a threshold of one's own needs
LEAST_CONTRAST = 1.5  # times that the windows above it must have the energy of those below
UNREACHED = 1e30  # no energy begins an action


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


def own_threshold(energies: Sequence[float], otherwise: float) -> float:
    """Return the level that parts motion from stillness, `otherwise` where there is no such thing."""
    if len(energies) < FEWEST:
        return otherwise
    level = otsu(np.array(energies, np.float64))
    above = [energy for energy in energies if energy >= level]
    below = [energy for energy in energies if energy < level]
    if not above or not below:
        return otherwise
    high, low = sum(above) / len(above), sum(below) / len(below)
    return level if high >= LEAST_CONTRAST * low and level > 0.0 else otherwise


@dataclass(slots=True)
class WarmUp:
    """Watches a live source for its first windows, then says what threshold suits it.

    Until then `options` lets no action begin. windows: how many are watched.
    """

    options: StreamOptions
    windows: int
    energies: list[float] = field(default_factory=list)
    _smoother: Smoother | None = None

    def __post_init__(self) -> None:
        smoothing = self.options.smoothing
        if smoothing.enable and smoothing.use_for_seg:
            self._smoother = Smoother(smoothing)

    @property
    def watching(self) -> StreamOptions:
        """The options while it is only watched."""
        return with_threshold(self.options, UNREACHED)

    def push(self, energy: float | None) -> StreamOptions | None:
        """Take the energy of a window; return the options to go on with, once."""
        if energy is not None and len(self.energies) < self.windows:
            level = energy if self._smoother is None else self._smoother.push(energy)
            self.energies.append(level)
            if len(self.energies) == self.windows:
                return with_threshold(
                    self.options, own_threshold(self.energies, self.options.hysteresis.threshold)
                )
        return None


def with_threshold(options: StreamOptions, threshold: float) -> StreamOptions:
    """Return the options with another threshold."""
    return replace(options, hysteresis=replace(options.hysteresis, threshold=threshold))


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

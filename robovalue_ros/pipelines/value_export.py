"""`robovalue value export`: one curve as progress, frame signals, weights and advantages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from robovalue_ros import __version__
from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Array, Finding, Scalar, ValueCurve
from robovalue_ros.data.atomic import write_json
from robovalue_ros.data.exports.layout import Layout
from robovalue_ros.data.exports.side_car import Signal, write_side_car
from robovalue_ros.data.exports.signals import (
    ADVANTAGES,
    PROGRESS,
    WEIGHTS,
    write_advantages,
    write_progress,
    write_weights,
)
from robovalue_ros.data.value_store.causal import FLAGS
from robovalue_ros.pipelines.export_layout import RECORDINGS, Placed, layout_of, recordings_table
from robovalue_ros.pipelines.recordings import Opener, Readers
from robovalue_ros.pipelines.results import ScoredEpisode, scored_episodes
from robovalue_ros.pipelines.scored_curves import (
    CAUSAL,
    CURVES,
    CurveName,
    has_curve,
    trimmed,
    whole_curve,
)
from robovalue_ros.pipelines.value_export_config import CurveChoice, ExportConfig

SideCarName = Literal["progress", "signals", "weights", "advantages"]
DEFAULT_PROGRESS = SilentProgress()
SIGNALS = "robovalue_signals.parquet"
FOLDER, RERUN_FILE = "exports", "values.rrd"


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was written: files, the curve they are made of, episodes and frames."""

    files: tuple[Path, ...]
    curve: CurveName
    episodes: int
    frames: int
    findings: tuple[Finding, ...]


def chosen_curve(episodes: Sequence[ScoredEpisode], choice: CurveChoice) -> CurveName:
    """Return the one curve that an export is made of; raises ConfigError when it is not there."""
    there = {name: sum(has_curve(episode, name) for episode in episodes) for name in CURVES}
    if choice == "auto":
        for name in CURVES:
            if there[name] == len(episodes):
                return name
        told = ", ".join(f"{count} have the {name} one" for name, count in there.items())
        raise ConfigError(
            f"no curve is there for all of {len(episodes)} episodes: {told}", "--curve NAME",
            "Episodes without it are then left out.",
        )  # fmt: skip
    if not there[choice]:
        other = next(name for name in CURVES if name != choice)
        raise ConfigError(f"no episode has a {choice} curve", f"--curve {other}, which is there")
    return choice


def export_side_cars(
    config: ExportConfig, opener: Opener, *, progress: Progress = DEFAULT_PROGRESS
) -> ExportResult:
    """Write the Parquet files that `config.to` names, each with its descriptor beside it.

    Raises DataError when nothing fits, or when episodes of the data set lack values and partial
    files were not asked for.
    """
    episodes, noticed = scored_episodes(config.results)
    name = chosen_curve(episodes, config.curve)
    folder = config.out or config.results / FOLDER
    readers = Readers(opener)
    try:
        layout, placed, findings = layout_of(
            [episode for episode in episodes if has_curve(episode, name)], name, config.dataset,
            config.results, readers, progress,
        )  # fmt: skip
    finally:
        readers.close()
    about: dict[str, Scalar] = {
        "curve": name, "causal": name == CAUSAL, "software": f"robovalue_ros {__version__}",
        "models": ", ".join(_models(placed)),
    }  # fmt: skip
    wanted = get_args(SideCarName) if config.to == "all" else (config.to,)
    written = _Written(config, folder, layout, placed, name, about)
    files: list[Path] = []
    with progress.stage("files", len(wanted)) as tick:
        for kind in wanted:
            files += written.make(kind)
            tick(1)
    if config.dataset is None:
        write_json(folder / RECORDINGS, recordings_table(layout, placed))
        files.append(folder / RECORDINGS)
    frames = sum(layout.span(item.id).frames for item in placed)
    return ExportResult(tuple(files), name, len(placed), frames, (*noticed, *findings))


class _Written:
    """Writes side cars of one layout, all from the same curves."""

    def __init__(
        self,
        config: ExportConfig,
        folder: Path,
        layout: Layout,
        placed: Sequence[Placed],
        name: CurveName,
        about: dict[str, Scalar],
    ) -> None:
        self._config, self._folder, self._layout = config, folder, layout
        self._placed, self._name = placed, name
        self._curves: dict[str, ValueCurve] = {
            item.id: whole_curve(item.scored, name, layout.span(item.id).frames) for item in placed
        }
        self._same: dict[str, Any] = {"provenance": about, "partial": config.partial}

    def make(self, kind: str) -> list[Path]:
        """Write one file and return it with its descriptor."""
        makers: dict[str, tuple[str, Callable[[Path], Path]]] = {
            "progress": (PROGRESS, self._progress), "signals": (SIGNALS, self._signals),
            "weights": (WEIGHTS, self._weights), "advantages": (ADVANTAGES, self._advantages),
        }  # fmt: skip
        file, make = makers[kind]
        path = self._folder / file
        return [path, make(path)]

    def _progress(self, path: Path) -> Path:
        return write_progress(
            path, self._layout, self._curves, unknown=self._config.unknown, **self._same
        )

    def _weights(self, path: Path) -> Path:
        config = self._config
        return write_weights(
            path, self._layout, self._curves, horizon=config.horizon, kappa=config.kappa,
            unknown=config.unknown, **self._same,
        )  # fmt: skip

    def _advantages(self, path: Path) -> Path:
        config = self._config
        return write_advantages(
            path, self._layout, self._curves, horizon=config.horizon, gamma=config.gamma,
            share=config.share, tasks={item.id: item.scored.task for item in self._placed},
            unknown=config.unknown, **self._same,
        )  # fmt: skip

    def _signals(self, path: Path) -> Path:
        values = {name: curve.values for name, curve in self._curves.items()}
        extra: dict[str, Scalar] = {"causal": self._name == CAUSAL}
        columns: list[tuple[Signal, dict[str, Array]]] = [
            (Signal("value", "how far the task has come", low=0.0, high=1.0, extra=extra), values)
        ]
        if self._name == CAUSAL:
            columns += [
                (Signal(flag, FLAG_MEANINGS[flag], "bool"), self._flag(flag)) for flag in FLAGS
            ]
        else:
            distance = Signal("distance", "to the nearest reference; NaN where trimmed off",
                              low=None, missing="nan")  # fmt: skip
            columns.append((distance, self._distances()))
        return write_side_car(path, self._layout, columns, **self._same)

    def _flag(self, flag: str) -> dict[str, Array]:
        return {item.id: getattr(item.scored.causal, flag) for item in self._placed}

    def _distances(self) -> dict[str, Array]:
        found = {}
        for item in self._placed:
            assert item.scored.hindsight is not None
            row = np.full(len(self._curves[item.id].values), np.nan)
            row[trimmed(item.scored)] = item.scored.hindsight.distances
            found[item.id] = row
        return found


FLAG_MEANINGS = {
    "stall": "nothing moves", "regression": "the value has fallen clearly",
    "unknown": "unlike any demonstration", "declared": "the task looks done",
}  # fmt: skip


def _models(placed: Sequence[Placed]) -> list[str]:
    ids = {item.scored.causal.model_id for item in placed if item.scored.causal is not None}
    return sorted(ids)


def rerun_target(config: ExportConfig) -> Path:
    """Return the .rrd file to write; raises ConfigError for another kind of name."""
    target = config.out or config.results / FOLDER / RERUN_FILE
    if target.suffix != ".rrd":
        raise ConfigError(f"--out {target} does not end in .rrd", "a file name with .rrd")
    if target.is_dir():
        raise DataError(target, "is a folder", "a file name that ends in .rrd")
    return target

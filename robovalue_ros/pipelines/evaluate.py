"""`robovalue value evaluate`: the curves of a run against truth and against controls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Finding, ValueCurve
from robovalue_ros.pipelines.evaluation.config import EvaluateConfig
from robovalue_ros.pipelines.evaluation.control_runs import Curves, require_model, run_controls
from robovalue_ros.pipelines.evaluation.flags import FlagRow, judge_flags
from robovalue_ros.pipelines.evaluation.truths import Known, read_truths, with_roles
from robovalue_ros.pipelines.recordings import Opener, Readers
from robovalue_ros.pipelines.results import scored_episodes
from robovalue_ros.pipelines.scored_curves import (
    CAUSAL,
    CURVES,
    CurveName,
    has_curve,
    hindsight_values,
    trimmed,
)
from robovalue_ros.value.metrics.evaluate import evaluate_curves
from robovalue_ros.value.metrics.table import EvaluationTable
from robovalue_ros.value.metrics.truth import EpisodeTruth, EvaluationSettings
from robovalue_ros.value.metrics.verdict import Verdict, verdict
from robovalue_ros.value.stream.live import ValueStream

DEFAULT_PROGRESS = SilentProgress()
MODEL_FILE = "value_model.npz"
USUAL_HZ = 20.0
StreamOf = Callable[[Path], ValueStream]
"""Makes the stream of a value model's file."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One curve against its controls. told: it knew outcome and length of what it scored."""

    name: CurveName
    told: bool
    table: EvaluationTable
    verdict: Verdict
    flags: tuple[FlagRow, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Everything that was found about the values of a run. calibrating, taught: episodes."""

    curves: tuple[Judged, ...]
    settings: EvaluationSettings
    rate_hz: float
    taught: int
    calibrating: int
    findings: tuple[Finding, ...]


def evaluate(
    config: EvaluateConfig,
    opener: Opener,
    stream_of: StreamOf,
    *,
    progress: Progress = DEFAULT_PROGRESS,
) -> Evaluation:
    """Judge every curve that a results folder holds.

    Raises DataError for a folder without results, ConfigError for a model that did not make them.
    """
    episodes, noticed = scored_episodes(config.results)
    for_roles, for_tables, for_controls, for_flags = np.random.default_rng(config.seed).spawn(4)
    readers = Readers(opener)
    try:
        known, found = read_truths(episodes, readers, config, progress)
        known, more = with_roles(known, config, for_roles)
        findings = [*noticed, *found, *more, *_labels(known)]
        rate = _rate(known)
        settings = _settings(config, rate)
        probes: dict[str, Curves] = {}
        lost: list[str] = []
        if config.controls:
            probes, lost, more = _controls(
                known, config, readers, stream_of, for_controls, progress
            )
            findings += more
        elif any(has_curve(item.scored, CAUSAL) for item in known):
            text = "shuffled, reversed and frozen frames are guessed from the curve (stand-in)"
            findings.append(Finding("note", "controls", text, "Pass --controls to score them."))
        judged = []
        for name, rng in zip(CURVES, for_tables.spawn(len(CURVES)), strict=True):
            own = [item for item in known if has_curve(item.scored, name)]
            if name == CAUSAL:
                own = [item for item in own if item.truth.episode not in lost]
            if any(item.truth.role == "test" for item in own):
                judged.append(
                    _judge(name, own, settings, rng, probes if name == CAUSAL else {}, for_flags)
                )
    finally:
        readers.close()
    if not judged:
        raise DataError(config.results, "no episode is left to judge", hint=findings[0].found)
    roles = [item.truth.role for item in known]
    return Evaluation(
        tuple(judged), settings, rate, roles.count("demonstration"), roles.count("calibration"),
        tuple(dict.fromkeys(findings)),
    )  # fmt: skip


def _judge(
    name: CurveName,
    known: Sequence[Known],
    settings: EvaluationSettings,
    rng: np.random.Generator,
    probes: dict[str, Curves],
    for_flags: np.random.Generator,
) -> Judged:
    curves: Curves = {}
    truths: list[EpisodeTruth] = []
    for item in known:
        truth, curve = _pair(name, item)
        curves[truth.episode] = curve
        truths.append(truth)
    table = evaluate_curves(
        {name: curves}, truths, rng, probes={name: probes} if probes else None, settings=settings
    )
    test = [item for item in known if item.truth.role == "test"]
    flags = judge_flags(test, settings, for_flags) if name == CAUSAL else ()
    return Judged(name, name != CAUSAL, table, verdict(table)[0], flags)


def _pair(name: CurveName, item: Known) -> tuple[EpisodeTruth, ValueCurve]:
    """Return a curve and the truth about just its frames."""
    scored, truth = item.scored, item.truth
    if name == CAUSAL:
        assert scored.causal is not None
        return truth, scored.causal.curve
    kept = trimmed(scored)
    values = hindsight_values(scored)
    count = len(values)
    drops = truth.drops
    if drops is not None:
        drops = drops[(drops >= kept.start) & (drops < kept.stop)] - kept.start
    progress = None if truth.progress is None else truth.progress[kept]
    stamps = np.arange(count, dtype=np.int64)
    curve = ValueCurve(values, stamps, causal=False, unknown=np.zeros(count, np.bool_))
    return replace(truth, frames=count, progress=progress, drops=drops), curve


def _controls(
    known: Sequence[Known],
    config: EvaluateConfig,
    readers: Readers,
    stream_of: StreamOf,
    rng: np.random.Generator,
    progress: Progress,
) -> tuple[dict[str, Curves], list[str], list[Finding]]:
    judged = [i for i in known if i.truth.role == "test" and has_curve(i.scored, CAUSAL)]
    if not judged:
        text = "there are no causal curves, so no control can be scored"
        return {}, [], [Finding("warning", "controls", text, "Estimate with --causal.")]
    file = config.model or config.results / MODEL_FILE
    if not file.is_file():
        raise ConfigError(
            f"{file} is no file", "the value model that made the curves", "Pass it with --model."
        )
    stream = stream_of(file)
    require_model(judged, stream)
    other = None if config.wrong_model is None else stream_of(config.wrong_model)
    if other is not None and other.model.id == stream.model.id:
        raise ConfigError("--wrong-model is the model that made the curves", "one of another task")
    made, lost, findings = run_controls(judged, readers, stream, other, rng, progress)
    if other is None:
        text = "judging by another task was not tried"
        findings.append(Finding("note", "controls", text, "Pass a model with --wrong-model."))
    return made, lost, findings


def _labels(known: Sequence[Known]) -> list[Finding]:
    silent = sum(item.truth.success is None for item in known)
    blind = sum(item.truth.progress is None for item in known)
    found = []
    if silent:
        text = f"{silent} episodes do not say whether they succeeded"
        found.append(
            Finding("note", "labels", text, "They take no part in telling outcomes apart.")
        )
    if blind:
        text = f"{blind} of {len(known)} episodes have no true progress"
        found.append(Finding("note", "truth", text, "Name its signal with --truth."))
    return found


def _rate(known: Sequence[Known]) -> float:
    rates = [item.rate_hz for item in known if item.rate_hz > 0]
    return float(np.median(rates)) if rates else USUAL_HZ


def _settings(config: EvaluateConfig, rate: float) -> EvaluationSettings:
    return EvaluationSettings(
        draws=config.draws, level=config.level, drop_size=config.drop_size,
        drop_frames=max(1, round(config.drop_s * rate)),
        stall_frames=max(2, round(config.stall_s * rate)),
    )  # fmt: skip

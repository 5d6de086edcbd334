"""The evaluation that users run, on the same curves: methods, controls, and what they prove."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.value_study.columns import blind
from benchmarks.value_study.curves import Curve, Floats, Record
from benchmarks.value_study.figures import DROP, DROP_FRAMES
from benchmarks.value_study.playing import STEP_NS
from benchmarks.value_study.running import TaskResult
from robovalue_ros.contracts.types import ValueCurve
from robovalue_ros.value.metrics.evaluate import evaluate_curves
from robovalue_ros.value.metrics.table import EvaluationTable
from robovalue_ros.value.metrics.truth import EpisodeTruth, EvaluationSettings

STREAM = "value stream"
PROBES = ("shuffled", "reversed", "frozen", "wrong_task")
SHOWN = (
    "voc", "auc_final", "frame_ranking", "mae", "drop_youden", "stall_youden", "rewind_youden",
    "declared_success", "declared_failure",
)  # fmt: skip


def evaluated(result: TaskResult, draws: int, rng: np.random.Generator) -> EvaluationTable:
    """Judge the stream, and beside it the same blind curves as if they were methods."""
    records = result.plain[next(iter(result.plain))]
    episodes = [*_named("shown", result.shown), *_named("test", records)]
    truths = [
        EpisodeTruth(
            name, len(record.truth), record.success, np.clip(record.truth, 0.0, 1.0),
            role="demonstration" if name.startswith("shown") else "test",
        )
        for name, record in episodes
    ]  # fmt: skip
    test = [(name, record) for name, record in episodes if name.startswith("test")]
    methods = {
        STREAM: {name: _curve(r.curves["plain"].values, r.curves["plain"]) for name, r in episodes}
    }
    probes: dict[str, dict[str, dict[str, ValueCurve]]] = {
        STREAM: {
            probe: {name: _curve(r.curves[probe].values, r.curves[probe]) for name, r in test}
            for probe in PROBES
        }
    }
    for title, blind_curve in blind(result, rng).items():
        methods[title] = _blind_curves(title, blind_curve, episodes)
        # What sees nothing says the same about every tampered video.
        probes[title] = {probe: _blind_curves(title, blind_curve, test) for probe in PROBES}
    settings = EvaluationSettings(draws=draws, drop_size=DROP, drop_frames=DROP_FRAMES)
    return evaluate_curves(methods, truths, rng, probes=probes, settings=settings)


def _named(role: str, records: Sequence[Record]) -> list[tuple[str, Record]]:
    return [(f"{role}_{index:03d}", record) for index, record in enumerate(records)]


def _blind_curves(
    title: str, curve: Callable[[int, bool], Curve], episodes: Sequence[tuple[str, Record]]
) -> dict[str, ValueCurve]:
    return {
        name: _value_curve(curve(len(record.truth), record.success).values, "told" not in title)
        for name, record in episodes
    }


def _curve(values: Floats, curve: Curve) -> ValueCurve:
    return _value_curve(values, True, curve.unknown)


def _value_curve(values: Floats, causal: bool, unknown: object = None) -> ValueCurve:
    stamps = np.arange(len(values), dtype=np.int64) * STEP_NS
    mask = np.zeros(len(values), np.bool_) if unknown is None else np.asarray(unknown, np.bool_)
    return ValueCurve(np.clip(values, 0.0, 1.0), stamps, causal=causal, unknown=mask)

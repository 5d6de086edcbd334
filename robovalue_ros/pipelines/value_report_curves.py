"""What the page of a run shows of one episode: curves, flags as bands, and facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.types import Array, Episode, Finding
from robovalue_ros.data.segment_files import SegmentsFile
from robovalue_ros.data.value_store.causal import CausalValues
from robovalue_ros.pipelines.results import ScoredEpisode
from robovalue_ros.pipelines.scored_curves import (
    Floats,
    clear_falls,
    frames_of,
    hindsight_values,
    trimmed,
)
from robovalue_ros.pipelines.shown_actions import action_bands
from robovalue_ros.pipelines.value_report_text import (
    ACTIONS,
    DECLARED_AT,
    FALLS,
    FINAL,
    SOURCE,
    STALLED,
    VOC,
)
from robovalue_ros.report.model import BandKind, Cell
from robovalue_ros.report.page import Band, CurveMark, ReportEpisode
from robovalue_ros.value.metrics.accuracy import mae
from robovalue_ros.value.metrics.events import true_runs
from robovalue_ros.value.metrics.ranking import voc

VALUE, WITH_OUTCOME, TRUE = "value, causal", "value, hindsight", "true progress"
MARKS = {
    VALUE: CurveMark("strong", "what a live stream says at that moment"),
    WITH_OUTCOME: CurveMark("plain", "knows how long it takes and how it ends"),
    TRUE: CurveMark("thin", "as recorded"),
}
FLAGS: dict[str, tuple[BandKind, str, str]] = {
    "declared": ("good", "declared", "looks done"),
    "unknown": ("note", "unknown", "unlike any demonstration"),
    "stall": ("warning", "stall", "nothing moves"),
    "regression": ("error", "fall", "the value fell clearly"),
}
# Without a recording nobody knows the rate of frames.
ASSUMED_HZ = 10.0


def shown_episode(
    scored: ScoredEpisode,
    episode: Episode | None,
    videos: Mapping[str, bytes | Path],
    truth: str,
    findings: list[Finding],
    listed: SegmentsFile | None = None,
) -> ReportEpisode:
    """Lay curves, flags, actions and facts of an episode on the clock of its recording.

    episode: None when it cannot be read. listed: its actions. What does not fit is told in `findings`.
    """
    try:
        count = frames_of(scored, None if episode is None else len(episode))
    except DataError as problem:
        advice = "Score it again; the page shows the curves without the videos."
        findings.append(Finding("warning", scored.name, problem.reason, advice))
        count, episode, videos = frames_of(scored), None, {}
    stamps = _stamps(scored, episode, count, findings)
    rate = float(1 / np.median(np.diff(stamps))) if count > 1 else ASSUMED_HZ
    known = _truth(scored, episode, truth, findings)
    actions = () if listed is None else action_bands(listed, stamps)
    signals = _signals(scored, count)
    if known is not None:
        signals[TRUE] = known
    return ReportEpisode(
        id=scored.name,
        task=scored.task,
        success=scored.success,
        rate_hz=rate,
        stamps_s=stamps,
        videos=videos,
        signals=signals,
        facts=_facts(scored, stamps, rate, known) | _counted(actions),
        bands=(*_segments(scored, stamps), *actions, *_flags(scored.causal, stamps)),
        marks={name: MARKS[name] for name in signals},
    )


def _counted(actions: Sequence[Band]) -> dict[str, Cell]:
    return {ACTIONS: len(actions)} if actions else {}


def _stamps(
    scored: ScoredEpisode, episode: Episode | None, count: int, findings: list[Finding]
) -> Floats:
    stamps = episode.stamps_ns if episode is not None else None
    if stamps is None and scored.causal is not None:
        stamps = scored.causal.stamps_ns
    if stamps is None:
        text = f"times are made up: {ASSUMED_HZ:g} frames per second"
        findings.append(Finding("note", scored.name, text))
        return np.arange(count) / ASSUMED_HZ
    seconds: Floats = (stamps - stamps[0]) / 1e9
    return seconds


def _truth(
    scored: ScoredEpisode, episode: Episode | None, name: str, findings: list[Finding]
) -> Floats | None:
    if episode is None or name not in episode.signals:
        return None
    values = np.asarray(episode.signals[name], np.float64)
    if values.ndim != 1:
        text = f"the signal {name!r} has {values.shape[1]} columns"
        findings.append(
            Finding("warning", scored.name, text, "True progress is one number a frame.")
        )
        return None
    return values


def _signals(scored: ScoredEpisode, count: int) -> dict[str, Array]:
    signals: dict[str, Array] = {}
    if scored.causal is not None:
        signals[VALUE] = scored.causal.values
    if scored.hindsight is not None:
        whole = np.full(count, np.nan)
        whole[trimmed(scored)] = scored.hindsight.values
        signals[WITH_OUTCOME] = whole
    return signals


def _facts(
    scored: ScoredEpisode, stamps: Floats, rate: float, known: Floats | None
) -> dict[str, Cell]:
    causal = scored.causal
    values = causal.values if causal is not None else hindsight_values(scored)
    facts: dict[str, Cell] = {
        FINAL: round(float(values[-1]), 3), VOC: _voc(values),
        FALLS: len(clear_falls(values, rate)),
        STALLED: None, DECLARED_AT: None, SOURCE: scored.recording.source.replace("_", " "),
    }  # fmt: skip
    if causal is not None:
        declared = np.flatnonzero(causal.declared)
        facts[STALLED] = round(_seconds(causal.stall & ~causal.declared, stamps, rate), 1)
        facts[DECLARED_AT] = round(float(stamps[declared[0]]), 1) if len(declared) else None
    if causal is not None and scored.hindsight is not None:
        told = hindsight_values(scored)
        facts["Hindsight final"], facts["Hindsight VOC"] = round(float(told[-1]), 3), _voc(told)
    if scored.hindsight is not None:
        facts["Method"] = scored.hindsight.method
    if known is not None and np.isfinite(known).all():
        facts["True final"] = round(float(known[-1]), 3)
        frames = slice(None) if causal is not None else trimmed(scored)
        facts["Mean error"] = round(mae(values, known[frames]), 3)
    if scored.recording.path.name != scored.name:
        facts["Recording"] = scored.recording.path.name
    return facts


def _voc(values: Floats) -> Cell:
    found = voc(values)
    return None if np.isnan(found) else round(found, 3)


def _seconds(mask: NDArray[np.bool_], stamps: Floats, rate: float) -> float:
    """Return how long a flag is up; the last frame lasts as long as a usual one."""
    lasts = np.append(np.diff(stamps), 1 / rate)
    return float(lasts[mask].sum())


def _flags(causal: CausalValues | None, stamps: Floats) -> list[Band]:
    if causal is None:
        return []
    return [
        Band(*_times(stamps, start, stop), text, kind, lane)
        for flag, (kind, lane, text) in FLAGS.items()
        for start, stop in true_runs(getattr(causal, flag)).tolist()
    ]


def _segments(scored: ScoredEpisode, stamps: Floats) -> list[Band]:
    """Return the matched segments as one row, stronger in colour the further they belong."""
    hindsight = scored.hindsight
    if hindsight is None or "match_seg_idx_sparse" not in hindsight.sparse:
        return []
    index = hindsight.sparse["match_seg_idx_sparse"]
    ends = hindsight.sparse["window_end_t_sparse"]
    if not len(index):
        return []
    count = max(int(hindsight.meta["segment_match_num_segments"]), int(index.max()) + 1)
    last = np.append(np.flatnonzero(np.diff(index)), len(index) - 1)
    kept = trimmed(scored)
    stops = np.minimum(kept.start + ends[last] + 1, kept.stop)
    bands, start = [], kept.start
    for place, stop in zip(last.tolist(), stops.tolist(), strict=True):
        if stop > start:
            number = int(index[place])
            level = number / max(count - 1, 1)
            text = f"segment {number + 1} of {count}"
            bands.append(Band(*_times(stamps, start, stop), text, "segment", "segment", level))
        start = max(start, stop)
    return bands


def _times(stamps: Floats, start: int, stop: int) -> tuple[float, float]:
    """Return when frames [start, stop) begin and end."""
    if stop < len(stamps):
        return float(stamps[start]), float(stamps[stop])
    step = float(stamps[-1] - stamps[-2]) if len(stamps) > 1 else 1 / ASSUMED_HZ
    return float(stamps[start]), float(stamps[-1]) + step

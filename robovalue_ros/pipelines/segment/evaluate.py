"""`robovalue segment evaluate`: found segments beside those that somebody marked."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.atomic import write_json
from robovalue_ros.data.segment_files import (
    ENERGY_PATTERN,
    NamedSpan,
    SegmentsFile,
    read_energies,
    read_segments,
)
from robovalue_ros.pipelines.segment.evaluate_config import SegmentEvaluateConfig
from robovalue_ros.pipelines.segment.truths import found_file, true_files
from robovalue_ros.segment.boundaries import agreement, boundaries, delay, splitting
from robovalue_ros.segment.cuts import cuts, pieces
from robovalue_ros.segment.ground_truth import MarkedVideo, evaluate_segments
from robovalue_ros.segment.labels import (
    LabelledSpan,
    Labels,
    edit_score,
    frame_labels,
    mean_over_frames,
    overlap_f1,
    renamed,
)
from robovalue_ros.segment.mean_precision import FoundSegment, confidence

DEFAULT_PROGRESS = SilentProgress()
OVERLAPS = (10, 25, 50)
UNNAMED = re.compile(r"segment_\d+")


@dataclass(frozen=True, slots=True)
class ActionScores:
    """Scores of one video, or their means. mof: share of frames, the others of labels in percent.

    boundary_f1: of pairs within the first tolerance. delay, abs_delay: seconds by which found ones
    are late. over, under: segments too many on either side, per segment of the other.
    """

    mof: float
    edit: float
    f1_10: float
    f1_25: float
    f1_50: float
    boundary_f1: float
    delay: float
    abs_delay: float
    over: float
    under: float


@dataclass(frozen=True, slots=True)
class EvaluateResult:
    """scores: as the JSON has them. actions: per video that was cut. mean: over those videos."""

    scores: dict[str, Any]
    actions: dict[str, ActionScores]
    mean: ActionScores | None
    findings: tuple[Finding, ...]


def evaluate_folder(
    config: SegmentEvaluateConfig, *, progress: Progress = DEFAULT_PROGRESS
) -> EvaluateResult:
    """Score every video that somebody marked; raises DataError when none can be used.

    A video without segments counts as not looked at: 0 in the means of the boundaries, and its true
    segments as missed. A damaged file is told, and counts as missing.
    """
    findings: list[Finding] = []
    videos: dict[str, MarkedVideo] = {}
    actions: dict[str, ActionScores] = {}
    truths = true_files(config.gt_dir)
    with progress.stage("videos", len(truths)) as tick:
        for name, path in truths.items():
            try:
                truth = _joined(read_segments(path), config)
            except DataError as problem:
                findings.append(Finding("error", name, str(problem), "It is left out."))
            else:
                found = _found(config, name, findings)
                videos[name] = _marked(config, name, truth, found, findings)
                if found is not None:
                    actions[name] = action_scores(
                        found.segments, truth.segments, truth.duration, config.fps,
                        config.tolerances[0],
                    )  # fmt: skip
            tick(1)
    if not videos:
        raise DataError(config.gt_dir, "no marked video can be used", "", findings[0].found)
    mean = mean_scores(list(actions.values())) if actions else None
    scores = _plain(
        {
            **evaluate_segments(videos, config.tolerances),
            "actions": {
                "rests": config.rests,
                "per_video": {name: asdict(one) for name, one in actions.items()},
                "mean": None if mean is None else asdict(mean),
            },
        }
    )
    if config.output_json is not None:
        write_json(config.output_json, scores)
    return EvaluateResult(scores, actions, mean, tuple(findings))


def action_scores(
    found: Sequence[NamedSpan],
    truth: Sequence[NamedSpan],
    duration: float,
    fps: float,
    tolerance: float,
) -> ActionScores:
    """Score the segments of one video.

    Segments without names of their own get those of the true ones that fit best, one to one.
    """
    frames = max(1, round(duration * fps))
    ours, theirs = _labels(found, truth, frames, fps)
    spans = [(span.start, span.stop) for span in found]
    true_spans = [(span.start, span.stop) for span in truth]
    at, true_at = boundaries(spans, duration), boundaries(true_spans, duration)
    late = delay(at, true_at, tolerance)
    parts = splitting(spans, true_spans)
    f1_10, f1_25, f1_50 = (overlap_f1(ours, theirs, percent / 100.0) for percent in OVERLAPS)
    return ActionScores(
        mof=mean_over_frames(ours, theirs),
        edit=edit_score(ours, theirs),
        f1_10=f1_10,
        f1_25=f1_25,
        f1_50=f1_50,
        boundary_f1=agreement(at, true_at, tolerance).f1,
        delay=late.mean,
        abs_delay=late.mean_abs,
        over=parts.over,
        under=parts.under,
    )


def mean_scores(scores: Sequence[ActionScores]) -> ActionScores:
    """Return the means over videos; a number that a video does not have is left out."""

    def mean(values: list[float]) -> float:
        known = [value for value in values if not math.isnan(value)]
        return float(np.mean(known)) if known else float("nan")

    rows = [asdict(one) for one in scores]
    return ActionScores(**{name: mean([row[name] for row in rows]) for name in rows[0]})


def _labels(
    found: Sequence[NamedSpan], truth: Sequence[NamedSpan], frames: int, fps: float
) -> tuple[Labels, Labels]:
    names = {span.label for span in truth}
    if any(span.label in names and not UNNAMED.fullmatch(span.label) for span in found):
        known = {label: n for n, label in enumerate(sorted(names | {one.label for one in found}))}
        ours, theirs = (
            _frames(spans, [known[span.label] for span in spans], frames, fps)
            for spans in (found, truth)
        )
        return ours, theirs
    # Whoever does not name actions can only be asked where each occurrence lies.
    ours, theirs = (_frames(spans, range(len(spans)), frames, fps) for spans in (found, truth))
    return renamed(ours, theirs), theirs


def _frames(spans: Sequence[NamedSpan], numbers: Sequence[int], frames: int, fps: float) -> Labels:
    return frame_labels(
        [
            LabelledSpan(round(span.start * fps), round(span.stop * fps), number)
            for span, number in zip(spans, numbers, strict=True)
        ],
        frames,
    )


def _joined(file: SegmentsFile, config: SegmentEvaluateConfig) -> SegmentsFile:
    """Turn rests between segments into cuts, where that was asked for."""
    if config.rests == "kept" or not file.segments:
        return file
    ordered = sorted(file.segments, key=lambda span: (span.start, span.stop))
    inside = cuts([(span.start, span.stop) for span in ordered])
    made = pieces(inside, file.duration)
    if len(made) != len(ordered):  # segments that lie in one another have no order to keep
        return replace(
            file, segments=tuple(NamedSpan(*span, f"segment_{n}") for n, span in enumerate(made))
        )
    spans = [NamedSpan(*span, one.label) for span, one in zip(made, ordered, strict=True)]
    return replace(file, segments=tuple(spans))


def _found(
    config: SegmentEvaluateConfig, name: str, findings: list[Finding]
) -> SegmentsFile | None:
    try:
        path = found_file(config.pred_root, name)
        if path is None:
            findings.append(
                Finding("warning", name, "nobody cut this video", "It counts as missed.")
            )
            return None
        return _joined(read_segments(path), config)
    except DataError as problem:
        findings.append(Finding("error", name, str(problem), "It counts as missed."))
        return None


def _marked(
    config: SegmentEvaluateConfig,
    name: str,
    truth: SegmentsFile,
    found: SegmentsFile | None,
    findings: list[Finding],
) -> MarkedVideo:
    spans = tuple((span.start, span.stop) for span in truth.segments)
    if found is None:
        return MarkedVideo(spans, None, truth.duration)
    energies = _energies(config, name, found, findings)
    segments = []
    for span in found.segments:
        sure = [
            value
            for series, step_s in energies
            for window, value in series.items()
            if span.start <= window * step_s <= span.stop
        ]
        sureness = float(np.mean(sure)) if sure else confidence((span.start, span.stop), {}, 1.0)
        segments.append(FoundSegment(name, (span.start, span.stop), sureness))
    return MarkedVideo(spans, tuple(segments), truth.duration)


def _energies(
    config: SegmentEvaluateConfig, name: str, found: SegmentsFile, findings: list[Finding]
) -> list[tuple[dict[int, float], float]]:
    """Return every energy of a video with the seconds from window to window."""
    folder = found.path.parents[1] if config.energy_root is None else config.energy_root / name
    stride, fps = found.params.get("stride", 4), found.params.get("target_fps") or found.fps or 20.0
    step_s = stride / fps if isinstance(stride, int | float) and fps else 0.2
    energies = []
    for path in sorted(folder.glob(ENERGY_PATTERN)):
        try:
            energies.append((dict(read_energies(path).values), float(step_s)))
        except DataError as problem:
            findings.append(Finding("warning", name, str(problem), "It is not used."))
    return energies


def _plain(value: Any) -> Any:
    """Return values for JSON, which has no NaN."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value

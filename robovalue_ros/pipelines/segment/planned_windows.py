"""Which windows of followed points a sampling plan draws.

An anchor is a row of the data set that points were followed in: an episode and a frame. Its window is
the one that begins at that frame, or at the last frame before it that was looked at. Recordings
are matched to episodes by name.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.config import from_mapping
from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.settings import read_yaml
from robovalue_ros.pipelines.planned_training import (
    PlannedEpisode,
    TrainingPlan,
    held_file,
    no_anchors,
)
from robovalue_ros.pipelines.segment.following import kept_frames
from robovalue_ros.pipelines.segment.preprocess_config import TracksOptions
from robovalue_ros.training.planned import PlannedSamples
from robovalue_ros.training.splits import Split
from robovalue_ros.training.tokenizer_samples import MotionSamples, Opened

SETTINGS, SECTION = "config.yaml", "tracks"
DEEPEST = 8


def planned_split(split: Split, plan: TrainingPlan, named: bool) -> Split:
    """Return recordings of the plan's episodes to learn from, and others to judge by.

    named: the user said which recordings judge; their anchors are not drawn. Else as many of those
    that the plan does not keep are held out as without a plan, where there are so many.
    """
    drawn = [path for path in (*split.train, *split.validation) if _is_planned(plan, path)]
    judged = set(split.validation) if named else set()
    train = tuple(path for path in drawn if path not in judged)
    if not train:
        raise no_anchors(plan.choice)
    if named:
        return replace(split, train=train)
    others = [path for path in (*split.train, *split.validation) if path not in set(drawn)]
    held_out = tuple(others[max(0, len(others) - len(split.validation)) :])
    findings = split.findings
    if split.validation and not held_out:
        text = "the plan keeps all recordings: nothing is held out to judge by"
        findings += (Finding("note", "validation", text),)
    return replace(split, train=train, validation=held_out, findings=findings)


def _is_planned(plan: TrainingPlan, path: Path) -> bool:
    episode = plan.episode_of(held_file(path))
    return episode is not None and episode.number in plan.anchors_of


def planned_windows(
    plan: TrainingPlan, opened: Opened, samples: MotionSamples, seed: int
) -> tuple[PlannedSamples, tuple[Finding, ...]]:
    """Return the samples that a plan draws, and what of it cannot be drawn.

    Raises DataError for a recording of another length than its episode, ConfigError when no anchor
    can be drawn.
    """
    rows = samples.rows
    most = int(rows[:, 1].max()) + 1
    keys = rows[:, 0] * most + rows[:, 1]
    anchors = len(plan.stored.plan.anchors)
    frames, sample_of = plan.frames, np.full(anchors, -1, np.int64)
    recorded = np.zeros(anchors, np.bool_)
    for number, (file, infos) in enumerate(zip(opened.files, opened.infos, strict=True)):
        episode = plan.episode_of(held_file(file.path))
        if episode is None:
            continue
        kept = _looked_at(file.path, episode, min(info.frames for info in infos))
        mine = plan.anchors_of.get(episode.number, np.empty(0, np.int64))
        at = np.searchsorted(kept, frames[mine], side="right") - 1
        place = np.searchsorted(keys, number * most + at)
        there = (at < most) & (place < len(keys))
        there[there] = keys[place[there]] == number * most + at[there]
        sample_of[mine[there]] = place[there]
        recorded[mine] = True
    chosen = sample_of >= 0
    if not chosen.any():
        raise no_anchors(plan.choice)
    return plan.samples(chosen, sample_of[chosen], seed), _left_out(chosen, recorded)


def _looked_at(path: Path, episode: PlannedEpisode, frames: int) -> NDArray[np.int64]:
    """Return which frames of an episode a recording's windows begin at; raises DataError."""
    kept = kept_frames(episode.stamps_ns, _tracks_options(path))
    if len(kept) != frames:
        raise DataError(
            path, f"holds windows of {frames} frames of {episode.name}",
            f"{len(kept)}, of the {len(episode.stamps_ns)} frames that the plan's data set has of it",
            "Follow the points of that data set again, with `robovalue segment preprocess`.",
        )  # fmt: skip
    return kept


def _tracks_options(path: Path) -> TracksOptions:
    """Return how points were followed, as told beside the file or above; every frame if nowhere."""
    for folder in path.resolve().parents[:DEEPEST]:
        settings = folder / SETTINGS
        if settings.is_file():
            told = read_yaml(settings).get(SECTION)
            if isinstance(told, dict):
                return from_mapping(TracksOptions, told, f"{settings}: {SECTION}")
            break
    return TracksOptions(resample="native")


def _left_out(chosen: NDArray[np.bool_], recorded: NDArray[np.bool_]) -> tuple[Finding, ...]:
    findings = []
    absent, still = int((~recorded).sum()), int((recorded & ~chosen).sum())
    if absent:
        text = f"{absent} of {len(chosen)} anchors lie in no recording that is learned from"
        findings.append(Finding("warning", "sampling plan", text, "They are left out."))
    if still:
        text = f"{still} of {len(chosen)} anchors begin a window in which nothing moves"
        advice = "They are left out; --still-windows keep learns them."
        findings.append(Finding("note", "sampling plan", text, advice))
    return tuple(findings)

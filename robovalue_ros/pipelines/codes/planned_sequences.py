"""Which code sequences a sampling plan draws.

A sequence is of one segment of an episode, and weighs what the anchors in its frames weigh together.
Side cars say which frames those are; the folder above their `code_indices` names the episode, and
after it the camera where there are several.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.code_files import CODES_FOLDER, CodeSpan, span_of
from robovalue_ros.pipelines.planned_training import PlannedEpisode, TrainingPlan
from robovalue_ros.plans.ragged import Floats, Ints
from robovalue_ros.segment.resample import SlotClock
from robovalue_ros.training.planned import PlannedSamples


def planned_sequences(
    plan: TrainingPlan, root: Path, names: Sequence[str], seed: int
) -> tuple[PlannedSamples, tuple[Finding, ...]]:
    """Return what a plan draws of the sequences that are named, and which it cannot draw.

    Raises DataError for a segment that lies outside of its episode, ConfigError when nothing is left.
    """
    weights = np.zeros(len(names))
    sums = _Sums(plan)
    unplaced = 0
    for at, name in enumerate(names):
        span, episode = span_of(root, name), _episode(plan, name)
        if span is None or episode is None:
            unplaced += 1
            continue
        weights[at] = sums.of(root / name, episode, span)
    findings: tuple[Finding, ...] = ()
    if unplaced:
        text = f"{unplaced} of {len(names)} sequences do not say which frames of which episode they are"
        findings = (Finding("warning", "sampling plan", text, "They are left out."),)
    return plan.weighted(weights, seed), findings


def _episode(plan: TrainingPlan, name: str) -> PlannedEpisode | None:
    """Return the episode that the folder of a side car is called like, with or without a camera."""
    folder = PurePosixPath(name).parent
    folder = folder.parent if folder.name == CODES_FOLDER else folder
    while folder.name:
        found = plan.episode_of(folder)
        if found is not None:
            return found
        shorter, camera, _ = folder.name.rpartition("_")
        if not (shorter and camera):
            return None
        folder = folder.with_name(shorter)
    return None


class _Sums:
    """Sums of weights over frames of episodes; each episode is looked at once."""

    def __init__(self, plan: TrainingPlan) -> None:
        self._plan, self._frames = plan, plan.frames
        self._weights = plan.stored.plan.weights.astype(np.float64)
        self._known: dict[tuple[int, float], tuple[Ints, Floats]] = {}

    def of(self, path: Path, episode: PlannedEpisode, span: CodeSpan) -> float:
        key = episode.number, span.target_fps
        if key not in self._known:
            self._known[key] = self._look(episode, span.target_fps)
        looked_at, sums = self._known[key]
        if span.last >= len(looked_at):
            raise DataError(
                path, f"says that it ends at frame {span.last} of {episode.name}",
                f"a frame below {len(looked_at)}, as many as the plan's data set has of it",
                "Cut the episodes of that data set into segments.",
            )  # fmt: skip
        # What was passed over after the last frame belongs to it.
        after = looked_at[span.last + 1] if span.last + 1 < len(looked_at) else len(sums) - 1
        return float(sums[int(after)] - sums[int(looked_at[span.first])])

    def _look(self, episode: PlannedEpisode, fps: float) -> tuple[Ints, Floats]:
        """Return the frames that were looked at, and the weight of all frames before each (T + 1,)."""
        clock = SlotClock(fps)
        kept = [clock.keep(stamp) for stamp in episode.stamps_ns.tolist()]
        mine = self._plan.anchors_of.get(episode.number, np.empty(0, np.int64))
        weights = np.bincount(self._frames[mine], self._weights[mine], len(kept))
        sums = np.concatenate([[0.0], np.cumsum(weights)])
        return np.flatnonzero(kept), sums

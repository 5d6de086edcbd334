"""The plan of a training beside the data set that it is of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.lerobot.homes import find_data_set
from robovalue_ros.data.plan_files.folder import StoredPlan, read_plan
from robovalue_ros.pipelines.plans.rows import PlanRows, read_rows
from robovalue_ros.pipelines.recordings import Opener
from robovalue_ros.plans.checks import check_match
from robovalue_ros.plans.ragged import Bools, Ints
from robovalue_ros.plans.run_summary import PlanUse
from robovalue_ros.training.plan_options import PlanChoice
from robovalue_ros.training.planned import PlannedSamples

DEFAULT_PROGRESS = SilentProgress()


@dataclass(frozen=True, slots=True, eq=False)
class PlannedEpisode:
    """An episode of a data set. number: in plans. stamps_ns (T,): of its frames."""

    number: int
    name: str
    stamps_ns: Ints


@dataclass(frozen=True, eq=False)
class TrainingPlan:
    """A plan that fits the data set beside it."""

    choice: PlanChoice
    stored: StoredPlan
    rows: PlanRows

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.rows.findings

    @cached_property
    def anchors_of(self) -> Mapping[int, Ints]:
        """Number of each episode that is drawn from -> its anchors, as numbered in the plan."""
        table, anchors = self.rows.table, self.stored.plan.anchors
        return _by_number(table.episode[anchors], table.frame[anchors])

    @property
    def frames(self) -> Ints:
        """Frame (N,) of each anchor in its episode."""
        frames: Ints = self.rows.table.frame[self.stored.plan.anchors]
        return frames

    def episode_of(self, path: PurePath) -> PlannedEpisode | None:
        """Return the episode that a path without suffix ends with; None where none has that name."""
        parts = path.parts
        for begin in range(len(parts)):
            number = self._numbers.get("/".join(parts[begin:]))
            if number is not None:
                stamps = np.rint(self.rows.stamps_s[self._rows_of[number]] * 1e9)
                return PlannedEpisode(number, self.rows.names[number], stamps.astype(np.int64))
        return None

    def samples(self, chosen: Bools, samples: Ints, seed: int) -> PlannedSamples:
        """Return what a trainer draws. chosen (N,): usable anchors. samples: of each of these."""
        plan = self.stored.plan
        return self._planned(plan.weights[chosen].astype(np.float64), samples, seed)

    def weighted(self, weights: NDArray[np.float64], seed: int) -> PlannedSamples:
        """Return what a trainer draws whose samples (M,) hold many anchors. weights: of samples."""
        drawn = np.flatnonzero(weights > 0)
        if not len(drawn):
            raise no_anchors(self.choice)
        return self._planned(weights[drawn], drawn, seed)

    def _planned(self, weights: NDArray[np.float64], samples: Ints, seed: int) -> PlannedSamples:
        choice, places = self.choice, self.stored.places
        use = PlanUse(
            str(choice.sampling_plan_path), self.stored.meta, self.stored.plan.weights,
            choice.sampler_seed_override, choice.sampler_replacement_override,
        )  # fmt: skip
        return PlannedSamples(use, (places.meta, places.arrays), weights, samples, seed)

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        return {name: number for number, name in self.rows.names.items()}

    @cached_property
    def _rows_of(self) -> Mapping[int, Ints]:
        return _by_number(self.rows.table.episode, self.rows.table.frame)


def _by_number(episodes: Ints, frames: Ints) -> Mapping[int, Ints]:
    """Return which of (N,) entries are of each episode, by frame."""
    order = np.lexsort((frames, episodes))
    numbers, begins = np.unique(episodes[order], return_index=True)
    return dict(zip(numbers.tolist(), np.split(order, begins[1:]), strict=True))


def no_anchors(choice: PlanChoice) -> ConfigError:
    """Return the error of a plan that a trainer finds none of its samples in."""
    return ConfigError(
        f"no anchor of {choice.sampling_plan_path} lies in what is trained on",
        "recordings of the episodes that the plan keeps, under the names that they have there",
    )


def open_training_plan(
    choice: PlanChoice,
    horizon: int | None,
    opener: Opener | None,
    *,
    progress: Progress = DEFAULT_PROGRESS,
) -> TrainingPlan | None:
    """Read the plan of a training and the rows of its data set; None where no plan is named.

    horizon: frames of a sample; None: samples have no fixed length. Raises PlanError in the words of
    older tools where plan, data set and horizon do not fit, DataError for what cannot be read.
    """
    if choice.sampling_plan_path is None:
        return None
    if opener is None:
        raise ConfigError("a sampling plan needs the data set that it is of", "a reader for it")
    stored = read_plan(choice.sampling_plan_path)
    meta, anchors = stored.meta, stored.plan.anchors
    repo_id = str(meta.get("repo_id")) if choice.repo_id is None else choice.repo_id
    planned = int(meta.get("action_horizon_H") or 0)
    frames = planned if horizon is None else horizon
    # Names and horizon first: reading a data set takes its time.
    known = int(meta.get("dataset_len") or 0)
    check_match(meta, anchors, repo_id=repo_id, rows=known, horizon=frames)
    rows = read_rows(find_data_set(repo_id), opener, progress=progress)
    check_match(
        meta, anchors, repo_id=repo_id, rows=len(rows.table), horizon=frames,
        data_sha256=rows.data_sha256,
    )  # fmt: skip
    return TrainingPlan(choice, stored, rows)


def held_file(path: Path) -> PurePath:
    """Return a file's path without its suffix, as episodes are looked for."""
    return PurePath(path.resolve()).with_suffix("")

"""`robovalue plan episodes` and `horizon`: what a data set gives a plan to work with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.lerobot.homes import find_data_set
from robovalue_ros.data.lerobot.naming import ACTION, STATE
from robovalue_ros.pipelines.plans.config import PlanEpisodesConfig, PlanHorizonConfig
from robovalue_ros.pipelines.plans.rows import EPISODE, FRAME, STAMP, PlanRows, read_rows
from robovalue_ros.pipelines.recordings import Opener
from robovalue_ros.plans.episodes import index_episodes
from robovalue_ros.plans.errors import PlanError
from robovalue_ros.plans.norm_rows import window_frames
from robovalue_ros.plans.ragged import Floats, Ints
from robovalue_ros.plans.train_setups import train_setup

DEFAULT_PROGRESS = SilentProgress()
FIELDS = (EPISODE, FRAME, STAMP, STATE, ACTION)
NAMED = 5


@dataclass(frozen=True, slots=True)
class ListedEpisode:
    """frames: last frame + 1. rows: how many of these there are."""

    number: int
    name: str
    frames: int
    rows: int


@dataclass(frozen=True, slots=True)
class EpisodesReport:
    """fields: width of each that plans use, None where it is missing. listed: the first episodes.

    lengths: least, mean and largest number of frames. uneven: episodes whose rows are not all there.
    """

    path: str
    rows: int
    fields: Mapping[str, int | None]
    episodes: int
    lengths: tuple[int, float, int]
    listed: tuple[ListedEpisode, ...]
    uneven: tuple[int, ...]
    data_sha256: str
    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """Whether a plan can choose among episodes."""
        return self.fields[EPISODE] is not None and self.fields[FRAME] is not None


def episodes_report(
    config: PlanEpisodesConfig, opener: Opener, *, progress: Progress = DEFAULT_PROGRESS
) -> EpisodesReport:
    """Tell which fields and episodes a data set has; raises DataError."""
    rows = read_rows(find_data_set(config.repo_id), opener, progress=progress)
    index = index_episodes(rows.table)
    ids, lengths, counts = index.ids.tolist(), index.lengths, index.rows
    uneven = tuple(index.ids[lengths != counts].tolist())
    findings = list(rows.findings)
    if uneven:
        text = f"{len(uneven)} episodes lack rows, such as {', '.join(map(str, uneven[:NAMED]))}"
        findings.append(
            Finding("warning", FRAME, text, "Plans go by frame numbers; windows there have gaps.")
        )
    if not rows.table.has_episode_fields:
        findings.append(
            Finding("warning", EPISODE, "rows do not say which episode they belong to",
                    "The whole data set counts as one: build with --num-episodes-keep 1.")
        )  # fmt: skip
    listed = tuple(
        ListedEpisode(number, rows.names.get(number, ""), length, count)
        for number, length, count in zip(
            ids[: config.max_episodes_print], lengths.tolist(), counts.tolist(), strict=False
        )
    )
    return EpisodesReport(
        str(rows.path), len(rows.table), {name: rows.columns.get(name) for name in FIELDS},
        len(ids), (int(lengths.min()), float(lengths.mean()), int(lengths.max())), listed, uneven,
        rows.data_sha256, tuple(findings),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Window:
    """Actions of one window, repeated where it passes the end of its episode.

    frame: where it begins. shape: frames and dimensions. repeated: frames that are the last one
    again. nan: whether a number is missing. std: over the time of the window, mean of dimensions.
    """

    frame: int
    shape: tuple[int, int]
    repeated: int
    nan: bool
    std: float


@dataclass(frozen=True, slots=True)
class HorizonReport:
    """The last window that an episode fills, and the one that begins in its last frame."""

    episode: int
    name: str
    frames: int
    horizon: int
    strict: Window
    last: Window
    findings: tuple[Finding, ...]


def horizon_report(
    config: PlanHorizonConfig, opener: Opener, *, progress: Progress = DEFAULT_PROGRESS
) -> HorizonReport:
    """Tell what windows at the end of an episode hold; raises PlanError, DataError, ConfigError."""
    horizon = train_setup(config.train_config_name, config.action_horizon, 1).action_horizon
    rows = read_rows(find_data_set(config.repo_id), opener, progress=progress)
    if rows.actions is None:
        raise DataError(rows.path, "has no actions", ACTION)
    chosen = np.flatnonzero(rows.table.episode == config.episode_id)
    if len(chosen) == 0:
        raise PlanError(f"episode_id={config.episode_id} not found in dataset.")
    frames = rows.table.frame[chosen]
    last = int(frames.max())
    first = last - horizon + 1
    if first < 0:
        raise PlanError(f"Episode too short for horizon={horizon}: last_f={last}")
    ordered = chosen[np.argsort(frames, kind="stable")]
    return HorizonReport(
        config.episode_id, rows.names.get(config.episode_id, ""), last + 1, horizon,
        _window(rows, ordered, first, horizon), _window(rows, ordered, last, horizon),
        rows.findings,
    )  # fmt: skip


def _window(rows: PlanRows, ordered: Ints, frame: int, horizon: int) -> Window:
    """Return the window that begins in a frame. ordered (T,): rows of the episode by frame."""
    assert rows.actions is not None
    place = int(np.searchsorted(rows.table.frame[ordered], frame))
    steps = window_frames(np.array([place]), len(ordered), horizon)[0]
    actions: Floats = rows.actions[ordered[steps]].astype(np.float64)
    return Window(
        frame, (horizon, actions.shape[1]), max(0, place + horizon - len(ordered)),
        bool(np.isnan(actions).any()), float(actions.std(axis=0).mean()),
    )  # fmt: skip


def plain(value: Any) -> Any:
    """Return a result as JSON values: names and tuples of it."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value

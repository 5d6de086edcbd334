"""A page to look at: every episode with its videos and its recorded signals."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.ports import EpisodeReader
from robovalue_ros.contracts.progress import Progress, SilentProgress, Tick
from robovalue_ros.contracts.types import Array, Episode, Finding
from robovalue_ros.data.atomic import write_text
from robovalue_ros.data.segment_files import SegmentsFile
from robovalue_ros.data.video import encode_mp4_bytes
from robovalue_ros.pipelines.shown_actions import ActionLists, action_bands
from robovalue_ros.report.page import Report, ReportEpisode, render

DEFAULT_PROGRESS = SilentProgress()
# Enough to judge a movement by eye, and small enough that fifty episodes stay one page.
PAGE_CRF = 24
MAX_SIGNALS = 24
# Needed to play an episode again, of no interest to the eye.
UNSHOWN = ("seed", "env_id", "planned_success")


def report_episodes(
    reader: EpisodeReader,
    target: Path,
    *,
    title: str | None = None,
    limit: int = 50,
    segments: Path | None = None,
    progress: Progress = DEFAULT_PROGRESS,
) -> Path:
    """Write the page of a data set and return its path; damaged episodes become findings.

    segments: where actions are listed, which then stand in a row below the curves.
    """
    lists = None if segments is None else ActionLists(segments)
    ids = reader.episode_ids()
    episodes: list[ReportEpisode] = []
    findings: list[Finding] = []
    if len(ids) > limit:
        text = f"{limit} of {len(ids)} episodes are shown"
        findings.append(Finding("note", "episodes", text, "Raise --limit to see more."))
    with progress.stage("episodes", min(limit, len(ids))) as tick:
        for episode_id in ids[:limit]:
            try:
                episode = reader.open(episode_id)
                try:
                    with progress.stage(episode_id, len(episode) * len(episode.cameras)) as frame:
                        listed = None
                        if lists is not None:
                            listed = lists.of([episode.id], list(episode.cameras), findings)
                        episodes.append(report_episode(episode, frame, listed))
                finally:
                    episode.close()
            except DataError as problem:
                findings.append(Finding("error", episode_id, str(problem)))
            tick(1)
    if not episodes:
        raise DataError(reader.path, "no episode can be shown", "at least one readable episode")
    findings += [*reader.findings(), *(lists.unused() if lists is not None else [])]
    page = Report(
        title=title or reader.path.resolve().name,
        subtitle=f"{len(ids)} episodes · {reader.format}",
        episodes=tuple(episodes),
        chapters=(),
        findings=tuple(findings),
    )
    write_text(target, render(page))
    return target


def report_episode(
    episode: Episode, tick: Tick, listed: SegmentsFile | None = None
) -> ReportEpisode:
    """Turn an episode into what the page shows of it: small videos, named curves, actions."""
    rate = episode.rate_hz or 10.0
    stamps_s = (episode.stamps_ns - episode.stamps_ns[0]) / 1e9
    videos = {}
    for name, source in episode.cameras.items():
        videos[name] = encode_mp4_bytes(source.iterate(), rate, PAGE_CRF)
        tick(len(episode))
    return ReportEpisode(
        id=episode.id,
        task=episode.task,
        success=episode.success,
        rate_hz=rate,
        stamps_s=stamps_s,
        videos=videos,
        signals=_curves(episode),
        facts={name: value for name, value in episode.meta.items() if name not in UNSHOWN},
        bands=() if listed is None else action_bands(listed, stamps_s),
    )


def _curves(episode: Episode) -> dict[str, Array]:
    """Pick the curves: recorded signals first, then the state and action dimensions."""
    curves: dict[str, Array] = {}
    for name, values in episode.signals.items():
        if values.ndim == 1:
            curves[name] = np.asarray(values, np.float64)
    for group, values, names in (
        ("action", episode.actions, episode.action_names),
        ("state", episode.states, episode.state_names),
    ):
        for column in range(values.shape[1]):
            label = names[column] if names else str(column)
            curves[f"{group} {label}"] = np.asarray(values[:, column], np.float64)
    return dict(list(curves.items())[:MAX_SIGNALS])

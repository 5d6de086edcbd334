"""The page of a run: every scored episode with its cameras and its value in step."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress, Tick
from robovalue_ros.contracts.types import Episode, Finding
from robovalue_ros.data.atomic import atomic_path
from robovalue_ros.data.segment_files import SegmentsFile
from robovalue_ros.data.video import encode_video
from robovalue_ros.pipelines.recordings import Readers
from robovalue_ros.pipelines.results import ScoredEpisode
from robovalue_ros.pipelines.shown_actions import ActionLists
from robovalue_ros.pipelines.value_report_config import TRUTH
from robovalue_ros.pipelines.value_report_curves import shown_episode
from robovalue_ros.pipelines.value_report_text import (
    COLUMNS,
    counted,
    final_tile,
    reading_chapter,
    run_chapter,
)
from robovalue_ros.report.model import Cell
from robovalue_ros.report.page import Report, ReportChapter, ReportEpisode, page_parts

DEFAULT_PROGRESS = SilentProgress()
CRF = 24
Videos = dict[str, bytes | Path]


def write_value_report(
    episodes: Sequence[ScoredEpisode],
    readers: Readers,
    target: Path,
    *,
    title: str,
    limit: int = 50,
    truth: str = TRUTH,
    segments: Path | None = None,
    facts: Mapping[str, Cell] | None = None,
    chapters: Sequence[ReportChapter] = (),
    findings: Sequence[Finding] = (),
    progress: Progress = DEFAULT_PROGRESS,
) -> Path:
    """Write one HTML file about a run and return its path; the same input gives the same bytes.

    Every episode stands in the table with its curves; `limit` of them, evenly spread, have videos.
    An episode that cannot be read, or has a damaged frame, keeps its curves and becomes a finding.
    truth: the recorded signal that holds true progress. segments: where actions are listed, which
    then stand in a row below the curves. facts: about the run. Videos wait on the
    disk, and one is in memory at a time. Raises DataError when there is no episode.
    """
    if not episodes:
        raise DataError(target, "there is no scored episode to show", "at least one")
    lists = None if segments is None else ActionLists(segments)
    chosen = _spread(len(episodes), limit)
    shown: list[ReportEpisode] = []
    noticed = list(findings)
    if len(chosen) < len(episodes):
        text = f"{len(chosen)} of {len(episodes)} episodes have videos; all have curves"
        noticed.append(Finding("note", "videos", text, "Raise --limit to see more."))
    with tempfile.TemporaryDirectory(prefix="robovalue-report-") as folder:
        with progress.stage("episodes", len(episodes)) as tick:
            for place, episode in enumerate(episodes):
                where = Path(folder) / str(place) if place in chosen else None
                shown.append(_read(episode, readers, where, truth, lists, noticed, progress))
                tick(1)
        if lists is not None:
            noticed += lists.unused()
        page = Report(
            title=title,
            subtitle=counted(episodes),
            episodes=tuple(shown),
            chapters=(*chapters, *run_chapter(facts or {}), reading_chapter(episodes, shown)),
            findings=tuple(dict.fromkeys(noticed)),
            columns=COLUMNS,
            tiles=final_tile(shown),
        )
        with atomic_path(target) as temporary, temporary.open("w", encoding="utf-8") as stream:
            stream.writelines(page_parts(page))
    return target


def _spread(count: int, limit: int) -> set[int]:
    """Choose episodes evenly: failures are scored first, and a page of failures would mislead."""
    take = max(0, min(count, limit))
    return set(np.linspace(0, count - 1, take).round().astype(int).tolist())


def _read(
    scored: ScoredEpisode,
    readers: Readers,
    folder: Path | None,
    truth: str,
    lists: ActionLists | None,
    findings: list[Finding],
    progress: Progress,
) -> ReportEpisode:
    try:
        episode = readers.open(scored.recording)
    except DataError as problem:
        findings.append(_finding(scored, problem))
        progress.say(f"without its frames: {findings[-1].found}")
        return shown_episode(
            scored, None, {}, truth, findings, _actions(scored, (), lists, findings)
        )
    try:
        videos: Videos = {}
        if folder is not None:
            with progress.stage(scored.name, len(episode) * len(episode.cameras)) as tick:
                before = len(findings)
                videos = _videos(scored, episode, folder, findings, tick)
            for finding in findings[before:]:
                progress.say(f"without a video: {finding.found}")
        listed = _actions(scored, list(episode.cameras), lists, findings)
        return shown_episode(scored, episode, videos, truth, findings, listed)
    finally:
        episode.close()


def _actions(
    scored: ScoredEpisode,
    cameras: Sequence[str],
    lists: ActionLists | None,
    findings: list[Finding],
) -> SegmentsFile | None:
    recording = scored.recording
    names = [recording.path.stem, recording.episode_id, scored.name]
    return None if lists is None else lists.of(names, cameras, findings)


def _videos(
    scored: ScoredEpisode, episode: Episode, folder: Path, findings: list[Finding], tick: Tick
) -> Videos:
    """Encode each camera into a file; one with a damaged frame is left out and told."""
    videos: Videos = {}
    rate = episode.rate_hz or 10.0
    for number, (camera, source) in enumerate(episode.cameras.items()):
        path = folder / f"{number}.mp4"
        try:
            encode_video(path, source.iterate(), rate, CRF, gop=25, pixel_format="yuv420p")
        except DataError as problem:
            findings.append(_finding(scored, problem))
        else:
            videos[camera] = path
        tick(len(episode))
    return videos


def _finding(scored: ScoredEpisode, problem: DataError) -> Finding:
    # The encoder names its own temporary file, of which nobody has heard.
    text = (
        str(problem) if problem.path and "robovalue-report-" not in problem.path else problem.reason
    )
    return Finding("error", scored.name, text, "The page shows its curves without this video.")

"""`robovalue value export --to rerun`: scored episodes as one Rerun recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Array, Episode, Finding
from robovalue_ros.data.atomic import atomic_path
from robovalue_ros.data.value_store.causal import FLAGS
from robovalue_ros.pipelines.recordings import Opener, Readers
from robovalue_ros.pipelines.results import ScoredEpisode, scored_episodes
from robovalue_ros.pipelines.scored_curves import (
    CAUSAL,
    CURVES,
    CurveName,
    frames_of,
    has_curve,
    trimmed,
)
from robovalue_ros.pipelines.value_export import ExportResult, rerun_target
from robovalue_ros.pipelines.value_export_config import ExportConfig
from robovalue_ros.report.rerun_file import RerunEpisode, write_rerun

DEFAULT_PROGRESS = SilentProgress()


def export_rerun(
    config: ExportConfig, opener: Opener, *, progress: Progress = DEFAULT_PROGRESS
) -> ExportResult:
    """Write pictures, curves, flags and true progress of a run into one .rrd file.

    Both curves are shown unless one is chosen. Episodes that cannot be read, and cameras with a
    damaged frame, are told. Raises MissingExtra without the Rerun SDK.
    """
    target = rerun_target(config)
    episodes, noticed = scored_episodes(config.results)
    names = tuple(CURVES) if config.curve == "auto" else (config.curve,)
    able = [episode for episode in episodes if any(has_curve(episode, name) for name in names)]
    findings = list(noticed)
    if len(able) > config.limit:
        text = f"{config.limit} of {len(able)} episodes are in the file"
        findings.append(Finding("note", "episodes", text, "Raise --limit for more."))
    chosen = able[: config.limit]
    readers = Readers(opener)
    shown = _Shown(chosen, names, config.truth, readers, findings, progress)
    try:
        with atomic_path(target) as temporary:
            write_rerun(
                temporary, shown, longest_px=config.picture_px, quality=config.jpeg_quality,
                name=target.stem, damaged=shown.damaged,
            )  # fmt: skip
            if not shown.episodes:
                raise DataError(config.results, "no episode can be shown", hint=findings[-1].found)
    finally:
        readers.close()
    curve = names[0] if any(has_curve(episode, names[0]) for episode in chosen) else names[-1]
    return ExportResult((target,), curve, shown.episodes, shown.frames, tuple(findings))


class _Shown:
    """Opens one episode after the other while the file is being written."""

    def __init__(
        self,
        scored: Sequence[ScoredEpisode],
        names: Sequence[CurveName],
        truth: str,
        readers: Readers,
        findings: list[Finding],
        progress: Progress,
    ) -> None:
        self._scored, self._names, self._truth = scored, names, truth
        self._readers = readers
        self._findings, self._progress = findings, progress
        self.episodes = self.frames = 0

    def __iter__(self) -> Iterator[RerunEpisode]:
        with self._progress.stage("episodes", len(self._scored)) as tick:
            for scored in self._scored:
                try:
                    episode = self._readers.open(scored.recording)
                except DataError as problem:
                    self.damaged(scored.name, problem)
                    tick(1)
                    continue
                try:
                    frames_of(scored, len(episode))
                    shown = _episode(scored, episode, self._names, self._truth)
                except DataError as problem:
                    self.damaged(scored.name, problem)
                else:
                    self.episodes += 1
                    self.frames += len(episode)
                    yield shown
                finally:
                    episode.close()
                tick(1)

    def damaged(self, name: str, problem: DataError) -> None:
        """Note what cannot be shown."""
        self._findings.append(Finding("error", name, str(problem), "It is left out of the file."))
        self._progress.say(f"{name}: {problem}")


def _episode(
    scored: ScoredEpisode, episode: Episode, names: Sequence[CurveName], signal: str
) -> RerunEpisode:
    curves: dict[str, Array] = {}
    for name in names:
        if not has_curve(scored, name):
            continue
        if name == CAUSAL and scored.causal is not None:
            curves[name] = scored.causal.values
        elif scored.hindsight is not None:
            whole = np.full(len(episode), np.nan)
            whole[trimmed(scored)] = scored.hindsight.values
            curves[name] = whole
    truth = episode.signals.get(signal)
    if truth is not None and truth.ndim == 1:
        curves["true progress"] = truth
    causal = scored.causal if CAUSAL in names else None
    outcome = {True: "success", False: "failure", None: "outcome unknown"}[scored.success]
    return RerunEpisode(
        scored.name, episode.stamps_ns, episode.cameras, curves,
        {} if causal is None else {flag: getattr(causal, flag) for flag in FLAGS},
        f"{scored.task}: {outcome} ({scored.recording.source}, {Path(scored.recording.path).name})",
    )  # fmt: skip

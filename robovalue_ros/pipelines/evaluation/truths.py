"""What the recordings themselves know about scored episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.progress import Progress
from robovalue_ros.contracts.types import Episode, Finding
from robovalue_ros.pipelines.evaluation.config import EvaluateConfig
from robovalue_ros.pipelines.recordings import Readers
from robovalue_ros.pipelines.results import ScoredEpisode
from robovalue_ros.pipelines.scored_curves import frames_of
from robovalue_ros.value.metrics.truth import EpisodeTruth, Role

FEWEST_TO_CALIBRATE = 20
FEWEST_LEFT = 2
SLACK = 1e-6
# A state that changes by less than this share of its range is taken for standing still.
STILL_SHARE = 2e-3


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A scored episode and what is known about all its raw frames.

    still: (T,) bool, the recorded state of the robot does not move; None without states.
    """

    scored: ScoredEpisode
    truth: EpisodeTruth
    rate_hz: float
    still: NDArray[np.bool_] | None


def read_truths(
    episodes: Sequence[ScoredEpisode],
    readers: Readers,
    config: EvaluateConfig,
    progress: Progress,
) -> tuple[list[Known], list[Finding]]:
    """Read the truth of every episode; what cannot be read or used becomes a finding."""
    known, findings = [], []
    with progress.stage("reading truth", len(episodes)) as tick:
        for scored in episodes:
            try:
                episode = readers.open(scored.recording)
            except DataError as problem:
                advice = "It is judged without truth."
                findings.append(Finding("warning", scored.name, str(problem), advice))
                known.append(_unread(scored))
            else:
                known.append(_read(scored, episode, config, findings))
                episode.close()
            tick(1)
    return known, findings


def _unread(scored: ScoredEpisode) -> Known:
    frames = frames_of(scored)
    return Known(scored, EpisodeTruth(scored.name, frames, scored.success), 0.0, None)


def _read(
    scored: ScoredEpisode, episode: Episode, config: EvaluateConfig, findings: list[Finding]
) -> Known:
    try:
        frames = frames_of(scored, len(episode))
    except DataError as problem:
        findings.append(Finding("warning", scored.name, problem.reason, "Score it again."))
        return _unread(scored)
    truth = EpisodeTruth(
        scored.name, frames, scored.success,
        progress=_progress(scored.name, episode, config.truth, findings),
        drops=_onsets(scored.name, episode, config.drops, findings),
    )  # fmt: skip
    return Known(scored, truth, episode.rate_hz, _still(episode))


def _progress(
    name: str, episode: Episode, signal: str, findings: list[Finding]
) -> NDArray[np.float64] | None:
    if signal not in episode.signals:
        return None
    values = np.asarray(episode.signals[signal], np.float64)
    usable = values.ndim == 1 and bool(np.isfinite(values).all())
    if not usable or values.min() < -SLACK or values.max() > 1 + SLACK:
        text = f"the signal {signal!r} is no progress: it must be one finite number in 0..1 a frame"
        findings.append(Finding("warning", name, text, "It is judged without truth."))
        return None
    inside: NDArray[np.float64] = values.clip(0.0, 1.0)
    return inside


def _onsets(
    name: str, episode: Episode, signal: str | None, findings: list[Finding]
) -> NDArray[np.int64] | None:
    """Return the frames at which a signal becomes true."""
    if signal is None:
        return None
    if signal not in episode.signals or np.asarray(episode.signals[signal]).ndim != 1:
        text = f"has no signal {signal!r} of one column"
        findings.append(Finding("warning", name, text, "Its drops are read off the truth."))
        return None
    up = np.asarray(episode.signals[signal]) > 0
    return np.flatnonzero(up & ~np.concatenate([[False], up[:-1]])).astype(np.int64)


def _still(episode: Episode) -> NDArray[np.bool_] | None:
    states = np.asarray(episode.states, np.float64)
    if not states.shape[1] or len(states) < 2 or not np.isfinite(states).all():
        return None
    most = STILL_SHARE * np.ptp(states, axis=0)
    quiet = (np.abs(np.diff(states, axis=0)) <= most).all(axis=1)
    return np.concatenate([quiet[:1], quiet])


def with_roles(
    known: Sequence[Known], config: EvaluateConfig, rng: np.random.Generator
) -> tuple[list[Known], list[Finding]]:
    """Say which episodes are judged, which taught the method and which teach the calibration."""
    taught = [item for item in known if item.scored.recording.source in config.demonstrations]
    rest = [item for item in known if item.scored.recording.source not in config.demonstrations]
    findings: list[Finding] = []
    if not rest:
        text = "every episode is a demonstration: the method is judged on what taught it"
        findings.append(
            Finding("warning", "episodes", text, "Score episodes that it has not seen.")
        )
        return list(known), findings
    calibrating = _calibrating(rest, config, rng, findings)
    roles: dict[str, Role] = {item.truth.episode: "demonstration" for item in taught}
    roles |= dict.fromkeys(calibrating, "calibration")
    return [
        replace(item, truth=replace(item.truth, role=roles.get(item.truth.episode, "test")))
        for item in known
    ], findings


def _calibrating(
    rest: Sequence[Known],
    config: EvaluateConfig,
    rng: np.random.Generator,
    findings: list[Finding],
) -> list[str]:
    """Draw the episodes that teach the calibration, the same share of each outcome."""
    able = sorted((i.truth for i in rest if i.truth.progress is not None), key=lambda t: t.episode)
    if config.calibration == 0 or not able:
        return []
    if len(able) < FEWEST_TO_CALIBRATE:
        text = f"{len(able)} episodes with truth are too few to set some aside for calibration"
        advice = f"{FEWEST_TO_CALIBRATE} are enough; the calibrated error is left out."
        findings.append(Finding("note", "calibration", text, advice))
        return []
    chosen: list[str] = []
    for outcome in (True, False, None):
        names = [truth.episode for truth in able if truth.success is outcome]
        count = min(round(config.calibration * len(names)), max(0, len(names) - FEWEST_LEFT))
        chosen += [names[at] for at in rng.permutation(len(names))[:count].tolist()]
    return chosen

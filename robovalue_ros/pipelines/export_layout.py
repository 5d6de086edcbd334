"""Which rows of a data set belong to which scored episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.progress import Progress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.exports.layout import (
    Layout,
    Span,
    layout_of_lengths,
    lerobot_layout,
    reader_layout,
)
from robovalue_ros.data.lerobot.naming import INFO_PATH
from robovalue_ros.pipelines.recordings import Readers
from robovalue_ros.pipelines.results import ScoredEpisode
from robovalue_ros.pipelines.scored_curves import CurveName, frames_of, whole_curve

RECORDINGS = "recordings.json"
NAMED = 3


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A scored episode and its id in the layout."""

    id: str
    scored: ScoredEpisode


def layout_of(
    episodes: Sequence[ScoredEpisode],
    curve: CurveName,
    dataset: Path | None,
    results: Path,
    readers: Readers,
    progress: Progress,
) -> tuple[Layout, list[Placed], list[Finding]]:
    """Return the rows to write and the episodes that have them.

    Episodes that do not fit the data set are left out and told. Raises DataError when none fits.
    """
    if dataset is None:
        return _own_layout(episodes, curve, results, readers, progress)
    root = dataset.resolve()
    if (root / INFO_PATH).is_file():
        layout = lerobot_layout(root)
    else:
        layout = reader_layout(readers.of(root))
    return layout, *matched(episodes, curve, root, layout)


def _own_layout(
    episodes: Sequence[ScoredEpisode],
    curve: CurveName,
    results: Path,
    readers: Readers,
    progress: Progress,
) -> tuple[Layout, list[Placed], list[Finding]]:
    """Number the recordings in the order in which they were scored."""
    placed, lengths, findings = [], [], []
    with progress.stage("recordings", len(episodes)) as tick:
        for scored in episodes:
            try:
                frames = _frames(scored, readers)
                whole_curve(scored, curve, frames)
            except DataError as problem:
                findings.append(Finding("error", scored.name, str(problem), "It is left out."))
                progress.say(f"left out {scored.name}: {problem}")
            else:
                placed.append(Placed(scored.name, scored))
                lengths.append((scored.name, frames))
            tick(1)
    if not placed:
        raise DataError(results, "no scored episode can be exported", hint=findings[0].found)
    return layout_of_lengths(results, lengths), placed, findings


def _frames(scored: ScoredEpisode, readers: Readers) -> int:
    if scored.causal is not None:
        return frames_of(scored)
    episode = readers.open(scored.recording)
    try:
        return frames_of(scored, len(episode))
    finally:
        episode.close()


def matched(
    episodes: Sequence[ScoredEpisode], curve: CurveName, root: Path, layout: Layout
) -> tuple[list[Placed], list[Finding]]:
    """Return the scored episodes that a data set has; others are told.

    Raises DataError when there is none, or when two fit one episode.
    """
    spans = {span.id: span for span in layout.spans}
    taken: dict[str, ScoredEpisode] = {}
    findings: list[Finding] = []
    foreign: list[str] = []
    for scored in episodes:
        span = _span_of(scored, root, spans)
        if span is None:
            foreign.append(scored.name)
            continue
        if span.id in taken:
            raise DataError(
                root, f"{scored.name} and {taken[span.id].name} both fit the episode {span.id}",
                "one recording per episode", "Export a folder in which only one was scored.",
            )  # fmt: skip
        try:
            whole_curve(scored, curve, span.frames)
        except DataError as problem:
            findings.append(Finding("error", scored.name, str(problem), "It is left out."))
            continue
        taken[span.id] = scored
    if foreign:
        text = (
            f"{len(foreign)} scored episodes are not in {root.name}: {', '.join(foreign[:NAMED])}"
        )
        findings.append(Finding("warning", "episodes", text, "They are left out."))
    if not taken:
        raise DataError(
            root, "none of its episodes was scored", "a data set whose recordings were scored",
            findings[0].found,
        )  # fmt: skip
    return [Placed(name, scored) for name, scored in taken.items()], findings


def _span_of(scored: ScoredEpisode, root: Path, spans: Mapping[str, Span]) -> Span | None:
    """Find a recording in a data set: as itself, or under the id it had before a conversion."""
    recording = scored.recording
    names = [recording.episode_id]
    if recording.data != root:
        path = recording.path
        if path.is_relative_to(root):
            names.insert(0, path.relative_to(root).with_suffix("").as_posix())
        names += [f"{path.parent.name}/{path.stem}", path.stem]
    return next((spans[name] for name in names if name in spans), None)


def recordings_table(layout: Layout, placed: Sequence[Placed]) -> list[dict[str, Any]]:
    """Return which recording each episode number stands for, as JSON values."""
    return [
        {
            "episode_index": (span := layout.span(item.id)).index, "name": item.id,
            "first_index": span.first, "frames": span.frames, "task": item.scored.task,
            "recording": str(item.scored.recording.path),
        }
        for item in placed
    ]  # fmt: skip

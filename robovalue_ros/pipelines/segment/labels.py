"""`robovalue segment export-labels`: segments as labels that policies train on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from robovalue_ros import __version__
from robovalue_ros.contracts.errors import ConfigError, ContractError, DataError
from robovalue_ros.contracts.ports import EpisodeReader
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Array, Finding, Scalar, SubstepPlan
from robovalue_ros.data.atomic import write_text
from robovalue_ros.data.exports.layout import Layout, lerobot_layout, reader_layout
from robovalue_ros.data.exports.subtasks import (
    SIDE_CAR,
    SUBTASKS_PATH,
    UNLABELLED,
    write_subtask_side_car,
    write_subtasks,
)
from robovalue_ros.data.lerobot.naming import INFO_PATH
from robovalue_ros.data.segment_files import SegmentsFile, read_segments, segment_files
from robovalue_ros.data.substep_plans import read_plans, task_key
from robovalue_ros.pipelines.recordings import Opener
from robovalue_ros.pipelines.segment.labels_config import LabelsConfig
from robovalue_ros.segment.cuts import cuts, pieces
from robovalue_ros.segment.substep_labels import TextBlock, labelled_episode

DEFAULT_PROGRESS = SilentProgress()
LABELS = "substep_labels_output.json"
NAMED = 3


@dataclass(frozen=True, slots=True)
class LabelsResult:
    """files: what was written. episodes: labelled. texts: different ones, by their number."""

    files: tuple[Path, ...]
    episodes: int
    texts: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Labelled:
    id: str
    number: int
    task: str
    frames: int
    blocks: tuple[TextBlock, ...]


def export_labels(
    config: LabelsConfig, opener: Opener, *, progress: Progress = DEFAULT_PROGRESS
) -> LabelsResult:
    """Write the labels of every episode that was cut; the data set itself is never touched.

    Raises ConfigError for an output inside the data set, DataError when no episode has segments.
    """
    if config.out.resolve().is_relative_to(config.dataset.resolve()):
        raise ConfigError(
            f"--out {config.out} lies inside the data set", "a folder outside of it",
            "The data set stays as it is; copy the files into it when they shall be part of it.",
        )  # fmt: skip
    if config.plans is not None and config.texts:
        raise ConfigError("--plans and --texts were both given", "one of them")
    plans = None if config.plans is None else read_plans(config.plans)
    found = segment_files(config.results)
    findings: list[Finding] = []
    reader = opener(config.dataset)
    try:
        layout = _layout(config.dataset, reader)
        labelled = _labelled(config, reader, layout, found, plans, findings, progress)
    finally:
        reader.close()
    if not labelled:
        raise DataError(
            config.results, f"none of its {len(found)} videos labels an episode of {config.dataset}",
            "videos named like the episodes", findings[0].found if findings else "",
        )  # fmt: skip
    texts = tuple(dict.fromkeys(block.text for one in labelled for block in one.blocks))
    files = [config.out / LABELS, config.out / SUBTASKS_PATH, config.out / SIDE_CAR]
    text = json.dumps(_document(config, labelled), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(files[0], text + "\n")
    write_subtasks(files[1], texts)
    files.append(_side_car(files[2], config, layout, labelled, texts))
    return LabelsResult(tuple(files), len(labelled), texts, tuple(findings))


def _layout(root: Path, reader: EpisodeReader) -> Layout:
    is_lerobot = (root / INFO_PATH).is_file()
    return lerobot_layout(root.resolve()) if is_lerobot else reader_layout(reader)


def _labelled(
    config: LabelsConfig,
    reader: EpisodeReader,
    layout: Layout,
    found: Mapping[str, Path],
    plans: Mapping[str, SubstepPlan] | None,
    findings: list[Finding],
    progress: Progress,
) -> list[_Labelled]:
    by_name = _by_name(layout)
    foreign = [name for name in found if name not in by_name]
    if foreign:
        text = f"{len(foreign)} videos are no episodes: {', '.join(foreign[:NAMED])}"
        findings.append(Finding("warning", "videos", text, "They are left out."))
    labelled: list[_Labelled] = []
    with progress.stage("episodes", len(found)) as tick:
        for name, path in found.items():
            if name in by_name:
                try:
                    labelled.append(_one(config, reader, layout, by_name[name], path, plans))
                except (DataError, ContractError) as problem:
                    findings.append(Finding("error", name, str(problem), "It is left out."))
            tick(1)
    return sorted(labelled, key=lambda one: one.number)


def _by_name(layout: Layout) -> dict[str, str]:
    """Return episode ids by what a video of them may be called; what two share is nobody's."""
    names: dict[str, set[str]] = {}
    for span in layout.spans:
        for name in {span.id, PurePosixPath(span.id).name, span.id.replace("/", "_")}:
            names.setdefault(name, set()).add(span.id)
    exact = {span.id: span.id for span in layout.spans}
    return {name: next(iter(ids)) for name, ids in names.items() if len(ids) == 1} | exact


def _one(
    config: LabelsConfig,
    reader: EpisodeReader,
    layout: Layout,
    episode_id: str,
    path: Path,
    plans: Mapping[str, SubstepPlan] | None,
) -> _Labelled:
    span = layout.span(episode_id)
    episode = reader.open(episode_id)
    try:
        task, rate = episode.task, episode.rate_hz
    finally:
        episode.close()
    segments = read_segments(path)
    if not segments.segments:
        raise DataError(path, "lists no segments", "at least one")
    spans = _frames(segments, rate, span.frames, config.rests == "cut")
    texts = _texts(config, task, segments, plans, path)
    if config.texts or plans is not None:
        texts = _fitted(texts, len(spans), config, path)
    blocks = tuple(TextBlock(*one, text) for one, text in zip(spans, texts, strict=True))
    labelled_episode(task, span.frames, blocks)  # raises for blocks that do not fit
    return _Labelled(episode_id, span.index, task, span.frames, blocks)


def _frames(file: SegmentsFile, rate: float, frames: int, whole: bool) -> list[tuple[int, int]]:
    """Return segments as frames [start, stop), in order; whole: without rests between them."""
    fps = file.fps or rate
    if fps <= 0.0:
        raise DataError(file.path, "does not tell the frame rate", "fps, a positive number")
    spans = sorted(
        (round(one.start * fps), min(frames, round(one.stop * fps))) for one in file.segments
    )
    if spans[-1][0] >= frames:
        raise DataError(
            file.path, f"reaches to frame {spans[-1][0]}, the episode has {frames}",
            "segments of this episode", "Another rate, or another recording, was cut.",
        )  # fmt: skip
    if not whole:
        return spans
    middles = np.rint(cuts(spans)).tolist()
    made = [(int(a), int(b)) for a, b in pieces(middles, frames)]
    if len(made) != len(spans):
        raise DataError(file.path, "has segments that lie in one another", "one after the other")
    return made


def _texts(
    config: LabelsConfig,
    task: str,
    file: SegmentsFile,
    plans: Mapping[str, SubstepPlan] | None,
    path: Path,
) -> Sequence[str]:
    if config.texts:
        return config.texts
    if plans is None:
        ordered = sorted(file.segments, key=lambda one: (one.start, one.stop))
        return [one.label for one in ordered]
    if task_key(task) not in plans:
        raise DataError(path, f"there is no plan for its task {task!r}", "a plan of the same words")
    return plans[task_key(task)].substeps


def _fitted(texts: Sequence[str], count: int, config: LabelsConfig, path: Path) -> Sequence[str]:
    if len(texts) == count:
        return texts
    if config.uneven == "leave_out":
        raise DataError(
            path, f"lists {count} segments for {len(texts)} texts", "as many",
            "--uneven spread shares them out.",
        )  # fmt: skip
    return [texts[(2 * k + 1) * len(texts) // (2 * count)] for k in range(count)]


def _document(config: LabelsConfig, labelled: Sequence[_Labelled]) -> dict[str, Any]:
    """Return {suite: {task: {episode_<n>: labels}}}; n counts the episodes of the data set."""
    tasks: dict[str, dict[str, Any]] = {}
    for one in labelled:
        key = one.task.lower().replace(" ", "_")
        entry = labelled_episode(one.task, one.frames, one.blocks)
        tasks.setdefault(key, {})[f"episode_{one.number}"] = entry
    return {config.suite or config.dataset.resolve().name: tasks}


def _side_car(
    path: Path,
    config: LabelsConfig,
    layout: Layout,
    labelled: Sequence[_Labelled],
    texts: Sequence[str],
) -> Path:
    numbers = {text: number for number, text in enumerate(texts)}
    subtasks: dict[str, Array] = {}
    ends: dict[str, Array] = {}
    for one in labelled:
        subtasks[one.id] = np.full(one.frames, UNLABELLED, np.int64)
        ends[one.id] = np.zeros(one.frames, np.bool_)
        for block in one.blocks:
            subtasks[one.id][block.start : block.stop] = numbers[block.text]
            ends[one.id][block.stop - 1] = True
    about: dict[str, Scalar] = {
        "rests": config.rests, "segments": str(config.results),
        "software": f"robovalue_ros {__version__}",
    }  # fmt: skip
    return write_subtask_side_car(
        path, layout, subtasks, ends, provenance=about, partial=config.partial
    )

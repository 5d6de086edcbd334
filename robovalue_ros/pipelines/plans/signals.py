"""What value curves and found actions say about the rows of a data set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.exports.layout import Layout
from robovalue_ros.pipelines.export_layout import matched
from robovalue_ros.pipelines.plans.config import CurveChoice, PlanBuildConfig
from robovalue_ros.pipelines.plans.rows import PlanRows
from robovalue_ros.pipelines.results import scored_episodes
from robovalue_ros.pipelines.scored_curves import has_curve, whole_curve
from robovalue_ros.pipelines.segment.labels import LABELS
from robovalue_ros.pipelines.shown_actions import ActionLists, action_frames
from robovalue_ros.pipelines.value_export import chosen_curve
from robovalue_ros.plans.build import Signals
from robovalue_ros.plans.ragged import Bools, Floats

MAX_BYTES = 1 << 30
NAMED = 3


def plan_signals(
    config: PlanBuildConfig, rows: PlanRows, findings: list[Finding]
) -> Signals | None:
    """Return what the options ask for, None where they ask for nothing.

    Raises ConfigError when the folder is not named, DataError when nothing in it fits.
    """
    by_value = config.stage_strategy == "value" or config.sample_weighting != "none"
    by_action = config.stage_strategy == "segments"
    for wanted, given, flag, maker in (
        (by_value, config.values, "--values", "robovalue value estimate"),
        (by_action, config.segments, "--segments", "robovalue segment stream"),
    ):
        if wanted and given is None:
            raise ConfigError(f"these options need {flag}", f"a folder that `{maker}` wrote")
    if not by_value and not by_action:
        return None
    layout = rows.layout()
    values = begins = None
    if by_value and config.values is not None:
        values = value_rows(config.values, config.curve, rows, layout, findings)
    if by_action and config.segments is not None:
        begins = action_begins(config.segments, rows, layout, findings)
    return Signals(values, begins)


def value_rows(
    folder: Path, curve: CurveChoice, rows: PlanRows, layout: Layout, findings: list[Finding]
) -> Floats:
    """Return the value of each row, NaN in episodes without a curve."""
    episodes, noticed = scored_episodes(folder)
    name = chosen_curve(episodes, curve)
    usable = [episode for episode in episodes if has_curve(episode, name)]
    placed, left_out = matched(usable, name, rows.path.resolve(), layout)
    findings += [*noticed, *left_out]
    values = np.full(layout.frames, np.nan)
    for item in placed:
        span = layout.span(item.id)
        found = whole_curve(item.scored, name, span.frames)
        values[span.first : span.first + span.frames] = found.values
    return values


def action_begins(folder: Path, rows: PlanRows, layout: Layout, findings: list[Finding]) -> Bools:
    """Return True for rows in which an action begins, from lists of actions or from labels."""
    begins = np.zeros(layout.frames, np.bool_)
    label_file = folder / LABELS if folder.is_dir() else folder
    if label_file.name == LABELS and label_file.is_file():
        given = _labelled_begins(label_file, layout)
    else:
        given = _listed_begins(folder, rows, layout, findings)
    without = []
    for span in layout.spans:
        starts = given.get(span.id)
        if starts is None:
            without.append(span.id)
            continue
        inside = [start for start in starts if 0 <= start < span.frames]
        begins[[span.first + start for start in inside]] = True
    if len(without) == len(layout.spans):
        raise DataError(
            folder, f"no list of actions belongs to an episode of {rows.path}",
            "lists that are called like the episodes",
            findings[-1].found if findings else "",
        )  # fmt: skip
    if without:
        more = f" and {len(without) - NAMED} more" if len(without) > NAMED else ""
        text = f"{len(without)} episodes have no actions: {', '.join(without[:NAMED])}{more}"
        findings.append(Finding("warning", "actions", text, "Each is one single stage."))
    return begins


def _listed_begins(
    folder: Path, rows: PlanRows, layout: Layout, findings: list[Finding]
) -> dict[str, list[int]]:
    lists = ActionLists(folder)
    found = {}
    for span in layout.spans:
        # Any camera will do: a list is called like its episode, or like that and the camera.
        cameras = _cameras_of(lists.names, span.id)
        listed = lists.of([span.id], cameras, findings)
        if listed is not None:
            stamps = rows.stamps_s[span.first : span.first + span.frames]
            found[span.id] = [first for first, _, _ in action_frames(listed, stamps)]
    findings += lists.unused()
    return found


def _cameras_of(names: Iterable[str], episode: str) -> list[str]:
    heads = {f"{episode.replace('/', '_')}_", f"{episode.rpartition('/')[2]}_"}
    cut = {name.removeprefix(head) for name in names for head in heads if name.startswith(head)}
    return sorted(cut)


def _labelled_begins(path: Path, layout: Layout) -> dict[str, list[int]]:
    """Return the first frame of each labelled stretch, by episode id."""
    found: dict[str, list[int]] = {}
    by_number = {f"episode_{span.index}": span.id for span in layout.spans}
    for tasks in _mappings(path, _read_json(path)):
        for episodes in _mappings(path, tasks):
            for name, entry in episodes.items():
                if name in by_number:
                    found[by_number[name]] = _begins_of(path, name, entry)
    return found


def _begins_of(path: Path, name: str, entry: Any) -> list[int]:
    labels = entry.get("timestep_labels") if isinstance(entry, Mapping) else None
    begins: list[int] = []
    last, ended = -2, True
    for label in labels if isinstance(labels, list) else [None]:
        told = label if isinstance(label, Mapping) else {}
        step = told.get("timestep")
        if isinstance(step, bool) or not isinstance(step, int) or step <= last:
            raise DataError(path, f"{name} has no timestep_labels in order", "labels of each frame")
        if ended or step != last + 1:
            begins.append(step)
        last, ended = step, told.get("is_substep_end") is True
    return begins


def _mappings(path: Path, content: Any) -> list[Mapping[str, Any]]:
    entries = list(content.values()) if isinstance(content, Mapping) else [None]
    found = [one for one in entries if isinstance(one, Mapping)]
    if len(found) != len(entries):
        raise DataError(path, "holds no labels", "{suite: {task: {episode_0: {...}}}}")
    return found


def _read_json(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(path, "is too large", f"at most {MAX_BYTES} bytes")
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as problem:
        raise DataError(path, f"cannot be read: {str(problem)[:200]}", "JSON") from problem

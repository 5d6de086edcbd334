"""The rows of a data set as plans see them, from its columns or from its episodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from robovalue_ros.contracts.errors import ContractError, DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Array, Finding
from robovalue_ros.data.exports.layout import Layout, Span
from robovalue_ros.data.lerobot.columns import Columns
from robovalue_ros.data.lerobot.naming import ACTION, INFO_PATH, STATE
from robovalue_ros.data.rows_digest import RowsDigest
from robovalue_ros.pipelines.recordings import Opener
from robovalue_ros.plans.episodes import FrameTable, table_without_episodes
from robovalue_ros.plans.ragged import Floats, Ints

EPISODE, FRAME, STAMP = "episode_index", "frame_index", "timestamp"
DEFAULT_PROGRESS = SilentProgress()


@dataclass(frozen=True, slots=True, eq=False)
class PlanRows:
    """A data set as plans see it.

    table: which episode and frame each row is, and its states. actions (N, A): None where there are
    none. names: what each episode is called, by its number. columns: width of what rows hold.
    stamps_s (N,): seconds of each row on the clock of its episode. data_sha256: of all numbers here.
    """

    path: Path
    table: FrameTable
    states: Array | None
    actions: Array | None
    names: Mapping[int, str]
    columns: Mapping[str, int]
    stamps_s: Floats
    data_sha256: str
    findings: tuple[Finding, ...] = ()

    def layout(self) -> Layout:
        """Return episodes as spans of rows; raises DataError where their rows are not in order."""
        table = self.table
        changed = np.flatnonzero(np.diff(table.episode)) + 1
        firsts = np.concatenate([[0], changed]).tolist()
        ends = [*firsts[1:], len(table)]
        counts_up = np.array_equal(
            table.frame, np.arange(len(table)) - np.repeat(firsts, np.diff([*firsts, len(table)]))
        )
        ids = table.episode[firsts]
        if not counts_up or bool((np.diff(ids) <= 0).any()):
            raise DataError(
                self.path, "its rows are not in the order of episodes and frames",
                "rows in order, to find the values or actions of each",
            )  # fmt: skip
        spans = tuple(
            Span(self.names.get(number, f"episode_{number:06d}"), number, end - first, first)
            for number, first, end in zip(ids.tolist(), firsts, ends, strict=True)
        )
        return Layout(self.path, spans)


def read_rows(path: Path, opener: Opener, *, progress: Progress = DEFAULT_PROGRESS) -> PlanRows:
    """Read the rows of a data set; frames of cameras are never decoded. Raises DataError."""
    if (path / INFO_PATH).is_file():
        return _from_columns(path, progress)
    return _from_episodes(path, opener, progress)


def _from_columns(path: Path, progress: Progress) -> PlanRows:
    columns = Columns(path)
    widths = {
        name: width
        for name in (EPISODE, FRAME, STAMP, STATE, ACTION)
        if (width := columns.width(name)) is not None
    }
    wanted = [name for name in widths if name != STAMP]
    if not wanted:
        raise DataError(
            path, "has no numbers that a plan could use", f"{EPISODE}, {FRAME}, {STATE}"
        )
    digest = RowsDigest()
    parts: dict[str, list[Array]] = {name: [] for name in wanted}
    with progress.stage("files", len(columns.files)) as tick:
        for part in columns.parts(wanted):
            for name, values in part.items():
                values = _shaped(values, name)
                digest.add(name, values)
                parts[name].append(values)
            tick(1)
    held = {name: _joined(path, name, found) for name, found in parts.items()}
    states, actions = held.get(STATE), held.get(ACTION)
    rows = len(next(iter(held.values())))
    if EPISODE in held and FRAME in held:
        table = _table(path, held[EPISODE], held[FRAME], states)
    else:
        table = table_without_episodes(rows, states)
    names = {place.index: place.id for place in columns.places}
    stamps = table.frame / float(columns.info.fps)
    return PlanRows(path, table, states, actions, names, widths, stamps, digest.hexdigest())


def _from_episodes(path: Path, opener: Opener, progress: Progress) -> PlanRows:
    """Number episodes in the order of their reader; a damaged one is left out, and told."""
    digest = RowsDigest()
    findings: list[Finding] = []
    found = _Gathered(path, digest)
    reader = opener(path)
    try:
        ids = reader.episode_ids()
        with progress.stage("episodes", len(ids)) as tick:
            for number, name in enumerate(ids):
                try:
                    episode = reader.open(name)
                except DataError as problem:
                    findings.append(Finding("error", name, str(problem), "It is left out."))
                else:
                    stamps = (episode.stamps_ns - episode.stamps_ns[0]) / 1e9
                    episode.close()
                    found.add(number, name, episode.states, episode.actions, stamps)
                tick(1)
        findings += reader.findings()
    finally:
        reader.close()
    if not found.names:
        raise DataError(path, "holds no episodes", "at least one", findings[0].found if findings else "")  # fmt: skip
    states, actions = found.joined(STATE), found.joined(ACTION)
    table = _table(path, found.joined(EPISODE), found.joined(FRAME), states)
    widths = {EPISODE: 1, FRAME: 1, STAMP: 1}
    widths |= {
        name: held.shape[1] for name, held in ((STATE, states), (ACTION, actions)) if held is not None
    }  # fmt: skip
    stamps = found.joined(STAMP)
    assert stamps is not None
    return PlanRows(
        path, table, states, actions, found.names, widths, stamps, digest.hexdigest(),
        tuple(findings),
    )  # fmt: skip


@dataclass(slots=True, eq=False)
class _Gathered:
    """What episodes gave so far."""

    path: Path
    digest: RowsDigest
    names: dict[int, str] = field(default_factory=dict)
    parts: dict[str, list[Array]] = field(default_factory=dict)

    def add(self, number: int, name: str, states: Array, actions: Array, stamps: Floats) -> None:
        count = len(stamps)
        self.names[number] = name
        columns = {EPISODE: np.full(count, number), FRAME: np.arange(count), STATE: states, ACTION: actions}  # fmt: skip
        for column, values in columns.items():
            if values.ndim == 2 and values.shape[1] == 0:
                continue
            try:
                self.digest.add(column, values)
            except ContractError as problem:
                raise DataError(self.path, f"{name}: {problem}", "equal episodes") from problem
            self.parts.setdefault(column, []).append(values)
        self.parts.setdefault(STAMP, []).append(stamps)

    def joined(self, name: str) -> Array | None:
        found = self.parts.get(name)
        if found is None:
            return None
        if len(found) != len(self.names):
            raise DataError(self.path, f"only {len(found)} of its episodes have {name}", "all")
        return np.concatenate(found)


def _table(path: Path, episode: Array | None, frame: Array | None, states: Array | None) -> FrameTable:  # fmt: skip
    assert episode is not None and frame is not None
    held = states
    read = None if held is None else (lambda rows: held[rows])
    try:
        return FrameTable(_whole(path, EPISODE, episode), _whole(path, FRAME, frame), read,
                          0 if held is None else held.shape[1])  # fmt: skip
    except ContractError as problem:
        raise DataError(path, str(problem), "rows of episodes") from problem


def _whole(path: Path, name: str, values: Array) -> Ints:
    if values.dtype.kind not in "iu":
        raise DataError(path, f"{name} holds {values.dtype}", "whole numbers")
    return values.astype(np.int64)


def _shaped(values: Array, name: str) -> Array:
    """Return states and actions as (n, D), everything else as it is."""
    return values[:, None] if name in (STATE, ACTION) and values.ndim == 1 else values


def _joined(path: Path, name: str, parts: list[Array]) -> Array:
    kinds = {part.dtype for part in parts}
    if len(kinds) > 1:
        raise DataError(path, f"{name} is stored as {', '.join(map(str, kinds))}", "one type")
    return np.concatenate(parts)

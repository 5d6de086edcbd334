"""The rows of a data set as a plan sees them, which episodes are kept, and where windows may start."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.types import Array
from robovalue_ros.contracts.validate import describe, frozen_array, require
from robovalue_ros.plans.errors import PlanError
from robovalue_ros.plans.ragged import Bools, Ints, Runs, runs_of, spans

ReadStates = Callable[[Ints], Array]
CHUNK = 32_768  # frames worked on at once: what is made of them stays in the cache


@dataclass(frozen=True, slots=True, eq=False)
class FrameTable:
    """Every row of a data set, in its order: episode and frame (N,).

    states: reads the states (n, D) of rows, called for some episodes at a time and only where a
    plan looks at them; None where the data have none. Without episode fields the whole set is
    episode 0.
    """

    episode: Ints
    frame: Ints
    states: ReadStates | None = None
    state_dim: int = 0
    has_episode_fields: bool = True

    def __post_init__(self) -> None:
        episode = frozen_array("episode", self.episode, dtype=np.int64, ndim=1)
        frame = frozen_array("frame", self.frame, dtype=np.int64, ndim=1)
        require(len(frame) == len(episode), "frame", f"{len(episode)} rows", describe(frame))
        require(len(frame) > 0, "frame", "at least one row", "none")
        least = int(frame.min())
        require(least >= 0, "frame", "numbers from 0 on", str(least))
        object.__setattr__(self, "episode", episode)
        object.__setattr__(self, "frame", frame)

    def __len__(self) -> int:
        return len(self.frame)


def table_of(
    lengths: Sequence[int] | NDArray[np.int64],
    ids: Sequence[int] | NDArray[np.int64] | None = None,
    states: Array | None = None,
) -> FrameTable:
    """Return the table of episodes that lie one after the other. states (N, D) in memory, or None."""
    runs = runs_of(np.asarray(lengths, np.int64))
    episode = runs.run if ids is None else np.asarray(ids, np.int64)[runs.run]
    return FrameTable(episode, runs.at, *_held(states, len(runs.run)))


def table_without_episodes(rows: int, states: Array | None = None) -> FrameTable:
    """Return the table of data that do not say which episode a row belongs to."""
    read, width = _held(states, rows)
    return FrameTable(np.zeros(rows, np.int64), np.arange(rows), read, width, False)


def _held(states: Array | None, rows: int) -> tuple[ReadStates | None, int]:
    if states is None:
        return None, 0
    held = np.asarray(states)
    require(held.ndim == 2 and len(held) == rows, "states", f"an array ({rows}, D)", describe(held))
    return lambda chosen: held[chosen], held.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class EpisodeIndex:
    """The episodes of a table: ids (E,) ascending, their lengths and rows.

    lengths: last frame + 1. position (N,): episode of each row as an index into ids. In `order`
    (None: as they are) the rows of episode e are runs e, by frame.
    """

    ids: Ints
    lengths: Ints
    rows: Ints
    starts: Ints
    position: NDArray[np.int32]
    order: Ints | None

    def __len__(self) -> int:
        return len(self.ids)


def index_episodes(table: FrameTable) -> EpisodeIndex:
    """Find the episodes of a table; rows may lie in any order."""
    episode, frame = table.episode, table.frame
    change = np.diff(episode)
    in_order = bool((change >= 0).all())
    if in_order:
        first = np.concatenate([[True], change > 0])
        ids, position = episode[first], (np.cumsum(first) - 1).astype(np.int32)
        in_order = bool((np.diff(frame)[change == 0] > 0).all())
    else:
        ids, found = np.unique(episode, return_inverse=True)
        position = found.astype(np.int32)
    lengths = np.zeros(len(ids), np.int64)
    np.maximum.at(lengths, position, frame + 1)
    rows = np.bincount(position, minlength=len(ids))
    order = None if in_order else np.lexsort((frame, position))
    return EpisodeIndex(ids, lengths, rows, np.cumsum(rows) - rows, position, order)


def choose_episodes(ids: Ints, keep: int, seed: int) -> Ints:
    """Return `keep` of the episodes, ascending: all of them, or a choice that the seed makes."""
    if keep <= 0:
        raise PlanError("--num_episodes_keep must be positive.")
    if keep > len(ids):
        raise PlanError(f"Requested num_episodes_keep={keep} but dataset has {len(ids)} episodes.")
    if keep == len(ids):
        return ids
    return np.sort(np.random.default_rng(seed).choice(ids, size=keep, replace=False))


def last_starts(lengths: Ints, horizon: int, tail: int) -> Ints:
    """Return the last frame (E,) of each episode from which a window may start; below 0: none.

    tail: windows that are kept although they pass the end by as many frames, from 0 to horizon - 1.
    """
    return np.minimum(lengths - horizon + tail, lengths - 1)


def check_gapless(index: EpisodeIndex) -> None:
    """Raise `PlanError` where a number below the largest id has no rows, as older tools did."""
    missing = np.setdiff1d(np.arange(int(index.ids[-1])), index.ids)
    if len(missing):
        raise PlanError(f"Invalid episode lengths for episodes: {missing[:10].tolist()}")


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Whole episodes that are worked on together: their positions (E,), rows (n,) and layout."""

    episodes: Ints
    rows: Ints
    runs: Runs


def chunks(index: EpisodeIndex, kept: Ints, counts: Ints | None = None) -> Iterator[Chunk]:
    """Yield the first `counts` (kept,) rows of each kept episode, by frame; None: all.

    kept: positions of episodes, ascending. Episodes are never parted, however long.
    """
    counts = index.rows[kept] if counts is None else counts
    edges = np.flatnonzero(np.diff(np.cumsum(counts) // CHUNK, prepend=0))
    for part in np.split(np.arange(len(kept)), edges):
        if len(part):
            rows = spans(index.starts[kept[part]], counts[part])
            rows = rows if index.order is None else index.order[rows]
            yield Chunk(kept[part], rows, runs_of(counts[part]))


def read_states(table: FrameTable, chunk: Chunk, dims: Sequence[int] | None = None) -> Array:
    """Return the states (n, D) of a chunk in the precision of data sets, as float64."""
    require(table.states is not None, "states", "states of the data", "none")
    assert table.states is not None  # for the type checker
    states = np.asarray(table.states(chunk.rows))
    shape = (len(chunk.rows), table.state_dim)
    require(states.shape == shape, "states", f"an array {shape}", describe(states))
    if dims is not None:
        states = states[:, list(dims)]
    finite: Bools = np.isfinite(states).all(axis=1)
    if not finite.all():
        row = int(chunk.rows[int((~finite).argmax())])
        require(False, "observation.state", "finite numbers", f"NaN or infinite in row {row}")
    return states.astype(np.float32).astype(np.float64)

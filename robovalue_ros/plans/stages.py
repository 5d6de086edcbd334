"""Which stage of its episode a frame belongs to: by time, jumps of the state, value or actions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.types import Array
from robovalue_ros.plans.change_points import NEVER, equal_parts
from robovalue_ros.plans.ragged import Bools, Floats, Ints, Runs

LEVEL = 1e-9  # gains of a value curve below this are none


def time_stages(frames: Ints, spans: Ints, stages: int, single_precision: bool = False) -> Ints:
    """Return the stage (N,) of frames by time, floor(stages * frame / span), at most the last.

    spans (N,): frames that anchors of the episode may lie in, at least 1. single_precision: the
    arithmetic of older tools, which rounds differently in a few frames of very long episodes.
    """
    if single_precision:
        share = frames.astype(np.float32) / spans.astype(np.float32)
        found = np.floor(np.float32(stages) * share).astype(np.int64)
    else:
        found = stages * frames // spans
    return np.clip(found, 0, stages - 1)


def stages_of(frames: Ints, boundaries_EB: Ints, episodes: NDArray[np.int64]) -> Ints:
    """Return the stage (N,) of frames: how many boundaries of its episode are not behind it.

    boundaries_EB: ascending, NEVER where there are fewer. episodes (N,): row of boundaries_EB.
    """
    found = np.zeros(len(frames), np.int64)
    for boundary in boundaries_EB.T:
        found += boundary[episodes] <= frames
    return found


def value_boundaries(values: Array, runs: Runs, stages: int) -> Ints:
    """Return where each value curve passes equal steps of its gain, (E, stages - 1), ascending.

    values (n,): curves one after the other; only their running maximum counts, so that a frame that
    looks like an earlier one does not begin a stage anew. A curve that gains nothing is cut evenly.
    """
    wanted = max(0, stages - 1)
    found = np.full((len(runs), wanted), NEVER)
    full = np.flatnonzero(runs.counts > 0)
    if wanted == 0 or len(full) == 0:
        return found
    rising = running_maximum(np.asarray(values, np.float64), runs)
    low = rising[runs.starts[full]]
    gain = rising[runs.starts[full] + runs.counts[full] - 1] - low
    for step in range(1, stages):
        reached = np.zeros(len(runs), np.float64)
        reached[full] = low + gain * step / stages
        before = np.bincount(runs.run, rising < reached[runs.run], len(runs))
        found[:, step - 1] = before.astype(np.int64)
    flat = full[gain <= LEVEL]
    found[flat] = equal_parts(runs.counts[flat], stages)
    return found


def running_maximum(values: Floats, runs: Runs) -> Floats:
    """Return the largest value so far (n,) in each series."""
    if len(values) == 0:
        return values
    # Every series is lifted above all of the one before, so one pass serves them all; by ranks,
    # because sums would round.
    by_rank, place = np.unique(values, return_inverse=True)
    lifted = np.maximum.accumulate(place + runs.run * len(by_rank))
    return by_rank[lifted - runs.run * len(by_rank)]


def segment_boundaries(begins: Bools, runs: Runs, stages: int) -> Ints:
    """Return the boundaries (E, stages - 1) of stages made of found actions, ascending.

    begins (n,): True in frames that an action begins in. An episode with at most `stages` pieces
    has one stage for each; of more, neighbours are joined to stages of nearly as many pieces.
    """
    wanted = max(0, stages - 1)
    found = np.full((len(runs), wanted), NEVER)
    cuts = np.flatnonzero(begins & (runs.at > 0))
    counts = np.bincount(runs.run[cuts], minlength=len(runs))
    first = np.cumsum(counts) - counts
    pieces = counts + 1
    for stage in range(1, stages):
        many = pieces > stages
        cut = np.where(many, -(-stage * pieces // stages) - 1, stage - 1)
        some = np.flatnonzero(cut < counts)
        found[some, stage - 1] = runs.at[cuts[first[some] + cut[some]]]
    return found

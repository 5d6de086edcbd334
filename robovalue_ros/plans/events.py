"""When a gripper opens or closes, and how near a window is to that."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.contracts.types import Array
from robovalue_ros.plans.errors import PlanError
from robovalue_ros.plans.options import PlanOptions
from robovalue_ros.plans.peaks import local_peaks, strongest
from robovalue_ros.plans.ragged import Floats, Ints, Runs, lagged, largest, quantiles

FAR = np.iinfo(np.int64).max
BEND = 0.6745 * math.sqrt(6.0)  # middle size of a second difference of noise of deviation 1
SLIGHT = 0.1  # changes below this share of the largest are no openings, also where nothing is noise
CELLS = 4_000_000  # entries of windows that are sorted at once


def parse_dims(text: str) -> tuple[int, ...]:
    """Read dimensions separated by commas; blanks are ignored."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise PlanError("--gripper_dims is empty.")
    try:
        return tuple(int(part) for part in parts)
    except ValueError:
        raise ConfigError(
            f"gripper_dims is {text!r}", "whole numbers separated by commas"
        ) from None


def check_dims(dims: tuple[int, ...], state_dim: int) -> None:
    """Raise `PlanError` where a dimension is none of the state's."""
    if any(dim < 0 or dim >= state_dim for dim in dims):
        raise PlanError(f"Invalid gripper_dims={list(dims)} for state_dim={state_dim}.")


def median_smoothed(values: Floats, runs: Runs, window: int) -> Floats:
    """Return the median (n,) of the window around each entry; windows end where their series ends.

    window: odd; at most 1 leaves everything as it is. An even count gives the mean of the middle
    two. Raises PlanError for an even window.
    """
    if window <= 1:
        return values
    if window % 2 == 0:
        raise PlanError("median filter window must be odd.")
    half = window // 2
    found: Floats = median_filter(values, window) if len(values) else values
    # Windows that pass an end of their series were filled from the neighbour; they are made anew.
    cut = np.flatnonzero((runs.at < half) | (runs.at >= runs.counts[runs.run] - half))
    reach = np.arange(-half, half + 1)
    rows = max(1, CELLS // window)
    for start in range(0, len(cut), rows):
        here = cut[start : start + rows]
        place = runs.at[here, None] + reach
        inside = (place >= 0) & (place < runs.counts[runs.run[here], None])
        taken = values[np.clip(here[:, None] + reach, 0, len(values) - 1)]
        ordered = np.sort(np.where(inside, taken, np.inf), axis=1)
        counts = inside.sum(axis=1)
        line = np.arange(len(here))
        found[here] = (ordered[line, (counts - 1) // 2] + ordered[line, counts // 2]) / 2.0
    return found


def changes(values: Floats, runs: Runs, deltas: tuple[int, ...]) -> Floats:
    """Return the largest change (n,) within any of the deltas; those that are not positive are none."""
    found = np.zeros_like(values)
    for delta in sorted({delta for delta in deltas if delta > 0}):
        np.maximum(found, np.abs(lagged(values, runs, delta)), out=found)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """Events of many series, ascending: series and place of each, (M,)."""

    run: Ints
    at: Ints

    def counts(self, series: int) -> Ints:
        """Return how many events (series,) each series has."""
        return np.bincount(self.run, minlength=series)


def gripper_events(grippers_TC: Array, runs: Runs, options: PlanOptions) -> Events:
    """Find when grippers (T, C) open or close, each for itself, merged where they act together.

    With compat, the larger of all is looked at instead, as older tools did: the smaller of two is
    not seen while the larger is open, and clean steps are not found.
    """
    if options.compatible:
        return _older_events(np.abs(grippers_TC).max(axis=1), runs, options)
    found = [_gripper_events(column, runs, options) for column in grippers_TC.T]
    run, at, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    kept = strongest(at, scores, max(1, options.gripper_min_gap), run)
    return Events(run[kept], at[kept])


def _older_events(opening: Floats, runs: Runs, options: PlanOptions) -> Events:
    deltas = options.gripper_delta1, options.gripper_delta2
    smooth = median_smoothed(opening, runs, options.gripper_smooth_window)
    change = changes(smooth, runs, deltas)
    level = quantiles(change, runs, [options.gripper_quantile_q], max(0, *deltas))[0]
    peaks = local_peaks(change, runs, level)
    run, at = runs.run[peaks], runs.at[peaks]
    kept = strongest(at, change[peaks], options.gripper_min_gap, run)
    return Events(run[kept], at[kept])


def _gripper_events(opening: Floats, runs: Runs, options: PlanOptions) -> tuple[Ints, Ints, Floats]:
    """Return series, place and strength of one gripper's events.

    An event is a peak of the change within either delta, above its quantile, above the noise, and
    not slight beside the largest change. A clean step is a plateau as long as the longer delta, so
    the quantile leaves room for that many frames of each event; counted in single frames, such steps
    would hide themselves. An event is dated where it is steepest.
    """
    smooth = median_smoothed(opening, runs, options.gripper_smooth_window)
    deltas = [delta for delta in (options.gripper_delta1, options.gripper_delta2) if delta > 0]
    if not deltas:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    longest = max(deltas)
    change, steps = changes(smooth, runs, tuple(deltas)), changes(smooth, runs, (1,))
    q = max(0.0, 1.0 - longest * (1.0 - options.gripper_quantile_q))
    level = quantiles(change, runs, [q], longest)[0]
    level = np.maximum(level, options.gripper_noise_ratio * noise(opening, runs))
    most = largest(change, runs)
    level = np.maximum(level, SLIGHT * most)
    # Demonstrations often end with the gripper that opens.
    peaks = local_peaks(change, runs, level, ends=True)
    kept = strongest(runs.at[peaks], change[peaks], options.gripper_min_gap, runs.run[peaks])
    peaks = peaks[kept]
    strength = change[peaks] / np.maximum(most, 1e-300)[runs.run[peaks]]
    steepest = _steepest(steps, peaks, runs, longest)
    return runs.run[peaks], runs.at[steepest], strength


def noise(values: Floats, runs: Runs) -> Floats:
    """Return the deviation (E,) of what is random from entry to entry, also where values move.

    From the middle one of the second differences, which even motion leaves at 0.
    """
    bends = np.zeros_like(values)
    if len(values) > 2:
        bends[2:] = np.abs(values[2:] - 2.0 * values[1:-1] + values[:-2])
        bends[runs.at < 2] = 0.0
    return quantiles(bends, runs, [0.5], 2)[0] / BEND


def _steepest(steps: Floats, peaks: Ints, runs: Runs, delta: int) -> Ints:
    """Return the first largest step within the delta frames that end at each peak."""
    best = peaks.copy()
    for back in range(1, delta):
        inside = np.flatnonzero(runs.at[peaks] >= back)
        better = inside[steps[peaks[inside] - back] >= steps[best[inside]]]
        best[better] = peaks[better] - back
    return best


def window_distances(
    frames: Ints, episodes: NDArray[np.int64], horizon: int, events: Events
) -> Ints:
    """Return how far the window [f, f + horizon) of each frame (N,) is from its nearest event.

    0: inside. FAR: its episode, episodes (N,), has none.
    """
    found = np.full(len(frames), FAR)
    if len(events.at) == 0 or len(frames) == 0:
        return found
    wide = int(max(frames.max(), events.at.max())) + 2
    keys = events.run * wide + events.at
    after = np.searchsorted(keys, episodes * wide + frames)
    for which, sign in ((after, 1), (after - 1, -1)):
        there = np.flatnonzero((which >= 0) & (which < len(keys)))
        there = there[events.run[which[there]] == episodes[there]]
        away = sign * (events.at[which[there]] - frames[there])
        away = np.maximum(0, away - (horizon - 1)) if sign > 0 else away
        found[there] = np.minimum(found[there], away)
    return found


def closeness(distances: Ints, options: PlanOptions) -> Floats:
    """Return how much an event counts (N,) at distances: 1 inside, 0 far away."""
    if options.gripper_event_mode == "hard":
        return (distances <= options.gripper_window_w).astype(np.float64)
    return np.exp(-(distances / max(1e-6, options.gripper_sigma)))

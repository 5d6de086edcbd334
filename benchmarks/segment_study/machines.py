"""Segments from energies by the stream's own state machine, its options fitted on training episodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from benchmarks.segment_study.scores import Floats, Found, cut_f1
from benchmarks.segment_study.seeing import Seen
from benchmarks.segment_study.settings import FPS
from robovalue_ros.segment.boundaries import Interval
from robovalue_ros.segment.events import SegmentClosed
from robovalue_ros.segment.hysteresis import HysteresisOptions
from robovalue_ros.segment.options import StreamOptions
from robovalue_ros.segment.segmenter import Segmenter, stored_reading
from robovalue_ros.segment.series import series_segments
from robovalue_ros.segment.smoothing import SmoothingOptions, smoothed
from robovalue_ros.segment.warm_up import own_threshold, with_threshold

Energy = Callable[[Seen], Floats]
QUANTILES = (0.02, 0.92)  # of the energies of all training windows; thresholds are tried between
SHIFTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
FLOW_STRIDE = 4
OFF = SmoothingOptions(enable=False)
EVEN = SmoothingOptions(enable=True, alpha=0.7)


@dataclass(frozen=True)
class Fitted:
    """A chosen machine. find: energies (W,) to segments, seconds. words: what was chosen."""

    find: Callable[[Floats], list[Interval]]
    shift: float
    f1: float
    words: str

    def __call__(self, values: Floats) -> Found:
        return Found(tuple(self.find(values)), self.shift)


def stream_spans(energies: Floats, options: StreamOptions) -> list[Interval]:
    """Return the kept segments that the stream makes of energies (W,), in seconds."""
    machine = Segmenter(options, has_codes=False)
    closed: list[SegmentClosed] = []
    for window, energy in enumerate(energies):
        update = machine.absorb(stored_reading(options.schedule, window, float(energy), fps=FPS))
        closed += [event for event in update.events if isinstance(event, SegmentClosed)]
    last = machine.finish()
    closed += [] if last is None else [last]
    return [(one.start / FPS, one.stop / FPS) for one in closed if one.kept]


def own_threshold_spans(energies: Floats, options: StreamOptions) -> list[Interval]:
    """Return the segments with a threshold from the energies of this episode alone."""
    found = own_threshold(energies.tolist(), options.hysteresis.threshold)
    return stream_spans(energies, with_threshold(options, found))


def fit_stream(
    energy: Energy, training: Sequence[Seen], options: StreamOptions, count: int
) -> Fitted:
    """Choose threshold, counts and smoothing of the stream by the cuts of the training episodes.

    count: thresholds that are tried.
    """
    series = [energy(seen) for seen in training]
    best: Fitted | None = None
    for threshold, up, down, smoothing in product(
        _thresholds(series, count), (1, 2), (1, 2), (OFF, EVEN)
    ):
        guards = HysteresisOptions(
            threshold=threshold, up_count=up, down_count=down, max_duration_seconds=0.0
        )
        chosen = replace(options, hysteresis=guards, smoothing=smoothing)
        words = (
            f"threshold {threshold:.3g}, up {up}, down {down}, "
            f"{'smoothed' if smoothing.enable else 'not smoothed'}"
        )
        best = _better(
            best, lambda values, o=chosen: stream_spans(values, o), series, training, words
        )
    assert best is not None
    return best


def fit_flow(training: Sequence[Seen], count: int) -> Fitted:
    """Choose the same for the mean flow of every few frames, by the machine of whole series."""
    step_s = FLOW_STRIDE / FPS
    series = [flow_series(seen) for seen in training]
    best: Fitted | None = None
    for threshold, up, down, smoothing in product(
        _thresholds(series, count), (1, 2), (1, 2), (OFF, EVEN)
    ):
        guards = HysteresisOptions(
            threshold=threshold, up_count=up, down_count=down, max_duration_seconds=0.0
        )

        def find(
            values: Floats, guards: HysteresisOptions = guards, s: SmoothingOptions = smoothing
        ) -> list[Interval]:
            spans = series_segments(smoothed(values, s), guards)
            return [(start * step_s, stop * step_s) for start, stop in spans]

        words = (
            f"threshold {threshold:.3g} px, up {up}, down {down}, "
            f"{'smoothed' if smoothing.enable else 'not smoothed'}"
        )
        best = _better(best, find, series, training, words)
    assert best is not None
    return best


def flow_series(seen: Seen) -> Floats:
    """Return the mean flow of every few frames; the last, shorter group counts too."""
    groups = range(0, seen.length, FLOW_STRIDE)
    return np.array([seen.flow[at : at + FLOW_STRIDE].mean() for at in groups])


def _thresholds(series: Sequence[Floats], count: int) -> Sequence[float]:
    tried = np.quantile(np.concatenate(series), np.linspace(*QUANTILES, count))
    found: list[float] = np.unique(tried).tolist()
    return found


def _better(
    best: Fitted | None,
    find: Callable[[Floats], list[Interval]],
    series: Sequence[Floats],
    training: Sequence[Seen],
    words: str,
) -> Fitted:
    spans = [tuple(find(values)) for values in series]
    for shift in SHIFTS:
        f1 = float(
            np.mean(
                [
                    cut_f1(Found(one, shift).cuts, seen)
                    for one, seen in zip(spans, training, strict=True)
                ]
            )
        )
        if best is None or f1 > best.f1:
            best = Fitted(find, shift, f1, f"{words}, {shift:.1f} s late")
    assert best is not None
    return best

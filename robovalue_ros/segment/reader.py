"""From a window to its energy and codes: the costly half of a stream."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.contracts.ports import PointTracker
from robovalue_ros.contracts.types import PointTracks
from robovalue_ros.segment.energy import token_energy, velocity_energy
from robovalue_ros.segment.events import Cost, Gate, Reading
from robovalue_ros.segment.feed import Window
from robovalue_ros.segment.gates import GateAnswer, motion_gate
from robovalue_ros.segment.grid import Points, grid_points, reference_grid_points
from robovalue_ros.segment.incremental import SharedSteps
from robovalue_ros.segment.options import StreamOptions
from robovalue_ros.segment.tracking import (
    Floats,
    StepTracker,
    Tokens,
    WindowEncoder,
)
from robovalue_ros.segment.tracks import reference_velocities, velocities


class WindowReader:
    """Reads windows in order, some may be left out; a reading depends on its own window only.

    tracker: a `StepTracker` looks at every pair of frames once for all windows; a `PointTracker` is
    asked for every window anew. Raises ConfigError when the energy needs a tokenizer that is not there.
    """

    def __init__(
        self,
        options: StreamOptions,
        tracker: PointTracker | StepTracker,
        tokenizer: WindowEncoder | None = None,
    ) -> None:
        source = options.energy.source
        if tokenizer is None and source != "velocity":
            raise ConfigError(
                f"the energy {source!r} is of motion tokens, and there is no tokenizer",
                hint="Name a trained tokenizer, or use the energy 'velocity'.",
            )
        self._options = options
        self._tracker = (
            SharedSteps(tracker, options.stride) if isinstance(tracker, StepTracker) else tracker
        )
        self._tokenizer = tokenizer

    def tune(self, options: StreamOptions) -> None:
        """Use other gate thresholds from now on."""
        self._options = options

    def read(self, window: Window) -> Reading:
        """Return what is known about a window; the gates spare still ones the rest."""
        options = self._options
        if window.pixels is not None and window.pixels.dropped:
            return _reading(window, 0.0, "pixels")
        begin = perf_counter()
        speed = self._velocities(window)
        track_s = perf_counter() - begin
        motion = motion_gate(speed, options.motion_gate) if options.motion_gate.enable else None
        if motion is not None and motion.dropped:
            energy = velocity_energy(speed) if options.energy.source == "velocity" else 0.0
            return _reading(window, energy, "motion", motion, cost=Cost(track_s))
        begin = perf_counter()
        tokens = None if self._tokenizer is None else self._tokenizer.encode(speed)
        cost = Cost(track_s, perf_counter() - begin)
        return _reading(window, self._energy(speed, tokens), "open", motion, tokens, cost)

    def _energy(self, speed: Floats, tokens: Tokens | None) -> float:
        chosen = self._options.energy
        if chosen.source == "velocity" or tokens is None:
            return velocity_energy(speed)
        vectors = tokens.quantized if chosen.source == "quantized" else tokens.prequant
        return token_energy(vectors, chosen.mode)

    def _velocities(self, window: Window) -> Floats:
        options = self._options
        height, width = window.frames[0].image.shape[:2]
        tracks = self._tracks(window, _points(options, height, width))
        if options.compatible:
            return reference_velocities(tracks.xy, options.decoder_window_size)
        return velocities(tracks.xy, (height, width))

    def _tracks(self, window: Window, points: Points) -> PointTracks:
        if isinstance(self._tracker, SharedSteps):
            return self._tracker.tracks(window, points)
        images = np.stack([frame.image for frame in window.frames])
        return self._tracker.track(images, points, window.times.stamps_ns)


def _points(options: StreamOptions, height: int, width: int) -> Points:
    if options.grid == "reference":
        return reference_grid_points(options.num_tracks, height)
    return grid_points(options.num_tracks, height, width)


def _reading(
    window: Window,
    energy: float,
    gate: Gate,
    motion: GateAnswer | None = None,
    tokens: Tokens | None = None,
    cost: Cost | None = None,
) -> Reading:
    images = tuple(frame.image for frame in window.frames)
    return Reading(
        window.id, window.times, energy, tokens, gate, window.pixels, motion, images,
        cost or Cost(),
    )  # fmt: skip

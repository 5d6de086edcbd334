"""A threshold of a video's own: what parts motion from stillness, in a recording or while one watches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from robovalue_ros.segment.hysteresis import HysteresisOptions
from robovalue_ros.segment.options import StreamOptions
from robovalue_ros.segment.smoothing import Smoother
from robovalue_ros.segment.threshold import otsu

FOR_VELOCITIES = HysteresisOptions().threshold
FEWEST = 8  # energies that a threshold of one's own needs
LEAST_CONTRAST = 1.5  # times that the windows above it must have the energy of those below
UNREACHED = 1e30  # no energy begins an action


def own_threshold(energies: Sequence[float], otherwise: float) -> float:
    """Return the level that parts motion from stillness, `otherwise` where there is no such thing."""
    if len(energies) < FEWEST:
        return otherwise
    level = otsu(np.array(energies, np.float64))
    above = [energy for energy in energies if energy >= level]
    below = [energy for energy in energies if energy < level]
    if not above or not below:
        return otherwise
    high, low = sum(above) / len(above), sum(below) / len(below)
    return level if high >= LEAST_CONTRAST * low and level > 0.0 else otherwise


class WarmUp:
    """Watches a live source for its first windows, then says what threshold suits it.

    seconds: how long it watches. options: of the stream; their threshold holds where motion and
    stillness do not part.
    """

    def __init__(self, options: StreamOptions, seconds: float) -> None:
        rate = max(1.0, options.target_fps) / options.stride
        self._wanted = max(2, round(seconds * rate))
        self._otherwise = options.hysteresis.threshold
        smoothing = options.smoothing
        self._smoother = Smoother(smoothing) if smoothing.enable and smoothing.use_for_seg else None
        self._energies: list[float] = []
        self._found: float | None = None

    @property
    def left(self) -> int:
        """How many windows are still to be watched; 0: the threshold is known."""
        return 0 if self._found is not None else self._wanted - len(self._energies)

    def push(self, energy: float | None) -> bool:
        """Take the energy of a window; return whether it was the last that had to be watched."""
        if energy is None or self._found is not None:
            return False
        self._energies.append(energy if self._smoother is None else self._smoother.push(energy))
        if self.left:
            return False
        self._found = own_threshold(self._energies, self._otherwise)
        self._energies.clear()
        return True

    def applied(self, options: StreamOptions) -> StreamOptions:
        """Return the options with the threshold that was found, or one that nothing reaches."""
        return with_threshold(options, UNREACHED if self._found is None else self._found)


def is_watching(options: StreamOptions) -> bool:
    """Say whether nothing is cut because the threshold is not known yet."""
    return options.hysteresis.threshold >= UNREACHED


def with_threshold(options: StreamOptions, threshold: float) -> StreamOptions:
    """Return the options with another threshold."""
    return replace(options, hysteresis=replace(options.hysteresis, threshold=threshold))

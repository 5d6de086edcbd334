"""Causal smoothing of an energy: the same numbers one by one and all at once."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.config import option

SmoothingMethod = Literal["ema", "ma"]
DEFAULT_ALPHA = 0.4


@dataclass(frozen=True, slots=True)
class SmoothingOptions:
    """How an energy is smoothed."""

    enable: bool = option(False, "smooth the energy")
    method: SmoothingMethod = option("ema", "ema: exponential; ma: mean of the last windows")
    alpha: float = option(DEFAULT_ALPHA, "weight of the newest energy in ema", low=0.0, high=1.0)
    window: int = option(3, "how many energies ma averages", low=1, high=100_000)
    use_for_seg: bool = option(True, "cut by the smoothed energy instead of the raw one")


class Smoother:
    """Smooths a series value by value; remembers no more than it needs.

    ema: y0 = x0, then alpha * x + (1 - alpha) * y. ma: the mean of the last `window` values.
    """

    def __init__(self, options: SmoothingOptions) -> None:
        self._mean = options.method == "ma"
        self._alpha = usable_alpha(options.alpha)
        self._recent: deque[float] = deque(maxlen=max(1, options.window))
        self._level: float | None = None

    def push(self, value: float) -> float:
        """Return the smoothed value after `value`."""
        if self._mean:
            self._recent.append(value)
            return math.fsum(self._recent) / len(self._recent)
        if self._level is None:
            self._level = value
        else:
            self._level = self._alpha * value + (1.0 - self._alpha) * self._level
        return self._level


def smoothed(series: Iterable[float], options: SmoothingOptions) -> NDArray[np.float64]:
    """Return the whole series (T,) as a stream would have smoothed it, unless it is switched off."""
    values = [float(value) for value in series]
    if not options.enable:
        return np.array(values, np.float64)
    smoother = Smoother(options)
    return np.array([smoother.push(value) for value in values], np.float64)


def usable_alpha(alpha: float) -> float:
    """Return the weight inside 0..1; the default for one that is no number."""
    return min(1.0, max(0.0, alpha)) if math.isfinite(alpha) else DEFAULT_ALPHA

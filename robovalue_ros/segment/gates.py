"""Two cheap questions that spare still windows the expensive ones: do pixels or points move?

A window is left out when both the mean change and the share of what changes are small.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.config import option
from robovalue_ros.contracts.types import Array
from robovalue_ros.contracts.validate import describe, require
from robovalue_ros.segment.pictures import Gray


@dataclass(frozen=True, slots=True)
class PreGateOptions:
    """The gate on pixels, before points are followed."""

    enable: bool = option(True, "leave out windows in which no pixels change")
    resize_shorter: int = option(
        128, "shorter side of the pictures whose pixels are compared", low=0, high=4096
    )
    pixel_diff_thr: float = option(
        0.01, "change of a pixel, in shares of white, from which it is active",
        low=0.0, high=1.0, live=True,
    )  # fmt: skip
    mad_thr: float = option(
        0.003, "mean change below which pixels are still", low=0.0, high=1.0, live=True
    )
    min_active_ratio: float = option(
        0.002, "share of active pixels below which a window is still",
        low=0.0, high=1.0, live=True,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class MotionGateOptions:
    """The gate on velocities, before the tokenizer."""

    enable: bool = option(True, "leave out windows in which no points move")
    vel_norm_thr: float = option(
        0.012, "speed, in half pictures per frame, from which a point is active",
        low=0.0, high=10.0, live=True,
    )  # fmt: skip
    min_active_ratio: float = option(
        0.01, "share of active points below which a window is still",
        low=0.0, high=1.0, live=True,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """dropped: leave the window out. mean: mean change. active: share of what changes."""

    dropped: bool
    mean: float
    active: float


def pre_gate(gray_THW: Gray, options: PreGateOptions) -> GateAnswer:
    """Judge the grey pictures (T, H, W) of a window."""
    require(
        gray_THW.ndim == 3 and gray_THW.dtype == np.uint8 and len(gray_THW) >= 2,
        "pictures", "uint8 (T, H, W) with at least two frames", describe(gray_THW),
    )  # fmt: skip
    changes = [
        pixel_change(before, after, options.pixel_diff_thr) for before, after in pairwise(gray_THW)
    ]
    return _pre_gate_answer(changes, options)


def pixel_change(before: Gray, after: Gray, threshold: float) -> tuple[float, float]:
    """Return the mean change between two pictures and the share of pixels above `threshold`."""
    difference = np.maximum(before, after) - np.minimum(before, after)
    counts = np.bincount(difference.ravel(), minlength=256)
    steps = np.arange(256) / 255.0
    total = difference.size
    return float(counts @ steps) / total, float(counts[steps > threshold].sum()) / total


class PixelChanges:
    """The pre-gate for a stream: compares every frame with the one before, once."""

    def __init__(self, options: PreGateOptions, window: int) -> None:
        self._options = options
        self._last: Gray | None = None
        self._changes: deque[tuple[float, float]] = deque(maxlen=window - 1)

    def tune(self, options: PreGateOptions) -> None:
        """Use other thresholds from now on; changes already measured keep theirs."""
        self._options = options

    def push(self, picture: Gray) -> None:
        """Take the next grey picture (H, W)."""
        if self._last is not None:
            change = pixel_change(self._last, picture, self._options.pixel_diff_thr)
            self._changes.append(change)
        self._last = picture

    def answer(self) -> GateAnswer:
        """Judge the window that ends with the last picture."""
        return _pre_gate_answer(list(self._changes), self._options)


def motion_gate(velocity_tN2: Array, options: MotionGateOptions) -> GateAnswer:
    """Judge the velocities (T-1, N, 2) of a window."""
    speed: NDArray[np.float64] = np.linalg.norm(velocity_tN2.astype(np.float64), axis=-1)
    mean, active = float(speed.mean()), float((speed > options.vel_norm_thr).mean())
    dropped = mean < options.vel_norm_thr and active < options.min_active_ratio
    return GateAnswer(dropped, mean, active)


def _pre_gate_answer(changes: list[tuple[float, float]], options: PreGateOptions) -> GateAnswer:
    mean = sum(change for change, _ in changes) / len(changes)
    active = sum(share for _, share in changes) / len(changes)
    dropped = mean < options.mad_thr and active < options.min_active_ratio
    return GateAnswer(dropped, mean, active)

"""Where a robot may be and how fast it may get there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.types import Array
from robovalue_ros.contracts.validate import describe, frozen_array, require

Floats = NDArray[np.float64]
# Positions (D,) -> the point (K,) that a workspace is about.
Kinematics = Callable[[Floats], Array]


@dataclass(frozen=True, slots=True, eq=False)
class Workspace:
    """A box: of coordinates with these names, or of the point (K,) that `kinematics` returns."""

    names: tuple[str, ...]
    low_K: Floats
    high_K: Floats
    kinematics: Kinematics | None = None

    def __post_init__(self) -> None:
        _set_box(self, "low_K", "high_K", len(self.names))

    def holds(self, positions_D: Floats) -> bool:
        """Tell whether the point of these positions lies in the box; never so for NaN."""
        if self.kinematics is None:
            return True  # a box of coordinates is part of `Limits.box_low_D` and `box_high_D`
        point_K = np.asarray(self.kinematics(positions_D.copy()), np.float64)
        require(
            point_K.shape == self.low_K.shape, "the point that kinematics return",
            f"shape {self.low_K.shape}, one number per workspace name", describe(point_K),
        )  # fmt: skip
        return bool(np.all((point_K >= self.low_K) & (point_K <= self.high_K)))


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """Limits of D named coordinates, in rad, m and seconds.

    box_low_D, box_high_D: the limits, narrowed by a workspace of coordinates.
    Raises ContractError for shapes that differ, NaN, and a lower limit above the upper one.
    """

    names: tuple[str, ...]
    low_D: Floats
    high_D: Floats
    max_velocity_D: Floats
    workspace: Workspace | None = None

    def __post_init__(self) -> None:
        require(
            bool(self.names) and len(set(self.names)) == len(self.names),
            "names", "at least one, all different", self.names,
        )  # fmt: skip
        _set_box(self, "low_D", "high_D", len(self.names))
        speed_D = _frozen("max_velocity_D", self.max_velocity_D, len(self.names))
        require(
            bool(np.all(np.isfinite(speed_D) & (speed_D > 0))),
            "max_velocity_D", "positive finite numbers", speed_D,
        )  # fmt: skip
        object.__setattr__(self, "max_velocity_D", speed_D)
        low_D, high_D = self._box()
        require(
            bool(np.all(low_D <= high_D)),
            "the workspace", "a box that meets the limits",
            f"outside of them for {', '.join(n for n, a, b in zip(self.names, low_D, high_D, strict=True) if a > b)}",
        )  # fmt: skip

    @property
    def box_low_D(self) -> Floats:
        return self._box()[0]

    @property
    def box_high_D(self) -> Floats:
        return self._box()[1]

    def _box(self) -> tuple[Floats, Floats]:
        low_D, high_D = self.low_D.copy(), self.high_D.copy()
        if self.workspace is not None and self.workspace.kinematics is None:
            at_K = [self.names.index(name) for name in self.workspace.names]
            low_D[at_K] = np.maximum(low_D[at_K], self.workspace.low_K)
            high_D[at_K] = np.minimum(high_D[at_K], self.workspace.high_K)
        return low_D, high_D


def _frozen(field: str, value: object, size: int) -> Floats:
    array: Floats = frozen_array(field, value, dtype=np.float64, ndim=1)
    require(len(array) == size, field, f"{size} numbers", describe(array))
    return array


def _set_box(target: Workspace | Limits, low_name: str, high_name: str, size: int) -> None:
    low = _frozen(low_name, getattr(target, low_name), size)
    high = _frozen(high_name, getattr(target, high_name), size)
    # Written so that NaN fails too.
    require(bool(np.all(low <= high)), low_name, f"numbers not above {high_name}, no NaN", low)
    object.__setattr__(target, low_name, low)
    object.__setattr__(target, high_name, high)

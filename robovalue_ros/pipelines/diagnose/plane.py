"""The plane in which points differ most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.value.scaling import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """axes_2D: directions of largest variance around mean_D; share: of the variance, each (2,)."""

    mean_D: Floats
    axes_2D: Floats
    share: NDArray[np.float64]

    def apply(self, x_KD: Floats) -> Floats:
        """Return coordinates (K, 2)."""
        centred: Floats = np.asarray(x_KD, np.float32) - self.mean_D
        return np.asarray(centred @ self.axes_2D.T, np.float32)


def fit_plane(x_ND: Floats) -> Plane:
    """Fit a plane to N >= 1 points; directions in which nothing varies are zero.

    The largest entry of each axis is positive, so that the same points give the same picture.
    """
    x = np.asarray(x_ND, np.float32)
    mean = x.mean(axis=0)
    _, sizes, directions = np.linalg.svd(x - mean, full_matrices=False)
    axes = np.zeros((2, x.shape[1]), np.float32)
    share = np.zeros(2)
    total = float(np.square(sizes, dtype=np.float64).sum())
    for n, (size, direction) in enumerate(zip(sizes[:2], directions[:2], strict=False)):
        if size > 1e-6 * max(1.0, float(sizes[0])):
            sign = np.sign(direction[np.abs(direction).argmax()])
            axes[n], share[n] = direction * sign, float(size) ** 2 / total
    return Plane(mean, axes, share)

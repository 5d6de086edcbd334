"""How much happens in a window: one number from its velocities or its motion tokens."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import ConfigError, nearest
from robovalue_ros.contracts.types import Array
from robovalue_ros.contracts.validate import describe, require

EnergySource = Literal["velocity", "quantized", "prequant"]
EnergyMode = Literal["l2_mean", "token_diff_l2_mean"]
SOURCES: tuple[EnergySource, ...] = ("velocity", "quantized", "prequant")
MODES: tuple[EnergyMode, ...] = ("l2_mean", "token_diff_l2_mean")


def velocity_energy(velocity_tN2: Array) -> float:
    """Return the mean speed of velocities (T-1, N, 2) over time and points."""
    require(
        velocity_tN2.ndim == 3 and velocity_tN2.size > 0,
        "velocities", "shape (T-1, N, 2)", describe(velocity_tN2),
    )  # fmt: skip
    return float(_lengths(velocity_tN2).mean())


def token_energy(tokens_dD: Array, mode: str, *, compat: bool = False) -> float:
    """Return the energy of tokens (d, D).

    l2_mean: their mean length. token_diff_l2_mean: the mean length of the steps between them; a
    single token has no steps, so its length counts. Raises ConfigError for another mode; compat takes it
    for l2_mean.
    """
    require(
        tokens_dD.ndim == 2 and tokens_dD.size > 0, "tokens", "shape (d, D)", describe(tokens_dD)
    )
    if mode not in MODES and not compat:
        raise ConfigError(f"energy mode {mode!r} is unknown", hint=nearest(mode, MODES))
    if mode == "token_diff_l2_mean" and len(tokens_dD) > 1:
        return float(_lengths(np.diff(tokens_dD.astype(np.float64), axis=0)).mean())
    return float(_lengths(tokens_dD).mean())


def _lengths(vectors: Array) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.linalg.norm(vectors.astype(np.float64), axis=-1)
    return lengths

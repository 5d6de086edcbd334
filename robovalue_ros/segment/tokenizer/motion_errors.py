"""How well decoded displacements follow true ones."""

from __future__ import annotations

import torch
from torch import Tensor

PIXELS = 10


def motion_errors(
    told: Tensor, true: Tensor, img_shape: tuple[int, int], margin: float = 0.5
) -> dict[str, Tensor]:
    """Return means over displacements (..., t, N, 2) in halves of a side, each axis by its own side.

    cross_track: how far the told place of a point is from the nearest place of its true way,
    whenever it was there; places are sums of displacements.
    normalized_accuracy: share of numbers less than half a pixel off. delta_auc: share of points less
    than 1, 2, ... 10 pixels off, averaged. nonzero_*: does the network know what moves,
    by more than `margin` pixels?
    """
    error = told - true
    half_sides = error.new_tensor(img_shape) / 2
    pixels = error * half_sides
    off = pixels.norm(dim=-1)
    limits = torch.arange(1, PIXELS + 1, device=off.device)
    within = torch.stack([(off < limit).float().mean() for limit in limits])
    moves, said = (
        (true * half_sides).abs().amax(-1) > margin,
        (told * half_sides).abs().amax(-1) > margin,
    )
    hits = (moves & said).float().sum()
    return {
        "mse": (error**2).mean(),
        "l1": error.abs().mean(),
        "cross_track": _cross_track(told, true),
        "normalized_accuracy": (pixels.abs() < 0.5).float().mean(),
        "delta_auc": within.mean(),
        "nonzero_percent": 100.0 * moves.float().mean(),
        "nonzero_accuracy": (moves == said).float().mean(),
        "nonzero_f1": 2 * hits / (moves.float().sum() + said.float().sum()).clamp(min=1.0),
    }


def _cross_track(told: Tensor, true: Tensor) -> Tensor:
    distances: Tensor = torch.cdist(_ways(told), _ways(true))
    return distances.amin(-1).mean()


def _ways(moves: Tensor) -> Tensor:
    return moves.float().cumsum(-3).transpose(-3, -2)

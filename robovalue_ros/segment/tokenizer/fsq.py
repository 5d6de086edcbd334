"""Finite scalar quantisation: each of a few numbers is rounded to one of a few levels.

The same numbers, to the bit, as `FSQ` of the package vector-quantize-pytorch, which a test compares
with. It is not used itself because it depends, through einx, on frozendict, which is under the LGPL,
and because a robot that only encodes would load a symbolic algebra system for thirty lines.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from robovalue_ros.segment.tokenizer.levels import true_size

EPSILON = 1e-3


def bounded(z: Tensor, levels: Tensor) -> Tensor:
    """Squeeze numbers (..., d) into reach of their levels (d,): the nearest integer is the level."""
    half = (levels - 1) * (1 + EPSILON) / 2
    offset = torch.where(levels % 2 == 0, 0.5, 0.0)
    return torch.tanh(z + torch.atanh(offset / half)) * half - offset


def quantised(z: Tensor, levels: Tensor) -> Tensor:
    """Round numbers (..., d) to codes in -1..1; the gradient passes as if nothing were rounded."""
    inside = bounded(z, levels)
    return (inside + (inside.round() - inside).detach()) / (levels // 2)


def code_indices(codes: Tensor, levels: Tensor) -> Tensor:
    """Return the numbers (...,) int32 of codes (..., d); the first dimension counts least."""
    half = levels // 2
    basis = torch.cat([levels.new_ones(1), torch.cumprod(levels, 0, dtype=torch.int32)[:-1]])
    return ((codes * half + half) * basis).sum(dim=-1).round().to(torch.int32)


class FiniteScalarQuantizer(nn.Module):
    """A linear map to the code book's few dimensions, rounding, and a linear map back."""

    def __init__(self, width: int, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.project_in = nn.Linear(width, len(levels))
        self.project_out = nn.Linear(len(levels), width)
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.int32), persistent=False)
        self.size = true_size(levels)

    levels: Tensor

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return tokens like `z` (..., width), their codes (...,) int32 and bounded numbers (..., d).

        Rounds in float32 also where the rest runs in half precision.
        """
        low = self.project_in(z)
        with torch.autocast(z.device.type, enabled=False):
            exact = low.float()
            codes = quantised(exact, self.levels)
            indices = code_indices(codes, self.levels)
        return self.project_out(codes.to(low.dtype)), indices, exact

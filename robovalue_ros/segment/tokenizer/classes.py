"""Displacements as classes: how many pixels a point goes down and to the right, within limits."""

from __future__ import annotations

import torch
from torch import Tensor

CLASSES_PER_AXIS = 15


def pixel_positions(points: Tensor, img_shape: tuple[int, int]) -> Tensor:
    """Return whole pixels (..., 2) inside an image (height, width) of points (row, column) in -1..1."""
    sides = points.new_tensor(img_shape)
    pixels = points * sides / 2 + sides / 2
    return torch.minimum(pixels.clamp(min=0), sides - 1).round().to(torch.int64)


def displacement_classes(
    points: Tensor, img_shape: tuple[int, int], per_axis: int = CLASSES_PER_AXIS
) -> Tensor:
    """Return the classes (..., T, N) int64 of points (..., T + 1, N, 2); the middle one stays put.

    Displacements beyond the outermost class count as the outermost.
    """
    reach = per_axis // 2
    pixels = pixel_positions(points, img_shape)
    moved = (pixels[..., 1:, :, :] - pixels[..., :-1, :, :]).clamp(-reach, reach) + reach
    return moved[..., 0] * per_axis + moved[..., 1]


def class_displacements(
    classes: Tensor, img_shape: tuple[int, int], per_axis: int = CLASSES_PER_AXIS
) -> Tensor:
    """Return the displacements (..., 2) in row and column of classes (...,), in halves of a side."""
    reach = per_axis // 2
    down = torch.div(classes, per_axis, rounding_mode="floor") - reach
    right = classes % per_axis - reach
    return torch.stack([down * (2.0 / img_shape[0]), right * (2.0 / img_shape[1])], dim=-1)


def radial_weights(strength: float, power: float, per_axis: int = CLASSES_PER_AXIS) -> Tensor:
    """Return a weight (classes,) per class: one in the middle, 1 + strength in the corners."""
    axis = torch.arange(per_axis, dtype=torch.float32) - per_axis // 2
    radius = torch.sqrt(axis[:, None] ** 2 + axis[None, :] ** 2)
    return (1.0 + strength * (radius / radius.max()) ** power).flatten()

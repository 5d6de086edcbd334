"""Changes of training pictures that change nothing about progress: light, colour, place, clutter."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator, Tensor

GAIN = 0.225  # largest log gain per colour channel
BRIGHT = 0.10  # largest log gain of a whole camera
OFFSET = 0.03
NOISE = 0.015
SHIFT = 2.2  # pixels of the small picture
PATCH_CHANCE = 0.35
PATCHES = 2
PATCH_SIDES = (2, 7)


def vary(pictures: Tensor, generator: Generator) -> Tensor:
    """Return varied copies of pictures (B, n, cameras, 3, S, S) in 0..1, the last the first seen.

    A camera keeps its light and its place during an episode, so all pictures of one episode change
    alike. Only patches on cameras other than the first spare the first picture: those move with
    the hand.
    """
    import torch

    pictures = pictures.clone()
    for camera in range(pictures.shape[2]):
        for _ in range(PATCHES):
            _add_patch(pictures, camera, generator)
    count, cameras = pictures.shape[0], pictures.shape[2]

    def uniform(*shape: int) -> Tensor:
        return 2.0 * torch.rand(shape, generator=generator) - 1.0

    gain = torch.exp(GAIN * uniform(count, 1, cameras, 3, 1, 1))
    gain *= torch.exp(BRIGHT * uniform(count, 1, cameras, 1, 1, 1))
    varied = pictures * gain + OFFSET * uniform(count, 1, cameras, 1, 1, 1)
    varied = _shift(varied, SHIFT * uniform(count, cameras, 2))
    # Uniform noise of the same spread costs a third of normal noise.
    varied += (2.0 * 3.0**0.5 * NOISE) * (torch.rand(varied.shape, generator=generator) - 0.5)
    return varied.clamp_(0.0, 1.0)


def _add_patch(pictures: Tensor, camera: int, generator: Generator) -> None:
    """Draw one rectangle of one colour on some samples, in place."""
    import torch

    count, side = pictures.shape[0], pictures.shape[-1]
    factor = 1 if camera == 0 else 2  # cameras on the hand see things from near

    def integers(low: int, high: int) -> Tensor:
        return torch.randint(low, high, (count, 1), generator=generator)

    height, width = factor * integers(*PATCH_SIDES), factor * integers(*PATCH_SIDES)
    top, left = integers(0, side), integers(0, side)
    axis = torch.arange(side)[None]
    chosen = torch.rand((count, 1), generator=generator) < PATCH_CHANCE
    rows = (axis >= top) & (axis < top + height) & chosen
    columns = (axis >= left) & (axis < left + width)
    mask = (rows[:, :, None] & columns[:, None, :])[:, None, None]
    colour = torch.rand((count, 1, 3, 1, 1), generator=generator)
    frames = slice(None) if camera == 0 else slice(0, -1)
    part = pictures[:, frames, camera]
    pictures[:, frames, camera] = torch.where(mask, colour, part)


def _shift(pictures: Tensor, shift: Tensor) -> Tensor:
    """Move pictures (B, n, cameras, 3, S, S) by shift (B, cameras, 2) pixels, between pixels too."""
    import torch

    side = pictures.shape[-1]
    axis = torch.arange(side, dtype=torch.float32)
    # One matrix per direction interpolates between two neighbours; edges repeat.
    matrices = []
    for direction in range(2):
        source = (axis[None, None] + shift[:, :, direction, None]).clamp(0, side - 1)
        weight = (1.0 - (source[..., None] - axis).abs()).clamp(min=0.0)  # (B, cameras, S, S)
        matrices.append(weight[:, None, :, None])
    rows, columns = matrices
    moved: Tensor = rows @ pictures @ columns.transpose(-1, -2)
    return moved

"""Initial weights that fit the data, so that a new tokenizer tells motions apart from the start.

Velocities are about a hundredth of a picture per frame. With weights of the usual width they hardly
change what biases and positions already say: every window gets the same code, and the decoder
learns to do without codes before the encoder learns to write them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from robovalue_ros.segment.tokenizer.network import MotionTokenizer

SMALLEST = 1e-6
# A few times as large as positions. At size one the encoder starts as well, but learns slowly.
SIZE = 0.1


def fit_starting_weights(network: MotionTokenizer, velocity: Tensor) -> None:
    """Scale what a new encoder hears of velocities by a sample (b, V, t, N, 2).

    A sample in which nothing moves changes nothing.
    """
    typical = velocity.square().mean().sqrt()
    if typical <= SMALLEST:
        return
    with torch.no_grad():
        network.encoder.encoder_proj.weight *= SIZE / typical
        network.encoder.encoder_proj.bias.zero_()

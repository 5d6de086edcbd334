"""The motion tokenizer: windows of velocities to codes, and codes back to displacements."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.segment.tokenizer.classes import class_displacements
from robovalue_ros.segment.tokenizer.config import TokenizerConfig
from robovalue_ros.segment.tokenizer.fsq import FiniteScalarQuantizer
from robovalue_ros.segment.tokenizer.transformer import (
    DecoderBlock,
    EncoderBlock,
    Transformer,
    attention_mask,
)

MLP_WIDTH = 256
SPREAD = 0.02


class Encoded(NamedTuple):
    """Tokens of windows: prequant, quantized (b, d, D), codes (b, d) int32, low (b, d, levels)."""

    prequant: Tensor
    quantized: Tensor
    codes: Tensor
    low: Tensor


class Encoder(nn.Module):
    """Velocities (b, V, t, N, 2) to tokens (b, d, D)."""

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        self.per_view = config.per_view
        views = 1 if config.per_view else len(config.views)
        width = config.hidden_dim
        mask = attention_mask(config.attention, config.tokens, config.tokens)
        self.encoder_proj = nn.Linear(views * config.num_tracks * 2, width)
        self.encoder = Transformer(
            width, config.tokens, config.dropout,
            (
                EncoderBlock(width, config.num_heads, config.dropout, mask.clone())
                for _ in range(config.num_layers)
            ),
        )  # fmt: skip

    def forward(self, velocity: Tensor) -> Tensor:
        if self.per_view:
            seen = velocity.flatten(3).flatten(1, 2)
        else:
            seen = velocity.transpose(1, 2).flatten(2)
        out: Tensor = self.encoder(self.encoder_proj(seen))
        return out


class Decoder(nn.Module):
    """Tokens (b, d, D) to scores of displacements (b, V, t, N, classes)."""

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        width, length = config.hidden_dim, config.tokens
        self.width, self.length, self.per_view = width, length, config.per_view
        self.views, self.scale = len(config.views), config.decoder_pos_scale
        self.track_pos_emb = nn.Embedding(config.num_tracks, width)
        self.view_emb = nn.Embedding(len(config.views), width)
        self.decoder_mlp = nn.Sequential(
            nn.Linear(3 * width, MLP_WIDTH), nn.ReLU(), nn.Linear(MLP_WIDTH, width)
        )
        self.decoder_proj = nn.Linear(width, config.classes)
        mask = attention_mask("full", length, length)
        self.decoder = Transformer(
            width, length, config.dropout,
            (
                DecoderBlock(width, config.num_heads, config.dropout, mask.clone(), mask.clone())
                for _ in range(max(1, config.num_layers // 2))
            ),
        )  # fmt: skip

    def forward(self, tokens: Tensor, points: Tensor | None = None) -> Tensor:
        asked = tokens.new_zeros(len(tokens), self.length, self.width)
        x = self.decoder(asked, tokens)
        if self.per_view:
            x = x.reshape(len(x), self.views, -1, self.width)
        else:
            x = x[:, None].expand(-1, self.views, -1, -1)
        return self.scores(x, points)

    def scores(self, x: Tensor, points: Tensor | None = None) -> Tensor:
        """Return proj(x + mlp([x ; s * point ; s * view])) for x (b, V, t, D), per point.

        The first layer is applied to its three parts before they are spread over points, and the
        last two layers, with nothing between them, are one: the same function for a tenth of the
        work.
        """
        first, last = _linear(self.decoder_mlp[0]), _linear(self.decoder_mlp[2])
        of_x, of_point, of_view = (
            first.weight[:, at * self.width : (at + 1) * self.width] for at in range(3)
        )
        places = self.track_pos_emb.weight
        places = places if points is None else places[points]
        by_point = functional.linear(self.scale * places, of_point)
        by_view = functional.linear(self.scale * self.view_emb.weight, of_view, first.bias)
        hidden = functional.linear(x, of_x)[:, :, :, None] + by_point + by_view[:, None, None]
        joined = self.decoder_proj.weight @ last.weight
        base: Tensor = self.decoder_proj(x + last.bias)
        return functional.linear(torch.relu(hidden), joined) + base[:, :, :, None]


def _linear(module: nn.Module) -> nn.Linear:
    assert isinstance(module, nn.Linear)
    return module


class MotionTokenizer(nn.Module):
    """Encoder, quantiser and decoder; weights are those of `new_tokenizer` or of a file."""

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        self.config = config
        self.quantize = FiniteScalarQuantizer(config.hidden_dim, config.levels)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    def encode(self, velocity: Tensor) -> Encoded:
        """Return the tokens of velocities (b, V, t, N, 2); raises ContractError for other shapes."""
        wanted = (len(self.config.views), self.config.steps, self.config.num_tracks, 2)
        if velocity.ndim != 5 or tuple(velocity.shape[1:]) != wanted:
            raise ContractError("velocity", f"shape (b, {', '.join(map(str, wanted))})", tuple(velocity.shape))  # fmt: skip
        z = self.encoder(velocity)
        noisy = z
        if self.training and self.config.z_noise_std > 0:
            noisy = z + self.config.z_noise_std * torch.randn_like(z)
        quantized, codes, low = self.quantize(noisy)
        return Encoded(z, quantized, codes, low)

    def decode(self, quantized: Tensor, points: Tensor | None = None) -> Tensor:
        """Return scores (b, V, t, N, classes) of displacements for tokens (b, d, D).

        points: the numbers (n,) of those that are asked for; none: all N.
        """
        scores: Tensor = self.decoder(quantized, points)
        return scores

    def displacements(self, scores: Tensor) -> Tensor:
        """Return the likeliest displacements (..., 2) for scores (..., classes)."""
        return class_displacements(
            scores.argmax(-1), self.config.img_shape, self.config.classes_per_axis
        )

    def forward(self, velocity: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return displacements (b, V, t, N, 2), codes (b, d) and scores (b, V*t*N, classes)."""
        encoded = self.encode(velocity)
        scores = self.decode(encoded.quantized)
        return self.displacements(scores), encoded.codes, scores.flatten(1, 3)


def blank_tokenizer(config: TokenizerConfig) -> MotionTokenizer:
    """Build a network whose weights mean nothing yet; the global random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        return MotionTokenizer(config)


def new_tokenizer(config: TokenizerConfig, generator: torch.Generator) -> MotionTokenizer:
    """Build a network with initial weights drawn from `generator` alone.

    Within transformers weights are narrow, and narrower still where many of them add up; elsewhere
    they are as wide as the framework makes them.
    """
    model = blank_tokenizer(config)
    inside = set(_within_transformers(model))
    narrow = SPREAD / math.sqrt(2 * config.num_layers)
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, nn.Embedding):
                spread = SPREAD if module in inside else 1.0
                module.weight.normal_(0.0, spread, generator=generator)
            elif isinstance(module, nn.Linear) and module in inside:
                spread = narrow if name.endswith(".c_proj") else SPREAD
                module.weight.normal_(0.0, spread, generator=generator)
            elif isinstance(module, nn.Linear):
                bound = 1.0 / math.sqrt(module.in_features)
                module.weight.uniform_(-bound, bound, generator=generator)
                module.bias.uniform_(-bound, bound, generator=generator)
    return model


def _within_transformers(model: MotionTokenizer) -> Iterator[nn.Module]:
    for transformer in (model.encoder.encoder, model.decoder.decoder):
        yield from transformer.modules()

"""The network that reads a code sequence: it guesses the next code, and what it holds is a vector.

By default it reads forward only, so that it cannot see the code that it has to guess. It draws
nothing from global state: initial weights and dropout come from generators that are passed in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from robovalue_ros.segment.codes.sequences import PAD

Cell = Literal["lstm", "gru"]


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """vocabulary: tokens with the padding. hidden_dim: width of one direction."""

    vocabulary: int
    embedding_dim: int = 128
    hidden_dim: int = 256
    layers: int = 2
    cell: Cell = "lstm"
    bidirectional: bool = False

    @property
    def width(self) -> int:
        """Length of a sequence's vector."""
        return self.hidden_dim * (2 if self.bidirectional else 1)


class SequenceNetwork(nn.Module):
    """Embedding, recurrent layers and a linear head over tokens (B, L)."""

    def __init__(self, shape: NetworkShape, dropout: float = 0.1) -> None:
        super().__init__()
        self.shape, self.dropout = shape, dropout
        self.embedding = nn.Embedding(shape.vocabulary, shape.embedding_dim, padding_idx=PAD)
        kind = nn.LSTM if shape.cell == "lstm" else nn.GRU
        # One module per layer: dropout between them draws from our generator.
        self.layers = nn.ModuleList(
            kind(
                shape.width if place else shape.embedding_dim, shape.hidden_dim,
                batch_first=True, bidirectional=shape.bidirectional,
            )
            for place in range(shape.layers)
        )  # fmt: skip
        self.head = nn.Linear(shape.width, shape.vocabulary)

    def forward(self, tokens: Tensor, noise: torch.Generator | None = None) -> Tensor:
        """Return what it holds after each token, (B, L, width); noise: draws of dropout."""
        held: Tensor = self._dropped(self.embedding(tokens), noise)
        for place, layer in enumerate(self.layers):
            held = layer(self._dropped(held, noise) if place else held)[0]
        return held

    def _dropped(self, values: Tensor, noise: torch.Generator | None) -> Tensor:
        if noise is None or self.dropout == 0.0:
            return values
        kept = torch.rand(values.shape, generator=noise) >= self.dropout
        return values * kept.to(values.device) / (1.0 - self.dropout)

    def next_token_loss(
        self, tokens: Tensor, noise: torch.Generator | None = None
    ) -> tuple[Tensor, int]:
        """Return the summed cross-entropy of each next token, and how many there are.

        Padding is neither guessed nor counted.
        """
        tokens = self._cut(tokens)
        held = self(tokens, noise)[:, :-1]
        wanted = tokens[:, 1:]
        guessed = self.head(self._dropped(held[wanted != PAD], noise))
        loss = nn.functional.cross_entropy(guessed, wanted[wanted != PAD], reduction="sum")
        return loss, len(guessed)

    def vectors(self, tokens: Tensor) -> Tensor:
        """Return one vector per sequence, (B, width): the mean of what is held after each token."""
        tokens = self._cut(tokens)
        real = (tokens != PAD).unsqueeze(-1)
        held: Tensor = self(tokens)
        return (held * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)

    def _cut(self, tokens: Tensor) -> Tensor:
        """Take away columns that are padding in every row, and go where the weights are.

        A backward direction starts in the padding, so there they have to stay.
        """
        if not self.shape.bidirectional:
            tokens = tokens[:, : max(1, int((tokens != PAD).sum(dim=1).max()))]
        return tokens.to(self.head.weight.device)


def new_network(
    shape: NetworkShape, generator: torch.Generator, dropout: float = 0.1
) -> SequenceNetwork:
    """Build a network with the framework's usual initial weights, drawn from `generator` alone."""
    with torch.device("meta"):
        model = SequenceNetwork(shape, dropout)
    model = model.to_empty(device="cpu")
    with torch.no_grad():
        model.embedding.weight.normal_(generator=generator)
        model.embedding.weight[PAD].zero_()
        for part, width in ((model.layers, shape.hidden_dim), (model.head, shape.width)):
            bound = 1.0 / math.sqrt(width)
            for weights in part.parameters():
                weights.uniform_(-bound, bound, generator=generator)
    return model

"""The transformer of the motion tokenizer, under the names that stored weights have."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from robovalue_ros.segment.tokenizer.config import Attention

EPSILON = 1e-5
MLP_RATIO = 4


def attention_mask(kind: Attention, queries: int, keys: int) -> Tensor:
    """Return (1, 1, queries, keys) float, one where a query sees a key."""
    if kind == "diag":
        mask = torch.eye(queries, keys)
    else:
        mask = torch.ones(queries, keys)
        mask = torch.tril(mask) if kind == "causal" else mask
    return mask[None, None]


def layer_norm(width: int) -> nn.LayerNorm:
    return nn.LayerNorm(width, eps=EPSILON, bias=False)


class SelfAttention(nn.Module):
    """Attention within x (b, t, D)."""

    def __init__(self, width: int, heads: int, dropout: float, mask: Tensor) -> None:
        super().__init__()
        self.c_attn = nn.Linear(width, 3 * width, bias=False)
        self.c_proj = nn.Linear(width, width, bias=False)
        self.heads, self.dropout = heads, dropout
        self.register_buffer("attn_mask", mask)

    attn_mask: Tensor

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.c_attn(x).chunk(3, dim=-1)
        seen = _attend(self, query, key, value)
        return functional.dropout(self.c_proj(seen), self.dropout, self.training)


class CrossAttention(nn.Module):
    """Attention of x (b, t, D) to memory (b, m, D)."""

    def __init__(self, width: int, heads: int, dropout: float, mask: Tensor) -> None:
        super().__init__()
        self.q_proj = nn.Linear(width, width, bias=False)
        self.kv_proj = nn.Linear(width, 2 * width, bias=False)
        self.c_proj = nn.Linear(width, width, bias=False)
        self.heads, self.dropout = heads, dropout
        self.register_buffer("attn_mask", mask)

    attn_mask: Tensor

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        key, value = self.kv_proj(memory).chunk(2, dim=-1)
        seen = _attend(self, self.q_proj(x), key, value)
        return functional.dropout(self.c_proj(seen), self.dropout, self.training)


def _attend(
    layer: SelfAttention | CrossAttention, query: Tensor, key: Tensor, value: Tensor
) -> Tensor:
    query, key, value = (
        part.reshape(*part.shape[:2], layer.heads, -1).transpose(1, 2)
        for part in (query, key, value)
    )
    mask = layer.attn_mask[:, :, : query.shape[2], : key.shape[2]] != 0
    dropout = layer.dropout if layer.training else 0.0
    seen = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, dropout_p=dropout
    )
    return seen.transpose(1, 2).flatten(2)


class Mlp(nn.Module):
    """Two layers with an exact GELU between them."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, MLP_RATIO * width, bias=False)
        self.c_proj = nn.Linear(MLP_RATIO * width, width, bias=False)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        hidden = functional.gelu(self.c_fc(x))
        return functional.dropout(self.c_proj(hidden), self.dropout, self.training)


class EncoderBlock(nn.Module):
    """x += attention(norm x); x += mlp(norm x)."""

    def __init__(self, width: int, heads: int, dropout: float, mask: Tensor) -> None:
        super().__init__()
        self.ln_1 = layer_norm(width)
        self.attn = SelfAttention(width, heads, dropout, mask)
        self.ln_2 = layer_norm(width)
        self.mlp = Mlp(width, dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out


class DecoderBlock(nn.Module):
    """Self-attention, mlp, attention to the memory, mlp; each is added to what it normalised."""

    def __init__(self, width: int, heads: int, dropout: float, own: Tensor, other: Tensor) -> None:
        super().__init__()
        self.ln_1 = layer_norm(width)
        self.self_attn = SelfAttention(width, heads, dropout, own)
        self.ln_2 = layer_norm(width)
        self.mlp = Mlp(width, dropout)
        self.ln_3 = layer_norm(width)
        self.cross_attn = CrossAttention(width, heads, dropout, other)
        self.ln_4 = layer_norm(width)
        self.mlp_2 = Mlp(width, dropout)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        x = x + self.self_attn(self.ln_1(x))
        x = x + self.mlp(self.ln_2(x))
        x = x + self.cross_attn(self.ln_3(x), memory)
        out: Tensor = x + self.mlp_2(self.ln_4(x))
        return out


class Stack(nn.Module):
    """The parts of a transformer."""

    def __init__(self, width: int, length: int, blocks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.pos_emb = nn.Embedding(length, width)
        self.h = nn.ModuleList(blocks)
        self.ln_f = layer_norm(width)


class Transformer(nn.Module):
    """Blocks over a learned table of positions, normalised at the end."""

    def __init__(
        self, width: int, length: int, dropout: float, blocks: Iterable[nn.Module]
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.transformer = Stack(width, length, blocks)

    def forward(self, x: Tensor, *memory: Tensor) -> Tensor:
        """Return (b, t, D) for x (b, t, D); `memory` goes to every block."""
        parts = self.transformer
        x = functional.dropout(x + parts.pos_emb.weight[: x.shape[1]], self.dropout, self.training)
        for block in parts.h:
            x = block(x, *memory)
        out: Tensor = parts.ln_f(x)
        return out

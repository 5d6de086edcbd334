"""The options that tokenizers trained elsewhere were stored with, and what their weights tell."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from robovalue_ros.contracts.config import from_mapping
from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.segment.tokenizer.config import Attention, TokenizerConfig
from robovalue_ros.segment.tokenizer.levels import SIZES, fsq_levels
from robovalue_ros.segment.tokenizer.transformer import attention_mask

# Our name and the names that stored options have for the same thing, the first that is there wins.
_NAMES = {
    "views": ("cond_cameraviews",),
    "num_tracks": ("num_tracks", "n_tracks"),
    "img_shape": ("img_shape",),
    "hidden_dim": ("hidden_dim",),
    "num_heads": ("num_heads", "n_heads", "n_head"),
    "num_layers": ("num_layers", "n_layers", "n_layer"),
    "dropout": ("attn_pdrop", "dropout"),
    "codebook_size": ("codebook_size",),
    "per_view": ("per_view",),
    "attention": ("causal_encoder",),
    "z_noise_std": ("z_noise_std",),
    "decoder_pos_scale": ("decoder_pos_scale",),
}
_ATTENTION: dict[Any, Attention] = {True: "causal", False: "full", "diag": "diag"}
_PREFIX = "encoder.encoder.transformer"


def config_from_stored(
    stored: Mapping[str, Any], base: TokenizerConfig, where: str = "stored options"
) -> TokenizerConfig:
    """Return `base` with what stored options say; keys about other things are passed over.

    Raises ConfigError for a network that looks at pictures, and for values that make no sense.
    """
    if stored.get("cond_on_img"):
        raise ConfigError(
            f"{where}: cond_on_img is set", "a tokenizer of motion alone",
            "Networks that look at the picture too cannot be used here: train one without.",
        )  # fmt: skip
    told: dict[str, Any] = {}
    for ours, names in _NAMES.items():
        value = next((stored[name] for name in names if stored.get(name) is not None), None)
        if value is not None:
            told[ours] = value
    if "attention" in told:
        if told["attention"] not in (True, False, "diag"):
            raise ConfigError(
                f"{where}: causal_encoder is {told['attention']!r}", "true, false or diag"
            )
        told["attention"] = _ATTENTION[told["attention"]]
    horizon = stored.get("track_pred_horizon")
    if isinstance(horizon, int) and horizon > 1:
        told["steps"] = horizon - 1
    loss = stored.get("loss")
    loss = loss if isinstance(loss, Mapping) else {}
    classes = stored.get("rel_cls_img_size") or loss.get("rel_cls_img_size")
    if isinstance(classes, list | tuple) and classes:
        told["classes_per_axis"] = classes[0]
    told.setdefault("img_shape", loss.get("cls_img_size") or base.img_shape)
    ours_already = {item.name: getattr(base, item.name) for item in dataclasses.fields(base)}
    return from_mapping(TokenizerConfig, {**ours_already, **told}, where)


def config_of_weights(
    weights: Mapping[str, Tensor], said: TokenizerConfig, size_is_said: bool, where: str
) -> TokenizerConfig:
    """Return `said` corrected by what the weights themselves tell.

    size_is_said: the nominal size of the code book was stored. Raises ConfigError when the weights
    are not those of a motion tokenizer, or fit more than one code book and nothing says which.
    """
    try:
        width, seen = weights["encoder.encoder_proj.weight"].shape
        tokens = len(weights[f"{_PREFIX}.pos_emb.weight"])
        points = len(weights["decoder.track_pos_emb.weight"])
        views = len(weights["decoder.view_emb.weight"])
        classes = len(weights["decoder.decoder_proj.weight"])
        dimensions = len(weights["quantize.project_in.weight"])
        mask = weights[f"{_PREFIX}.h.0.attn.attn_mask"]
    except (KeyError, ValueError, TypeError) as problem:
        raise ConfigError(
            f"{where} holds no motion tokenizer: {problem} is missing or of an odd shape",
            "the weights of encoder, quantize and decoder",
        ) from problem
    per_view = views > 1 and seen == 2 * points
    layers = {name.split(".")[4] for name in weights if name.startswith(f"{_PREFIX}.h.")}
    names = said.views if len(said.views) == views else tuple(f"view_{i}" for i in range(views))
    return dataclasses.replace(
        said, hidden_dim=width, num_tracks=points, views=names, per_view=per_view,
        steps=tokens // views if per_view else tokens, num_layers=len(layers),
        classes_per_axis=round(classes**0.5), attention=_attention_of(mask, where),
        codebook_size=_codebook(dimensions, said.codebook_size if size_is_said else None, where),
    )  # fmt: skip


def plain_masks(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights whose attention masks hold one where something is seen, and zero elsewhere."""
    return {
        name: _plain(value) if name.endswith(".attn_mask") else value
        for name, value in weights.items()
    }


def _plain(mask: Tensor) -> Tensor:
    numbers = mask.float()
    # Some masks are added to scores, zero where something is seen; nobody sees nothing at all.
    adds = bool(torch.isneginf(numbers).any()) or not bool(numbers.any())
    return (numbers == 0 if adds else numbers != 0).float()


def _attention_of(mask: Tensor, where: str) -> Attention:
    if mask.ndim == 4 and mask.shape[2] == mask.shape[3]:
        kinds: tuple[Attention, ...] = ("causal", "diag", "full")
        for kind in kinds:
            if torch.equal(_plain(mask), attention_mask(kind, mask.shape[2], mask.shape[3])):
                return kind
    raise ConfigError(
        f"{where}: the encoder's attention mask is none that is known", "causal, diagonal or full"
    )


def _codebook(dimensions: int, said: int | None, where: str) -> int:
    fitting = [size for size in SIZES if len(fsq_levels(size)) == dimensions]
    if said is not None:
        if len(fsq_levels(said)) != dimensions:
            raise ConfigError(
                f"{where}: codebook_size is {said}, but its codes have {dimensions} dimensions",
                f"one of {fitting}",
            )
        return said
    if len(fitting) != 1:
        raise ConfigError(
            f"{where} does not tell its codebook_size", f"one of {fitting or SIZES}",
            "Put `config: {codebook_size: ...}` into the file, or name it in model_config.",
        )  # fmt: skip
    only: int = fitting[0]
    return only

"""The motion tokenizer's functions behind the entries of segmenter.json.

Metrics run with the defects of stored training logs. A focal or class weight of zero, which used to
become the default silently, is replaced here before it reaches the loss, where zero means zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from robovalue_ros.segment.tokenizer.classes import (
    class_displacements,
    displacement_classes,
    radial_weights,
)
from robovalue_ros.segment.tokenizer.config import LossConfig, TokenizerConfig
from robovalue_ros.segment.tokenizer.fsq import code_indices, quantised
from robovalue_ros.segment.tokenizer.legacy import config_from_stored
from robovalue_ros.segment.tokenizer.levels import fsq_levels, true_size
from robovalue_ros.segment.tokenizer.losses import displacement_loss
from robovalue_ros.segment.tokenizer.metrics import reference_metrics
from robovalue_ros.segment.tokenizer.network import new_tokenizer

# What stood in for a missing key, and for a zero.
UNSAID = {
    "use_focal": False, "focal_gamma": 2.0, "focal_alpha": 0.25, "class_weight_mode": "none",
    "class_weight_strength": 2.0, "class_weight_power": 2.0,
}  # fmt: skip


def quantize(z: Any, levels: list[int]) -> dict[str, Any]:
    steps = torch.tensor(levels, dtype=torch.int32)
    codes = quantised(torch.tensor(z, dtype=torch.float32), steps)
    indices = code_indices(codes, steps)
    return {"codes": codes.numpy(), "indices": indices.numpy(), "size": true_size(levels)}


def targets(points: Any, img_shape: list[int]) -> Any:
    return displacement_classes(torch.tensor(points), (img_shape[0], img_shape[1])).numpy()


def displacements(idx: Any, img_shape: list[int]) -> Any:
    return class_displacements(torch.tensor(idx), (img_shape[0], img_shape[1])).numpy()


def loss(logits: Any, points: Any, cfg: Mapping[str, Any]) -> Any:
    height, width = cfg["cls_img_size"]
    side, other = cfg["rel_cls_img_size"]
    assert side == other
    classes = displacement_classes(torch.tensor(points), (height, width), side)
    config = LossConfig(**{key: cfg.get(key) or value for key, value in UNSAID.items()})
    return displacement_loss(torch.tensor(logits), classes, config).numpy()


def class_weights(strength: float = 4.0, power: float = 2.0) -> Any:
    return radial_weights(strength, power).numpy()


def tokenizer_info(cfg: Mapping[str, Any] = {}, batch: int = 2) -> dict[str, Any]:
    """Build a network of stored options and tell its sizes."""
    config = config_from_stored(cfg, TokenizerConfig())
    generator = torch.Generator().manual_seed(0)
    model = new_tokenizer(config, generator).eval()
    shape = (batch, len(config.views), config.steps, config.num_tracks, 2)
    velocity = torch.randn(shape, generator=generator) * 0.01
    with torch.inference_mode():
        encoded = model.encode(velocity)
        told, ids, scores = model(velocity)
    return {
        "params": _count(model), "enc_params": _count(model.encoder),
        "dec_params": _count(model.decoder), "z": list(encoded.prequant.shape),
        "codes": list(encoded.quantized.shape), "ids": list(ids.shape), "ids_dtype": str(ids.dtype),
        "x_recon": list(told.shape), "rel_logits": list(scores.shape), "size": config.true_size,
        "state": {name: list(value.shape) for name, value in model.state_dict().items()},
    }  # fmt: skip


def _count(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def metrics(indices: Any, codebook_size: int) -> dict[str, float]:
    return reference_metrics(np.array(indices), codebook_size)


CALLS: dict[str, Callable[..., Any]] = {
    "fsq_levels": lambda size: list(fsq_levels(size)),
    "fsq_quantize": quantize,
    "rel_targets": targets,
    "rel_diffs": displacements,
    "rel_loss": loss,
    "radial_class_weights": class_weights,
    "tokenizer_info": tokenizer_info,
    "codebook_metrics": metrics,
}

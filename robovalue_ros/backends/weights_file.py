"""Weights and what is known about them in one `.safetensors` file of ours, checked when read.

The description is JSON in the file's header, so the two cannot part, and carries a hash of the
weights: the format itself has no checksum.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from robovalue_ros.backends.checkpoints import Tensors, read_safetensors
from robovalue_ros.contracts.errors import DataError, MissingExtra

HEADER = "robovalue"
DIGEST = "sha256"


def weights_digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """Return the SHA-256 over names, types, shapes and bytes, in the order of names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def read_weights_file(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """Return the weights and their description; raises DataError for damage and foreign files."""
    tensors = read_safetensors(path)
    about = read_description(path)
    wanted = about.pop(DIGEST, None)
    if weights_digest(tensors) != wanted:
        raise DataError(
            path, "is damaged: the weights are not those that were written", "an intact file",
            "Copy it again, or use an earlier checkpoint.",
        )  # fmt: skip
    return tensors, about


def read_description(path: Path) -> dict[str, Any]:
    """Return what the header says, without reading the weights; raises DataError."""
    safetensors = _safetensors()
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(HEADER)
    except (safetensors.SafetensorError, OSError) as problem:
        raise DataError(path, f"cannot be read ({problem})", "a .safetensors file") from problem
    try:
        about = json.loads(header) if header is not None else None
    except ValueError:
        about = None
    if not isinstance(about, dict):
        raise DataError(
            path, "does not say what its weights are", "a checkpoint written by this software",
            "Weights from elsewhere are read as .pt files.",
        )  # fmt: skip
    return about


def _safetensors() -> Any:
    try:
        return import_module("safetensors")
    except ModuleNotFoundError as problem:
        raise MissingExtra("safetensors", "models", "reading .safetensors files") from problem

"""The sequence network on disk: `model_best.safetensors`, with its settings in the header.

Older `model_best.pt` files are read as tensors and plain values; nothing in them runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from robovalue_ros.backends.checkpoints import (
    Tensors,
    check_names,
    read_torch_file,
    tensors_only,
)
from robovalue_ros.contracts.config import from_mapping
from robovalue_ros.contracts.errors import ConfigError, ContractError, DataError
from robovalue_ros.contracts.progress import Tick
from robovalue_ros.segment.codes.features import unit_length
from robovalue_ros.segment.codes.network import NetworkShape, SequenceNetwork
from robovalue_ros.segment.codes.old_weights import renamed_weights
from robovalue_ros.segment.codes.sequences import CodeSequence, Floats, padded_tokens
from robovalue_ros.training.checkpoints import read_checkpoint

WEIGHTS, KIND = "model_best.safetensors", "code_sequences"
EXPECTED = "a run of `robovalue codes train`, its model_best.safetensors, or a model_best.pt"


@dataclass(frozen=True, slots=True, eq=False)
class SequenceModel:
    """A trained network. max_len: None when an old file does not say it."""

    network: SequenceNetwork
    max_len: int | None
    labels: tuple[str, ...]
    path: Path

    def fits(self, sequence: CodeSequence) -> bool:
        """Tell whether all codes are in the network's vocabulary."""
        return int(sequence.codes.max()) + 1 < self.network.shape.vocabulary


def about_model(
    network: SequenceNetwork, max_len: int, config: Mapping[str, Any], labels: Sequence[str]
) -> dict[str, Any]:
    """Return what the file says about its weights."""
    return {
        "kind": KIND,
        "network": dataclasses.asdict(network.shape),
        "max_len": max_len,
        "config": dict(config),
        "label_names": list(labels),
    }


def load_model(path: Path, device: str = "cpu") -> SequenceModel:
    """Read a network strictly: every weight there, none left over.

    Raises DataError naming the file.
    """
    file = path / WEIGHTS if path.is_dir() else path
    if not file.is_file():
        raise DataError(file, "is not there", EXPECTED)
    model = _load_new(file) if file.suffix == ".safetensors" else _load_old(file)
    model.network.to(device).eval()
    return model


def _load_new(file: Path) -> SequenceModel:
    tensors, about = read_checkpoint(file, KIND)
    try:
        shape = from_mapping(NetworkShape, about["network"], str(file))
        max_len, labels = int(about["max_len"]), tuple(map(str, about["label_names"]))
    except (KeyError, TypeError, ValueError, ConfigError) as problem:
        raise DataError(file, f"does not describe a network ({problem})", EXPECTED) from problem
    return SequenceModel(_filled(file, shape, tensors), max_len, labels, file)


def _load_old(file: Path) -> SequenceModel:
    content = read_torch_file(file)
    tensors = content.get("state_dict")
    if not isinstance(tensors, dict):
        raise DataError(file, "has no state_dict", EXPECTED)
    try:
        shape, renamed = renamed_weights(tensors_only(file, tensors, " in state_dict"))
    except ContractError as problem:
        raise DataError(file, f"is no sequence network: {problem}", EXPECTED) from problem
    names = content.get("label_names")
    labels = tuple(map(str, names)) if isinstance(names, list | tuple) else ()
    return SequenceModel(_filled(file, shape, renamed), _old_max_len(content), labels, file)


def _old_max_len(content: Mapping[str, Any]) -> int | None:
    config = content.get("config")
    section = config.get("sequence") if isinstance(config, dict) else None
    for key in ("max_len_resolved", "max_len"):
        found = section.get(key) if isinstance(section, dict) else None
        if type(found) is int and found > 0:
            return found
    return None


def _filled(file: Path, shape: NetworkShape, tensors: Tensors) -> SequenceNetwork:
    with torch.device("meta"):
        network = SequenceNetwork(shape)
    check_names(file, tensors, network.state_dict(), "Check that the file is a sequence network.")
    network.load_state_dict(
        {name: value.to(torch.float32, copy=True) for name, value in tensors.items()}, assign=True
    )
    return network


@torch.no_grad()
def embed_sequences(
    model: SequenceModel,
    sequences: Sequence[CodeSequence],
    max_len: int,
    batch_size: int,
    tick: Tick,
    *,
    l2: bool = False,
) -> Floats:
    """Return one vector per sequence, (N, width) float32."""
    found = np.zeros((len(sequences), model.network.shape.width), np.float32)
    for first in range(0, len(sequences), batch_size):
        batch = sequences[first : first + batch_size]
        tokens = torch.from_numpy(padded_tokens([s.codes for s in batch], max_len))
        found[first : first + len(batch)] = model.network.vectors(tokens).cpu().numpy()
        tick(len(batch))
    return unit_length(found).astype(np.float32) if l2 else found


def chosen_device(name: str) -> str:
    """Return the device that `auto` stands for; raises ConfigError for one that is not there."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as problem:
        line = str(problem).splitlines()[0]
        raise ConfigError(
            f"device {name!r} cannot be used ({line})", "cpu, or a GPU that is there"
        ) from problem
    return name


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Let torch use so many threads meanwhile; 0 leaves it as it is.

    Sums that several threads share out round differently with their number.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)

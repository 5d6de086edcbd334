"""Weights of networks that were trained elsewhere, taken over by what they are for.

Such files name their parts differently, but a part shows what it is: recurrent weights carry their
layer and direction in their names, the embedding is the matrix that has no bias, the head the one
that has. Everything must be there once and nothing may be left over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.segment.codes.network import Cell, NetworkShape

RECURRENT = re.compile(r"(?:^|.*\.)((?:weight|bias)_(?:ih|hh))_l(\d+)(_reverse)?$")
GATES: dict[int, Cell] = {4: "lstm", 3: "gru"}


def renamed_weights(found: Mapping[str, Tensor]) -> tuple[NetworkShape, dict[str, Tensor]]:
    """Return the shape of the network and its weights under the names of `SequenceNetwork`.

    Raises ContractError naming what is missing, twice there, or unknown.
    """
    ours: dict[str, Tensor] = {}
    rest: dict[str, Tensor] = {}
    for name, tensor in found.items():
        match = RECURRENT.match(name)
        if match is None:
            rest[name] = tensor
            continue
        part, layer, reverse = match.groups()
        _put(ours, f"layers.{int(layer)}.{part}_l0{reverse or ''}", tensor, name)
    for name, tensor in rest.items():
        base, _, kind = name.rpartition(".")
        paired = f"{base}.bias" in rest if kind == "weight" else f"{base}.weight" in rest
        if kind == "weight" and tensor.ndim == 2:
            _put(ours, "head.weight" if paired else "embedding.weight", tensor, name)
        elif kind == "bias" and tensor.ndim == 1 and paired:
            _put(ours, "head.bias", tensor, name)
        else:
            raise ContractError("weights", "an embedding, recurrent layers and a head", f"{name!r}")
    return _shape(ours), ours


def _put(ours: dict[str, Tensor], name: str, tensor: Tensor, source: str) -> None:
    if name in ours:
        raise ContractError("weights", f"one {name}", f"there twice ({source!r} again)")
    ours[name] = tensor


def _shape(ours: Mapping[str, Tensor]) -> NetworkShape:
    for name in ("embedding.weight", "head.weight", "layers.0.weight_hh_l0"):
        if name not in ours:
            raise ContractError("weights", name, "not there")
    vocabulary, embedding_dim = ours["embedding.weight"].shape
    rows, hidden_dim = ours["layers.0.weight_hh_l0"].shape
    gates = rows // max(1, hidden_dim)
    if gates not in GATES:
        raise ContractError("recurrent weights", "those of an LSTM or a GRU", f"{gates} gates")
    layers = 1 + max(int(name.split(".")[1]) for name in ours if name.startswith("layers."))
    return NetworkShape(
        vocabulary, embedding_dim, hidden_dim, layers, GATES[gates],
        any(name.endswith("_reverse") for name in ours),
    )  # fmt: skip

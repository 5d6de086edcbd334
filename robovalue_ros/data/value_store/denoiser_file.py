"""One trained denoiser in a `.pt` file: tensors and plain numbers under the known names."""

from __future__ import annotations

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import torch

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.atomic import write_bytes
from robovalue_ros.data.value_store.ids import BETA_END, BETA_START
from robovalue_ros.value.denoise import Denoiser, DiffusionScorer
from robovalue_ros.value.identity import short_id

MODEL_PREFIX = "segmatch50_diffusion_model__"
ADVICE = "Run the estimate again; the denoiser is trained anew."
# What torch raises for an archive that it cannot make sense of.
UNREADABLE = (RuntimeError, ValueError, KeyError, EOFError, TypeError, pickle.UnpicklingError)


def model_file(cfg_id: str, task: str, key: str) -> str:
    """Return the name of a model's file."""
    return f"{MODEL_PREFIX}{cfg_id}__{short_id(task)}__{key}.pt"


def write_denoiser(path: Path, scorer: DiffusionScorer, cfg_id: str, task: str, key: str) -> str:
    """Write the network of a scorer atomically and return the SHA-256 of the file."""
    model = scorer.model
    content = {
        # Copies: a view would carry the whole storage that it looks into.
        "state_dict": {
            name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()
        },
        "dim_in": model.in_proj.in_features, "num_segments": scorer.num_segments,
        "hidden_dim": scorer.options.hidden_dim, "num_layers": scorer.options.num_layers,
        "timesteps": scorer.options.timesteps, "beta_start": BETA_START, "beta_end": BETA_END,
        "cfg_id": cfg_id, "task": task, "key": key,
    }  # fmt: skip
    stream = io.BytesIO()
    torch.save(content, stream)
    write_bytes(path, stream.getvalue())
    return hashlib.sha256(stream.getvalue()).hexdigest()


def read_denoiser(path: Path, expected: dict[str, Any], sha256: str) -> Denoiser:
    """Read a network, ready for scoring.

    expected: what the file must say, by name; must hold num_segments, hidden_dim, num_layers and
    dim_in. sha256: of the whole file, compared before anything in it is believed.
    Raises DataError for a file that is absent, damaged or of another configuration.
    """
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise DataError(path, f"cannot be read: {problem}", "a trained model", ADVICE) from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(path, "is damaged or of another run", f"SHA-256 {sha256[:12]}...", ADVICE)
    try:
        found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except UNREADABLE as problem:
        first = str(problem).partition("\n")[0]
        raise DataError(path, f"is no model file: {first}", "tensors and numbers", ADVICE) from None
    if not isinstance(found, dict) or not isinstance(found.get("state_dict"), dict):
        raise DataError(path, "lacks state_dict", "a trained model", ADVICE)
    for name, value in expected.items():
        if found.get(name) != value:
            raise DataError(path, f"{name} is {found.get(name)!r}", repr(value), ADVICE)
    return _built(path, found["state_dict"], expected)


def _built(path: Path, state: dict[str, Any], expected: dict[str, Any]) -> Denoiser:
    for name, tensor in state.items():
        sound = isinstance(tensor, torch.Tensor) and tensor.dtype == torch.float32
        if not sound or not bool(torch.isfinite(tensor).all()):
            raise DataError(path, f"{name} is not usable", "finite float32 numbers", ADVICE)
    # On `meta` no memory is taken: a mistaken size cannot fill the machine.
    with torch.device("meta"):
        model = Denoiser(
            expected["dim_in"], expected["num_segments"], expected["hidden_dim"],
            expected["num_layers"],
        )  # fmt: skip
    try:
        model.load_state_dict(state, assign=True)
    except RuntimeError as problem:
        reason = " ".join(str(problem).split())
        raise DataError(path, f"does not fit: {reason}", "weights of this size", ADVICE) from None
    return model.requires_grad_(False).eval()

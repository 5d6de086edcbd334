"""Motion tokenizers from files: ours, and those that people have trained before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from robovalue_ros.backends.checkpoints import Tensors, check_names, read_torch_file, tensors_only
from robovalue_ros.backends.weights_file import read_weights_file
from robovalue_ros.contracts.config import from_mapping
from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.segment.tokenizer.config import TokenizerConfig
from robovalue_ros.segment.tokenizer.legacy import (
    config_from_stored,
    config_of_weights,
    plain_masks,
)
from robovalue_ros.segment.tokenizer.network import MotionTokenizer, blank_tokenizer

KIND = "motion_tokenizer"
NETWORK = "network."
SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt")
_COMPILED = "_orig_mod."
_HOLDERS = ("model", "model_state_dict", "state_dict")
_HINT = (
    "The file must hold this tokenizer's weights and no others; where its options are not stored "
    "with it, name them in model_config."
)


@dataclass(frozen=True)
class StoredTokenizer:
    """A tokenizer with what its file says about it, for instance epoch and losses."""

    network: MotionTokenizer
    about: Mapping[str, Any]

    @property
    def config(self) -> TokenizerConfig:
        return self.network.config


def load_tokenizer(
    path: str | Path, *, options: Mapping[str, Any] | None = None
) -> StoredTokenizer:
    """Read a tokenizer; every weight of the network must be in the file, and nothing else.

    path: a `.safetensors` checkpoint of ours, a `.pt` of today's tools, or a run's folder, whose
    best checkpoint is taken, or the folder of all runs, where there is one. options: stored options of a `.pt` that does not hold its own (the
    former `model_config`). Raises DataError, ConfigError, MissingExtra.
    """
    file = _file(Path(path))
    if file.suffix == ".safetensors":
        return _ours(file)
    return _theirs(file, options or {})


def checkpoint_path(settings: Mapping[str, Any], where: str = "settings") -> Path:
    """Return the checkpoint that settings name, by `checkpoint_path` or as older ones do.

    Older settings have `checkpoint_dir` and `checkpoint_name`. Raises ConfigError.
    """
    whole, folder, name = (
        settings.get(key) for key in ("checkpoint_path", "checkpoint_dir", "checkpoint_name")
    )
    if whole:
        return Path(str(whole))
    if folder and name:
        return Path(str(folder)) / str(name)
    raise ConfigError(
        f"{where} names no tokenizer", "checkpoint_path, or checkpoint_dir and checkpoint_name"
    )


def _file(path: Path) -> Path:
    if not path.is_dir():
        if path.suffix not in SUFFIXES:
            raise DataError(path, "is no checkpoint by its name", f"one of {', '.join(SUFFIXES)}")
        return path
    found = _in_run(path)
    if found is not None:
        return found
    runs = {run.name: one for run in sorted(path.iterdir()) if (one := _in_run(run)) is not None}
    if len(runs) == 1:
        return next(iter(runs.values()))
    raise DataError(
        path, f"holds {len(runs)} runs: {', '.join(runs)}" if runs else "holds no checkpoint",
        "a file best.safetensors, latest.safetensors or .pt", "Name one run." if runs else "",
    )  # fmt: skip


def _in_run(folder: Path) -> Path | None:
    """Return the checkpoint of a run to use, None where the folder is no run's."""
    names = (f"{stem}{suffix}" for stem in ("best", "latest") for suffix in SUFFIXES)
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _ours(path: Path) -> StoredTokenizer:
    tensors, about = read_weights_file(path)
    if about.get("kind") != KIND:
        raise DataError(path, f"holds a {about.get('kind')!r}", f"a {KIND}")
    stored = about.get("config")
    if not isinstance(stored, dict):
        raise DataError(path, "does not tell the network's options", "a mapping `config`")
    config = from_mapping(TokenizerConfig, stored, str(path))
    weights = {
        name.removeprefix(NETWORK): value
        for name, value in tensors.items()
        if name.startswith(NETWORK)
    }
    return StoredTokenizer(_filled(path, config, weights), about)


def _theirs(path: Path, options: Mapping[str, Any]) -> StoredTokenizer:
    content = read_torch_file(path)
    holder = next((key for key in _HOLDERS if isinstance(content.get(key), dict)), None)
    weights = tensors_only(path, content[holder] if holder else content, " where weights belong")
    weights = plain_masks({name.replace(_COMPILED, ""): value for name, value in weights.items()})
    stored = content.get("config") if holder else None
    stored = {**(stored if isinstance(stored, dict) else {}), **options}
    said = config_from_stored(stored, TokenizerConfig(grid="reference"), str(path))
    config = config_of_weights(weights, said, "codebook_size" in stored, str(path))
    about = {
        key: value
        for key, value in content.items()
        if holder and isinstance(value, int | float | str | None) and key != holder
    }
    return StoredTokenizer(_filled(path, config, weights), {**about, "config": stored})


def _filled(path: Path, config: TokenizerConfig, weights: Tensors) -> MotionTokenizer:
    """Put weights into a network, each in its place and of its shape."""
    network = blank_tokenizer(config)
    check_names(path, weights, network.state_dict(), _HINT)
    with torch.no_grad():
        network.load_state_dict(weights)
    return network.eval()

"""Checkpoints of any training: one file each, written whole, checked when read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from robovalue_ros.backends.weights_file import (
    DIGEST,
    HEADER,
    read_weights_file,
    weights_digest,
)
from robovalue_ros.contracts.errors import ConfigError, DataError, MissingExtra
from robovalue_ros.data.atomic import atomic_path
from robovalue_ros.training.logger import LOG_FILE
from robovalue_ros.training.options import FREE

SUFFIX = ".safetensors"
BEST, LATEST = f"best{SUFFIX}", f"latest{SUFFIX}"
NETWORK, OPTIMIZER = "network.", "optimizer."


def write_checkpoint(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors and what is known about them; the file appears whole or not at all.

    about: plain values, kept as JSON in the file's header. Raises MissingExtra, DataError.
    """
    try:
        safetensors = import_module("safetensors.torch")
    except ModuleNotFoundError as problem:
        raise MissingExtra("safetensors", "train", "writing checkpoints") from problem
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    described = {**about, DIGEST: weights_digest(plain)}
    header = {HEADER: json.dumps(described, sort_keys=True, allow_nan=False)}
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(safetensors.save(plain, metadata=header))
    except OSError as problem:
        raise DataError(
            path, f"cannot be written: {problem}", "a writable folder with free space"
        ) from problem


def read_checkpoint(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and description of a checkpoint of `kind`; raises DataError."""
    tensors, about = read_weights_file(path)
    if about.get("kind") != kind:
        raise DataError(path, f"is a checkpoint of {about.get('kind')!r}", repr(kind))
    return tensors, about


def with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors under longer names."""
    return {f"{prefix}{name}": value for name, value in tensors.items()}


def under_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `prefix`, without it."""
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return what an optimizer remembers of each weight, by number and name."""
    return {
        f"{number}.{name}": value
        for number, memory in optimizer.state_dict()["state"].items()
        for name, value in memory.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimizer back its memory; its options stay those that it was made with."""
    memory: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        memory.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": memory})


def run_folder(out: Path, name: str, *, resume: bool, overwrite: bool = False) -> Path:
    """Return the folder of a run: `name`, or the first free `name_1`, `name_2`, ...

    resume: the one with the highest number that has something to go on from. overwrite: `name`,
    which `clear_run` empties. Raises DataError when there is nothing to go on from, ConfigError for
    both.
    """
    if overwrite:
        if resume:
            raise ConfigError("--resume and --overwrite were both given", "one of them")
        return out / name
    taken = sorted(_numbers(out, name))
    if not resume:
        return out / name if not taken else out / f"{name}_{taken[-1] + 1}"
    for number in reversed(taken):
        folder = out / (f"{name}_{number}" if number else name)
        if (folder / LATEST).is_file():
            return folder
    raise DataError(
        out / name, "holds nothing to go on from", f"a file {LATEST}", "Leave out --resume."
    )


def clear_run(folder: Path) -> None:
    """Remove the folder of an earlier run; raises DataError for one that is none."""
    if not folder.exists():
        return
    if not any((folder / name).is_file() for name in (LATEST, LOG_FILE)):
        raise DataError(
            folder, "is no run that could be overwritten", f"a folder with {LATEST} or {LOG_FILE}"
        )
    shutil.rmtree(folder)


def require_same_settings(stored: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise ConfigError when a run would go on with options that change its result."""
    other = [
        f"{name} was {stored.get(name)!r} and is {now.get(name)!r}"
        for name in sorted(stored.keys() | now.keys())
        if name not in FREE and stored.get(name) != now.get(name)
    ]
    if other:
        raise ConfigError(
            f"the run was started with other options: {'; '.join(other)}", "the same options",
            "Start a new run without --resume.",
        )  # fmt: skip


def _numbers(out: Path, name: str) -> list[int]:
    """List the numbers of a run's folders; the one without is 0. `foo` is no run of `foobar_3`."""
    found = []
    for path in out.iterdir() if out.is_dir() else ():
        tail = path.name.removeprefix(f"{name}_")
        if path.name == name:
            found.append(0)
        elif tail != path.name and tail.isdecimal():
            found.append(int(tail))
    return found

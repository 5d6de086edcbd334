"""A folder of vectors: `embed.npy` (n, D) float32, `paths.txt` with a name a line, `embed.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.atomic import atomic_path, write_json, write_text
from robovalue_ros.segment.codes.sequences import Floats

VECTORS, PATHS, ABOUT = "embed.npy", "paths.txt", "embed.json"
HINT = "Make one with `robovalue codes embed`."


@dataclass(frozen=True, slots=True, eq=False)
class CodeVectors:
    """vectors (N, D) of the files `names`, relative to `root`; root: None when nothing tells it."""

    vectors: Floats
    names: tuple[str, ...]
    root: Path | None


def write_code_vectors(folder: Path, found: CodeVectors, about: Mapping[str, Any]) -> None:
    """Write the three files; about: what else is known."""
    write_array(folder / VECTORS, found.vectors)
    write_text(folder / PATHS, "".join(f"{name}\n" for name in found.names))
    count, width = found.vectors.shape
    root = None if found.root is None else str(found.root)
    write_json(folder / ABOUT, {**about, "json_root": root, "count": count, "width": width})


def read_code_vectors(folder: Path) -> CodeVectors:
    """Read such a folder; raises DataError naming what is missing or does not fit."""
    vectors = read_array(folder / VECTORS)
    file = folder / PATHS
    try:
        names = tuple(file.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as problem:
        raise DataError(file, f"cannot be read ({problem})", "one path a line", HINT) from problem
    if vectors.ndim != 2 or len(vectors) != len(names) or vectors.size == 0:
        raise DataError(
            folder, f"{VECTORS} has shape {vectors.shape}, {PATHS} has {len(names)} lines",
            "one vector for each line", HINT,
        )  # fmt: skip
    if vectors.dtype.kind != "f" or not np.isfinite(vectors).all():
        raise DataError(folder / VECTORS, "holds values that are no numbers", "finite vectors")
    return CodeVectors(vectors.astype(np.float32), names, _told_root(folder / ABOUT))


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write a `.npy` file atomically."""
    with atomic_path(path) as temporary:
        np.save(temporary, array, allow_pickle=False)


def read_array(path: Path) -> NDArray[Any]:
    """Read a `.npy` file of numbers; raises DataError."""
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        line = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise DataError(path, f"cannot be read ({line})", "an array of numbers", HINT) from problem
    if not isinstance(array, np.ndarray):
        raise DataError(path, "is an archive of arrays", "one array", HINT)
    return array


def _told_root(file: Path) -> Path | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    told = content.get("json_root") if isinstance(content, dict) else None
    return Path(told) if isinstance(told, str) else None

"""The fitted warp of progress_warp: `warp_f.npz`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.plain_npz import write_arrays
from robovalue_ros.data.value_store.inert_pickle import PickleRefused, plain_data
from robovalue_ros.data.value_store.npz import Members, read_members
from robovalue_ros.value.warp import FitMethod, Warp

WARP_FILE = "warp_f.npz"
# Version 1 is the same archive with `info` as a pickle.
WARP_SCHEMA = 2
FIRST_SCHEMA = 1


@dataclass(frozen=True, slots=True, eq=False)
class StoredWarp:
    """A warp with what it was made from; used and skipped count successful episodes."""

    warp: Warp
    cfg_id: str
    cfg: Mapping[str, Any]
    used_success_episodes: int
    skipped_success_episodes: int


def warp_info(warp: Warp) -> dict[str, Any]:
    """Return what is told about a fit: which rule, how many pairs, how many knots."""
    return {"method": warp.method, "n": warp.n, "n_breaks": len(warp.x)}


def write_warp(path: Path, stored: StoredWarp) -> None:
    """Write a warp atomically."""
    warp = stored.warp
    write_arrays(path, {
        "schema_version": np.int32(WARP_SCHEMA), "warp_cfg_id": stored.cfg_id,
        "warp_cfg": json.dumps(dict(stored.cfg), sort_keys=True),
        "x_breaks": np.asarray(warp.x, np.float32), "y_breaks": np.asarray(warp.y, np.float32),
        "info": json.dumps(warp_info(warp), sort_keys=True),
        "used_success_episodes": np.int32(stored.used_success_episodes),
        "skipped_success_episodes": np.int32(stored.skipped_success_episodes),
    })  # fmt: skip


def read_warp(path: Path) -> StoredWarp:
    """Read a warp, also one of today's tools.

    The `info` of version 1 is a pickle; it is parsed as plain data, nothing in it is executed.
    Raises DataError for damage.
    """
    members = read_members(path)
    version = members.integer("schema_version")
    if version not in (FIRST_SCHEMA, WARP_SCHEMA):
        expected = f"{FIRST_SCHEMA} or {WARP_SCHEMA}"
        raise DataError(path, f"has schema_version {version}", expected, "Fit again.")
    x, y = members.floats("x_breaks", 1), members.floats("y_breaks", 1)
    rising = len(x) == len(y) >= 2 and bool((np.diff(x) >= 0).all() and (np.diff(y) >= 0).all())
    if not rising:
        raise DataError(path, "x_breaks and y_breaks are no curve", "two or more rising knots")
    info = _info(members)
    method, count = info.get("method"), info.get("n")
    if method not in get_args(FitMethod) or not isinstance(count, int):
        raise DataError(path, f"info is {info}", f"a method of {get_args(FitMethod)} and n")
    return StoredWarp(
        Warp(x, y, cast(FitMethod, method), count), members.text("warp_cfg_id"), members.mapping("warp_cfg"),
        members.integer("used_success_episodes"), members.integer("skipped_success_episodes"),
    )  # fmt: skip


def _info(members: Members) -> dict[str, Any]:
    if "info" not in members.pickled:
        return members.mapping("info")
    try:
        info = plain_data(members.pickled["info"])
    except PickleRefused as problem:
        raise DataError(members.path, f"info: {problem}", "method, n and n_breaks") from problem
    if not isinstance(info, dict):
        raise DataError(members.path, "info is no dictionary", "method, n and n_breaks")
    return info

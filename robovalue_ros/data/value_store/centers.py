"""Centres of success: `cluster_centers.npz` per task, `segment_centers.npz` per task and segment.

Arrays lie under flat keys, `centers/<task>/<key>` and below it the segment's number where there
are segments, likewise `scaler/...` and `likelihood_std/...`; `info` is one JSON text. A slash or
a percent sign inside a task name is written as in a web address.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from robovalue_ros.contracts.errors import ContractError, DataError
from robovalue_ros.contracts.validate import require
from robovalue_ros.data.plain_npz import write_arrays
from robovalue_ros.data.value_store.group_info import info_of, stored_info
from robovalue_ros.data.value_store.npz import Members, Plain, read_members
from robovalue_ros.value.reference import Group
from robovalue_ros.value.scaling import Scaler

CLUSTER_FILE, SEGMENT_FILE = "cluster_centers.npz", "segment_centers.npz"
CLUSTER_SCHEMA, SEGMENT_SCHEMA = 4, 2
LAST_PICKLED = {CLUSTER_FILE: 3, SEGMENT_FILE: 1}

ByTask = Mapping[str, Mapping[str, Group]]
SegmentsByTask = Mapping[str, Mapping[str, Sequence[Group]]]


@dataclass(frozen=True, slots=True)
class CentersAbout:
    """What centres were made from: ids, configuration and reference episodes."""

    embed_cfg_id: str
    cfg_id: str
    cfg: Mapping[str, Any]
    success_ref_sig: str
    success_ref_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ClusterCenters:
    """groups: task -> key -> centres of the last prefix."""

    groups: Mapping[str, Mapping[str, Group]]
    about: CentersAbout


@dataclass(frozen=True, slots=True, eq=False)
class SegmentCenters:
    """groups: task -> key -> centres of every segment, in order."""

    groups: Mapping[str, Mapping[str, tuple[Group, ...]]]
    about: CentersAbout


def write_cluster_centers(path: Path, groups: ByTask, about: CentersAbout) -> None:
    """Write the centres of progress_warp atomically."""
    listed = {task: {key: [g] for key, g in keys.items()} for task, keys in groups.items()}
    _write(path, listed, about, "centers", CLUSTER_SCHEMA, segmented=False)


def write_segment_centers(path: Path, groups: SegmentsByTask, about: CentersAbout) -> None:
    """Write the centres of segment_match50 atomically."""
    _write(path, groups, about, "segment_centers", SEGMENT_SCHEMA, segmented=True)


def read_cluster_centers(path: Path) -> ClusterCenters:
    """Read the centres of progress_warp. Raises DataError for damaged and for pickled files."""
    groups, about = _read(path, "centers", CLUSTER_SCHEMA, segmented=False)
    single = {task: {key: g[0] for key, g in keys.items()} for task, keys in groups.items()}
    return ClusterCenters(single, about)


def read_segment_centers(path: Path) -> SegmentCenters:
    """Read the centres of segment_match50. Raises DataError for damaged and for pickled files."""
    groups, about = _read(path, "segment_centers", SEGMENT_SCHEMA, segmented=True)
    return SegmentCenters(groups, about)


def quoted(task: str) -> str:
    """Return a task name that is safe as one part of a key."""
    special = "%/\\\x7f"
    return "".join(f"%{ord(c):02X}" if c in special or c < " " else c for c in task)


def _write(
    path: Path,
    groups: SegmentsByTask,
    about: CentersAbout,
    prefix: str,
    schema: int,
    *,
    segmented: bool,
) -> None:
    arrays: dict[str, Any] = {
        "schema_version": np.int32(schema), "embed_cfg_id": about.embed_cfg_id,
        f"{prefix}_cfg_id": about.cfg_id,
        f"{prefix}_cfg": json.dumps(dict(about.cfg), sort_keys=True),
        "success_ref_sig": about.success_ref_sig,
        "success_ref_ids": np.array(about.success_ref_ids, np.str_),
    }  # fmt: skip
    info: dict[str, dict[str, Any]] = {}
    for task in sorted(groups):
        for key in sorted(groups[task]):
            require("/" not in key, "key", "a key of a group", key)
            parts = groups[task][key]
            require(len(parts) > 0, "groups", "at least one group per key", f"none for {key}")
            for place, group in enumerate(parts):
                arrays |= _arrays(_where(task, key, place, segmented), group)
            entries = [
                stored_info(part.info) | ({"seg_idx": n} if segmented else {})
                for n, part in enumerate(parts)
            ]
            info.setdefault(task, {})[key] = entries if segmented else entries[0]
    arrays["info"] = json.dumps(info, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_arrays(path, arrays)


def _where(task: str, key: str, place: int, segmented: bool) -> str:
    return f"{quoted(task)}/{key}/{place}" if segmented else f"{quoted(task)}/{key}"


def _arrays(where: str, group: Group) -> dict[str, Plain]:
    arrays: dict[str, Plain] = {
        f"centers/{where}": group.centres_CD,
        f"scaler/{where}/mean": group.scaler.mean,
        f"scaler/{where}/std": group.scaler.std,
        f"scaler/{where}/l2_normalize": np.asarray(group.scaler.l2, np.int32),
    }
    if not np.array_equal(group.likelihood_std, group.scaler.std):
        arrays[f"likelihood_std/{where}"] = group.likelihood_std
    return arrays


def refuse_pickles(members: Members) -> None:
    """Raise DataError where a file holds pickled objects, naming the way to move it over."""
    if members.pickled:
        names = ", ".join(sorted(members.pickled))
        raise DataError(
            members.path, f"holds pickled objects ({names}) as files of today's tools do",
            "plain arrays",
            "If you made this file, move it over once with "
            "robovalue_ros.data.value_store.migrate.migrate_pickled_centers(path, trust=True), "
            "or delete it and fit again.",
        )  # fmt: skip


def about_of(members: Members, prefix: str) -> CentersAbout:
    """Return ids, configuration and references of a centres file, old or new."""
    return CentersAbout(
        members.text("embed_cfg_id"), members.text(f"{prefix}_cfg_id"),
        members.mapping(f"{prefix}_cfg"), members.text("success_ref_sig"),
        members.texts("success_ref_ids"),
    )  # fmt: skip


def _read(
    path: Path, prefix: str, schema: int, *, segmented: bool
) -> tuple[dict[str, dict[str, tuple[Group, ...]]], CentersAbout]:
    members = read_members(path)
    refuse_pickles(members)
    version = members.integer("schema_version")
    if version != schema:
        raise DataError(path, f"has schema_version {version}", f"{schema}", "Fit again.")
    info = members.mapping("info")
    groups: dict[str, dict[str, tuple[Group, ...]]] = {}
    for task, keys in info.items():
        if not isinstance(keys, dict) or not keys:
            raise DataError(path, f"info of task {task!r} is {keys!r}", "a JSON object")
        for key, entry in keys.items():
            entries = entry if segmented else [entry]
            if not isinstance(entries, list) or not entries:
                raise DataError(path, f"info of {task!r}, {key} is no list", "one per segment")
            groups.setdefault(task, {})[key] = tuple(
                _group(members, _where(task, key, place, segmented), part)
                for place, part in enumerate(entries)
            )
    _check_complete(members, groups)
    return groups, about_of(members, prefix)


def _check_complete(members: Members, groups: Mapping[str, Mapping[str, Sequence[Group]]]) -> None:
    """Raise DataError when there are centres that `info` does not list."""
    listed = sum(len(parts) for keys in groups.values() for parts in keys.values())
    held = [name for name in members.arrays if name.startswith("centers/")]
    if len(held) != listed:
        tasks = sorted({unquote(name.split("/")[1]) for name in held})
        raise DataError(
            members.path, f"holds {len(held)} groups of centres, of tasks {', '.join(tasks)}",
            f"the {listed} that info lists",
        )  # fmt: skip


def _group(members: Members, where: str, entry: Any) -> Group:
    spread = f"likelihood_std/{where}"
    std = members.floats(f"scaler/{where}/std", 1)
    return built_group(
        members.path, where, members.floats(f"centers/{where}", 2),
        members.floats(f"scaler/{where}/mean", 1), std,
        bool(members.integer(f"scaler/{where}/l2_normalize")),
        members.floats(spread, 1) if spread in members.arrays else std, entry,
    )  # fmt: skip


def built_group(
    path: Path,
    where: str,
    centres_CD: Plain,
    mean_D: Plain,
    std_D: Plain,
    l2: bool,
    likelihood_std_D: Plain,
    entry: Any,
) -> Group:
    """Build a group from stored parts. Raises DataError when they do not fit together."""
    width = centres_CD.shape[1:]
    fitting = len(centres_CD) > 0 and {mean_D.shape, std_D.shape, likelihood_std_D.shape} == {width}
    if not fitting or not (std_D > 0).all() or not (likelihood_std_D > 0).all():
        raise DataError(
            path, f"centres and scaler of {where} do not fit together",
            "at least one centre, one mean and one positive spread per dimension",
        )  # fmt: skip
    try:
        info = info_of(entry, l2, len(centres_CD))
        return Group(centres_CD, Scaler(mean_D, std_D, l2), likelihood_std_D, info)
    except ContractError as problem:
        raise DataError(path, f"info of {where}: {problem}") from problem

"""A plan in its folder: one line of JSON, and an archive of three arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.types import Array, SamplingPlan
from robovalue_ros.data.atomic import write_bytes, write_text
from robovalue_ros.data.plain_npz import packed_arrays, parse_arrays
from robovalue_ros.data.plan_files.places import ARRAYS, META, PlanPlaces, plan_places
from robovalue_ros.plans.checks import check_arrays, check_hash
from robovalue_ros.plans.document import ARRAYS as KINDS
from robovalue_ros.plans.document import canonical_json, plan_arrays, sealed

MAX_META, MAX_ARRAYS = 1 << 28, 1 << 34


@dataclass(frozen=True, slots=True, eq=False)
class StoredPlan:
    """A plan as it was found on disk. arrays: by name, in the types of the file."""

    places: PlanPlaces
    plan: SamplingPlan
    arrays: Mapping[str, Array]

    @property
    def meta(self) -> Mapping[str, Any]:
        return self.plan.meta


def write_plan(folder: Path, plan: SamplingPlan, created_at_utc: str) -> StoredPlan:
    """Write a plan into a folder and return it as stored, with time and hash.

    Each file appears whole. Whoever reads between both finds arrays that its document does not
    name, and is refused.
    """
    arrays = plan_arrays(plan)
    content = packed_arrays(arrays)
    meta = sealed(plan, content, created_at_utc)
    places = PlanPlaces(folder / META, folder / ARRAYS)
    write_bytes(places.arrays, content)
    write_text(places.meta, canonical_json(meta))
    stored = SamplingPlan(plan.anchors, plan.weights, plan.stages, meta)
    return StoredPlan(places, stored, arrays)


def read_plan(path: Path, *, verify_sha256: bool = True, compat: bool = False) -> StoredPlan:
    """Read a plan from its folder or one of its files, checked as `plans.checks` says.

    The hash is that of the files as they are found. Raises PlanError and PlanNotFound in the words
    of older tools, and DataError for a file that cannot be read.
    """
    places = plan_places(path)
    meta = _read_meta(places.meta)
    content = _read(places.arrays, MAX_ARRAYS)
    if verify_sha256:
        check_hash(meta, content, str(places.meta))
    arrays = parse_arrays(places.arrays, content, KINDS.__contains__, max_bytes=MAX_ARRAYS)
    for name in KINDS:
        if name not in arrays:
            raise DataError(places.arrays, f"lacks {name}", f"the arrays {', '.join(KINDS)}")
    anchors, stages, weights = (arrays[name] for name in KINDS)
    check_arrays(anchors, stages, weights, compat)
    return StoredPlan(places, SamplingPlan(anchors, weights, stages, meta), arrays)


def _read_meta(path: Path) -> dict[str, Any]:
    try:
        meta = json.loads(_read(path, MAX_META))
    except (ValueError, RecursionError) as problem:
        reason = str(problem)[:200]
        raise DataError(path, f"is no JSON: {reason}", "the document of a plan") from problem
    if not isinstance(meta, dict):
        raise DataError(path, f"holds a {type(meta).__name__}", "a JSON object")
    return meta


def _read(path: Path, limit: int) -> bytes:
    try:
        if path.stat().st_size > limit:
            raise DataError(path, "is too large", f"at most {limit} bytes")
        return path.read_bytes()
    except OSError as problem:
        raise DataError(path, problem.strerror or str(problem), "a readable file") from problem

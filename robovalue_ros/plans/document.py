"""The one text of a plan's document, and the hashes that name a plan."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.types import SamplingPlan

HASH, CONTENT_HASH, CREATED = "plan_sha256", "content_sha256", "created_at_utc"
# Two builds of one plan differ in these: when they were made, and by which libraries.
PASSING = (HASH, CONTENT_HASH, CREATED, "dataset_fingerprint")
ARRAYS: dict[str, np.dtype[Any]] = {
    "anchor_indices": np.dtype("<i8"),
    "stage_ids": np.dtype("<i4"),
    "weights": np.dtype("<f4"),
}


def canonical_json(meta: Mapping[str, Any]) -> str:
    """Return the one text of a document that hashes are made of: sorted, without blanks."""
    return json.dumps(meta, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def plan_sha256(meta: Mapping[str, Any], arrays: bytes) -> str:
    """Return the hash of a stored plan: of its document, and its file of arrays byte by byte."""
    return _sha256(_without(meta, (HASH,)), arrays).hexdigest()


def content_sha256(meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return a hash that all builds of one plan share, whenever and with whichever libraries.

    arrays: those of `plan_arrays`.
    """
    digest = _sha256(_without(meta, PASSING), b"")
    for name, kind in ARRAYS.items():
        values = np.ascontiguousarray(arrays[name], kind)
        digest.update(f"\n{name} {kind.str} {len(values)}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def _without(meta: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in meta.items() if key not in names}


def _sha256(meta: Mapping[str, Any], more: bytes) -> hashlib._Hash:
    # A damaged text may hold half a character; it is hashed as found, and will not match.
    digest = hashlib.sha256(canonical_json(meta).encode("utf-8", "surrogatepass"))
    digest.update(more)
    return digest


def plan_arrays(plan: SamplingPlan) -> dict[str, NDArray[Any]]:
    """Return the arrays of a plan as they are stored, in order and type."""
    return stored_arrays(plan.anchors, plan.stages, plan.weights)


def stored_arrays(
    anchors: NDArray[Any], stages: NDArray[Any], weights: NDArray[Any]
) -> dict[str, NDArray[Any]]:
    """Return anchors, stages and weights (N,) as they are stored."""
    given = (anchors, stages, weights)
    return {
        name: np.asarray(values).astype(kind)
        for (name, kind), values in zip(ARRAYS.items(), given, strict=True)
    }


def sealed(plan: SamplingPlan, arrays: bytes, created_at_utc: str) -> dict[str, Any]:
    """Return the document of a plan whose file of arrays is `arrays`, ready to be stored.

    created_at_utc: as 2025-01-31T12:00:00.
    """
    meta = {**plan.meta, CREATED: created_at_utc}
    return {**meta, HASH: plan_sha256(meta, arrays)}

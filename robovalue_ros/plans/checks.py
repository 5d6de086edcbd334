"""Whether a plan is whole, and whether it fits what it is used for; the texts are those of old."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.plans.document import ARRAYS, CONTENT_HASH, HASH, content_sha256, plan_sha256
from robovalue_ros.plans.errors import PlanError
from robovalue_ros.plans.exposure import effective_samples
from robovalue_ros.plans.meta import weight_stats

REQUIRED = (
    "plan_version", "repo_id", "dataset_fingerprint", "dataset_len", "num_episodes_keep",
    "episodes_keep", "plan_seed", "sampler_seed", "replacement", "action_horizon_H", "batch_size",
    "anchor_strategy", "stage_strategy", "weight_strategy", "gripper_event", "plan_sha256",
    "summary",
)  # fmt: skip
# Weights are stored in single precision, the summary is made of double.
SLACK = 1e-5


def check_hash(meta: Mapping[str, Any], arrays: bytes, where: str) -> None:
    """Raise `PlanError` unless a document names this file of arrays. where: the document's path."""
    expected = meta.get(HASH)
    if not expected:
        raise PlanError(f"Plan meta missing plan_sha256: {where}")
    computed = plan_sha256(meta, arrays)
    if expected != computed:
        raise PlanError(f"Plan sha256 mismatch: expected={expected}, computed={computed}")


def check_arrays(
    anchors: NDArray[Any], stages: NDArray[Any], weights: NDArray[Any], compat: bool = False
) -> None:
    """Raise `PlanError` unless anchors, stages and weights make a plan, in the order of old.

    Without compat, weights that are all zero, rows below 0 and stages below 0 are refused as well.
    """
    named = dict(zip(ARRAYS, (anchors, stages, weights), strict=True))
    for name, values in named.items():
        if np.ndim(values) != 1:
            raise PlanError(f"{name} must be 1D.")
    if not len(anchors) == len(stages) == len(weights):
        raise PlanError(
            f"Plan arrays length mismatch: anchors={len(anchors)}, stages={len(stages)}, "
            f"weights={len(weights)}"
        )
    if len(anchors) == 0:
        raise PlanError("Plan has zero anchors.")
    for name in ("anchor_indices", "stage_ids"):
        if named[name].dtype.kind not in "iu":
            raise PlanError(f"{name} must be integer dtype.")
    if weights.dtype.kind != "f":
        raise PlanError("weights must be floating dtype.")
    if not np.isfinite(weights).all():
        raise PlanError("weights contain non-finite values.")
    if (weights < 0).any():
        raise PlanError("weights must be non-negative.")
    if compat:
        return
    if not (weights > 0).any():
        raise PlanError("weights are all zero.")
    if int(anchors.min()) < 0 or int(stages.min()) < 0:
        raise PlanError("anchor_indices and stage_ids must be non-negative.")


def check_fields(meta: Mapping[str, Any]) -> None:
    """Raise `PlanError` that lists the fields which a document lacks."""
    missing = [name for name in REQUIRED if name not in meta]
    if missing:
        raise PlanError(f"Missing meta fields: {missing}")


def check_count(anchors: int, least: int) -> None:
    """Raise `PlanError` where a plan has fewer anchors than asked for."""
    if anchors < least:
        raise PlanError(f"anchors={anchors} < check_min_anchors={least}")


def plan_figures(arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the arrays of a plan say: anchors, stage counts, weights and ESS."""
    stages, weights = arrays["stage_ids"], arrays["weights"].astype(np.float64)
    strategy = meta.get("stage_strategy")
    count = strategy.get("num_stages_K", 0) if isinstance(strategy, Mapping) else 0
    return {
        "num_anchors": len(stages),
        "stage_counts": np.bincount(stages, minlength=int(count)).tolist(),
        "weight_stats": weight_stats(weights),
        "ESS_reference": effective_samples(weights),
    }


def check_content(meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise `PlanError` where arrays are not those of a document's summary or content hash.

    Documents of older tools have no content hash.
    """
    expected = meta.get(CONTENT_HASH)
    if expected is not None:
        computed = content_sha256(meta, arrays)
        if expected != computed:
            raise PlanError(f"Plan content mismatch: expected={expected}, computed={computed}")
    rows = meta.get("dataset_len")
    if isinstance(rows, int) and int(arrays["anchor_indices"].max()) >= rows:
        raise PlanError("Sampling plan anchor_indices out of range for dataset.")
    told = meta.get("summary")
    if isinstance(told, Mapping):
        for name, found in plan_figures(arrays, meta).items():
            if name in told and not _agree(told[name], found):
                raise PlanError(f"Plan summary mismatch: {name}={told[name]}, computed={found}")


def _agree(told: Any, found: Any) -> bool:
    if isinstance(found, dict):
        same = isinstance(told, Mapping) and set(told) == set(found)
        return same and all(_agree(told[key], value) for key, value in found.items())
    if isinstance(found, float):
        return isinstance(told, int | float) and abs(told - found) <= SLACK * abs(found)
    return bool(told == found)


def check_match(
    meta: Mapping[str, Any],
    anchors: NDArray[Any],
    *,
    repo_id: str,
    rows: int,
    horizon: int,
    fingerprint: str = "",
    data_sha256: str = "",
) -> None:
    """Raise `PlanError` where a plan is of other data or of another model.

    Fingerprints and hashes of data are compared where both sides have one. Equal data under another
    fingerprint are the same data: the library that makes fingerprints has changed.
    """
    if meta.get("repo_id") != repo_id:
        raise PlanError(
            f"Sampling plan repo_id mismatch: plan={meta.get('repo_id')} config={repo_id}"
        )
    if meta.get("dataset_len") != rows:
        raise PlanError(
            f"Sampling plan dataset_len mismatch: plan={meta.get('dataset_len')} dataset={rows}"
        )
    if meta.get("action_horizon_H") != horizon:
        raise PlanError(
            "Sampling plan action_horizon_H mismatch: "
            f"plan={meta.get('action_horizon_H')} model={horizon}"
        )
    planned, data = meta.get("dataset_fingerprint"), meta.get("data_sha256")
    if data and data_sha256:
        if data != data_sha256:
            raise PlanError(
                f"Sampling plan data_sha256 mismatch: plan={data} dataset={data_sha256}"
            )
    elif planned and fingerprint and planned != fingerprint:
        raise PlanError(
            f"Sampling plan dataset_fingerprint mismatch: plan={planned} dataset={fingerprint}"
        )
    if len(anchors) and (int(anchors.min()) < 0 or int(anchors.max()) >= rows):
        raise PlanError("Sampling plan anchor_indices out of range for dataset.")

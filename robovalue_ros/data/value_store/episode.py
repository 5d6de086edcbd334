"""The values of one recording: `episode_values/<file name>.npz`, written once and whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.validate import FrozenMapping, require
from robovalue_ros.data.plain_npz import write_arrays
from robovalue_ros.data.value_store.episode_keys import (
    CAMERAS,
    FRAMES,
    MAY_BE_NAN,
    SCORING_CFG,
    SCORING_CFG_ID,
    SPARSE,
    ValueMethod,
    as_stored,
    scalars_of,
)
from robovalue_ros.data.value_store.ids import cfg_id
from robovalue_ros.data.value_store.npz import Members, read_members
from robovalue_ros.value.config import ProgressConfig, SegmentConfig
from robovalue_ros.value.progress_method import ProgressCurve
from robovalue_ros.value.segment_method import SegmentCurve

DISTANCE_SPACE = "standardized"
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recording:
    """Where a curve comes from. trim_start, trim_end: kept raw frames, both included."""

    source: str
    trim_start: int
    trim_end: int

    def __post_init__(self) -> None:
        span = f"{self.trim_start}..{self.trim_end}"
        require(0 <= self.trim_start <= self.trim_end, "trim", "0 <= start <= end", span)

    @property
    def length(self) -> int:
        return self.trim_end - self.trim_start + 1


@dataclass(frozen=True, slots=True, eq=False)
class EpisodeValues:
    """A stored episode; arrays are read-only.

    values, distances: (T,) float32. by_camera: distances of `high` and `wrist` where they were
    fused as distances. sparse: per matched window (K,), under the stored names. meta: every
    scalar under its stored name, float32 numbers as numpy.float32. scoring_cfg: what the values
    depend on; None in files of today's tools.
    """

    method: ValueMethod
    values: Floats
    distances: Floats
    meta: Mapping[str, Any]
    by_camera: Mapping[str, Floats] = field(default_factory=dict)
    sparse: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    scoring_cfg: Mapping[str, Any] | None = None


def write_progress_values(
    path: Path,
    curve: ProgressCurve,
    recording: Recording,
    config: ProgressConfig,
    *,
    embed_cfg_id: str,
    centers_cfg_id: str,
    warp_cfg_id: str,
    scoring_cfg: Mapping[str, Any] | None = None,
) -> None:
    """Write a curve of progress_warp atomically.

    scoring_cfg: see `ids.scoring_cfg`; without it the file has exactly the keys of today's.
    """
    arrays: dict[str, Any] = {
        CAMERAS[name]: _frames(name, row, recording) for name, row in curve.by_camera.items()
    }
    options = asdict(config) | {
        "distance_space": DISTANCE_SPACE, "embed_cfg_id": embed_cfg_id,
        "centers_cfg_id": centers_cfg_id,
        "warp_cfg_id": warp_cfg_id if config.warp_enable else "",
        "norm_min": curve.sigmoid.low, "norm_max": curve.sigmoid.high,
        "norm_scope_used": curve.sigmoid.scope, "timestep_stride": max(1, config.timestep_stride),
    }  # fmt: skip
    _write(path, "progress_warp", curve, recording, options, arrays, scoring_cfg)


def write_segment_values(
    path: Path,
    curve: SegmentCurve,
    recording: Recording,
    config: SegmentConfig,
    *,
    segment_centers_path: str,
    segment_centers_cfg_id: str,
    scoring_cfg: Mapping[str, Any] | None = None,
) -> None:
    """Write a curve of segment_match50 atomically; scoring_cfg as in `write_progress_values`."""
    kinds = {"i": np.int32, "f": np.float32}
    arrays = {name: np.asarray(getattr(curve, name), kinds[k]) for name, k in SPARSE.items()}
    shapes = {array.shape for array in arrays.values()}
    require(shapes == {(arrays["distance_sparse"].size,)}, "sparse", "(K,) arrays", shapes)
    options = asdict(config) | {
        "value_method": "segment_match50", "segment_centers_path": segment_centers_path,
        "segment_centers_cfg_id": segment_centers_cfg_id,
        "segment_match_window_stride": config.stride, "segment_match_radius": config.radius,
    }  # fmt: skip
    _write(path, "segment_match50", curve, recording, options, arrays, scoring_cfg)


def _frames(name: str, row_T: Any, recording: Recording) -> Floats:
    row = np.asarray(row_T, np.float32)
    require(row.shape == (recording.length,), name, f"{recording.length} frames", row.shape)
    require(bool(np.isfinite(row).all()), name, "finite numbers", "NaN or infinite values")
    return row


def _write(
    path: Path,
    method: ValueMethod,
    curve: ProgressCurve | SegmentCurve,
    recording: Recording,
    options: Mapping[str, Any],
    arrays: Mapping[str, Any],
    scoring_cfg: Mapping[str, Any] | None,
) -> None:
    scalars = dict(options) | {
        "trim_start": recording.trim_start, "trim_end": recording.trim_end,
        "t_total": recording.length, "task": curve.task, "source": recording.source,
        "is_success": curve.is_success,
    }  # fmt: skip
    content: dict[str, Any] = {
        "distance": _frames("distance", curve.distance, recording),
        "value_pred": _frames("value", curve.value, recording),
        **{name: as_stored(kind, scalars[name]) for name, kind in scalars_of(method).items()},
        **arrays,
    }
    if scoring_cfg is not None:
        content[SCORING_CFG] = json.dumps(dict(scoring_cfg), sort_keys=True)
        content[SCORING_CFG_ID] = cfg_id(scoring_cfg)
    write_arrays(path, content)


def read_values(path: Path) -> EpisodeValues:
    """Read a stored episode of either method, ours or today's.

    Raises DataError for damage and for a file whose run never came to the values.
    """
    members = read_members(path)
    if members.pickled:
        raise DataError(path, f"holds pickled objects ({', '.join(members.pickled)})", "arrays")
    method: ValueMethod = "progress_warp"
    if "value_method" in members.arrays:
        if members.text("value_method") != "segment_match50":
            name = members.text("value_method")
            raise DataError(path, f"has value_method {name!r}", "'segment_match50' or no such key")
        method = "segment_match50"
    if "value_pred" not in members.arrays:
        raise DataError(
            path, "lacks value_pred: the run that made it did not finish", "finished values",
            "Run again; the file is made anew.",
        )  # fmt: skip
    meta = {name: _scalar(members, name, kind) for name, kind in scalars_of(method).items()}
    length = meta["trim_end"] - meta["trim_start"] + 1
    distances, values = (_row(members, name, length) for name in FRAMES)
    by_camera = {
        camera: _row(members, name, length)
        for camera, name in CAMERAS.items()
        if method == "progress_warp" and name in members.arrays
    }
    sparse = _sparse(members) if method == "segment_match50" else {}
    return EpisodeValues(
        method, values, distances, FrozenMapping(meta), FrozenMapping(by_camera),
        FrozenMapping(sparse), _scoring_cfg(members),
    )  # fmt: skip


def _scalar(members: Members, name: str, kind: str) -> Any:
    if kind == "t":
        return members.text(name)
    if kind == "i":
        return members.integer(name)
    value = np.float32(members.array(name, "f", 0))
    if not np.isfinite(value) and name not in MAY_BE_NAN:
        raise DataError(members.path, f"{name} is {value}", "a finite number")
    return value


def _row(members: Members, name: str, length: int) -> Floats:
    row = members.floats(name, 1)
    if len(row) != length:
        raise DataError(members.path, f"{name} has {len(row)} frames", f"{length}, as trimmed")
    return row


def _sparse(members: Members) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        name: members.floats(name, 1) if kind == "f" else members.array(name, "i", 1)
        for name, kind in SPARSE.items()
    }
    sizes = {name: len(array) for name, array in arrays.items()}
    if len(set(sizes.values())) != 1:
        raise DataError(members.path, f"window arrays differ in length: {sizes}", "one length")
    return arrays


def _scoring_cfg(members: Members) -> Mapping[str, Any] | None:
    if SCORING_CFG not in members.arrays:
        return None
    cfg = members.mapping(SCORING_CFG)
    if cfg_id(cfg) != members.text(SCORING_CFG_ID):
        raise DataError(members.path, "scoring_cfg does not have its scoring_cfg_id", "its own id")
    return FrozenMapping(cfg)

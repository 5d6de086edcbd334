"""What a live stream would have said of one recording: `causal_values/<file name>.npz`.

One entry per recorded frame, also of those that trimming leaves out: a live stream does not know
where the motion will begin. The curve beside it in `episode_values` knows outcome and length.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import ContractError, DataError
from robovalue_ros.contracts.types import ValueCurve
from robovalue_ros.contracts.validate import describe, frozen_array, require
from robovalue_ros.data.plain_npz import write_arrays
from robovalue_ros.data.value_store.npz import Members, read_members

CAUSAL_FOLDER = "causal_values"
SCHEMA = 1
FLAGS = ("stall", "regression", "unknown", "declared")
NOT_SAID = -1
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class CausalValues:
    """A causal curve: values (T,) float64 in 0..1 at stamps_ns (T,), flags (T,) bool.

    success: what the recording says, None when it does not; the values never saw it. model_id: of
    the value model. content: what identifies the recording's frames.
    """

    values: NDArray[np.float64]
    stamps_ns: NDArray[np.int64]
    stall: Bools
    regression: Bools
    unknown: Bools
    declared: Bools
    task: str
    source: str
    success: bool | None
    model_id: str
    content: str

    def __post_init__(self) -> None:
        stamps = frozen_array("stamps_ns", self.stamps_ns, dtype=np.int64, ndim=1)
        object.__setattr__(self, "stamps_ns", stamps)
        kinds = {"values": np.float64, **dict.fromkeys(FLAGS, np.bool_)}
        for name, kind in kinds.items():
            array = frozen_array(name, getattr(self, name), dtype=kind, ndim=1)
            require(len(array) == len(stamps), name, f"{len(stamps)} entries", describe(array))
            object.__setattr__(self, name, array)
        _ = self.curve  # checks range and order

    @property
    def curve(self) -> ValueCurve:
        """The values as every consumer takes them, marked causal."""
        return ValueCurve(self.values, self.stamps_ns, causal=True, unknown=self.unknown)


def write_causal(path: Path, found: CausalValues) -> None:
    """Write a causal curve atomically; the same curve gives the same bytes."""
    success = NOT_SAID if found.success is None else int(found.success)
    arrays: dict[str, Any] = {
        "schema_version": np.int32(SCHEMA), "causal": np.int32(1),
        "values": found.values, "stamps_ns": found.stamps_ns,
        **{name: getattr(found, name) for name in FLAGS},
        "task": found.task, "source": found.source, "is_success": np.int32(success),
        "model_id": found.model_id, "content": found.content,
    }  # fmt: skip
    write_arrays(path, arrays)


def read_causal(path: Path) -> CausalValues:
    """Read a causal curve. Raises DataError for damage and for another kind of file."""
    members = read_members(path)
    version = members.integer("schema_version")
    if version != SCHEMA or "causal" not in members.arrays:
        raise DataError(path, f"is no causal curve of version {SCHEMA}", "a file of causal_values")
    success = members.integer("is_success")
    if success not in (NOT_SAID, 0, 1):
        raise DataError(path, f"is_success is {success}", "-1, 0 or 1")
    try:
        return CausalValues(
            values=members.array("values", "f", 1), stamps_ns=members.array("stamps_ns", "i", 1),
            **_flags(members), task=members.text("task"), source=members.text("source"),
            success=None if success == NOT_SAID else bool(success),
            model_id=members.text("model_id"), content=members.text("content"),
        )  # fmt: skip
    except ContractError as problem:
        raise DataError(path, f"holds no causal curve: {problem}", "values of a stream") from None


def _flags(members: Members) -> dict[str, Bools]:
    return {name: members.array(name, "b", 1) for name in FLAGS}

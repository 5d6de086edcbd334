"""Subtasks of a LeRobotDataset: the table of their texts, and the side car with one per frame."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from robovalue_ros.contracts.types import Array, Scalar
from robovalue_ros.data.atomic import atomic_path
from robovalue_ros.data.exports.layout import Layout
from robovalue_ros.data.exports.side_car import Signal, write_side_car

SUBTASKS_PATH = "meta/subtasks.parquet"
SIDE_CAR = "robovalue_subtasks.parquet"
UNLABELLED = -1


def write_subtasks(path: Path, texts: Sequence[str]) -> None:
    """Write texts in the order of their numbers, as `meta/tasks.parquet` has those of tasks.

    The texts are the index of the data frame, named subtask.
    """
    table = pa.table(
        {
            "subtask_index": pa.array(range(len(texts)), pa.int64()),
            "subtask": pa.array(list(texts), pa.string()),
        }
    )
    described = [
        _column("subtask_index", "int64", "int64"), _column("subtask", "unicode", "object")
    ]  # fmt: skip
    pandas = {
        "index_columns": ["subtask"],
        "column_indexes": [_column(None, "unicode", "object")],
        "columns": described,
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.0.0",
    }
    table = table.replace_schema_metadata({"pandas": json.dumps(pandas)})
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, write_page_checksum=True)


def write_subtask_side_car(
    path: Path,
    layout: Layout,
    subtasks: Mapping[str, Array],
    ends: Mapping[str, Array],
    *,
    provenance: Mapping[str, Scalar] | None = None,
    partial: bool = False,
) -> Path:
    """Write subtask_index (T,) and is_substep_end (T,) of episodes; returns the descriptor's path."""
    columns = [
        (
            Signal(
                "subtask_index", f"number in {SUBTASKS_PATH}, {UNLABELLED} for none", "int64",
                low=UNLABELLED,
            ),
            subtasks,
        ),
        (Signal("is_substep_end", "the last frame of a subtask", "bool"), ends),
    ]  # fmt: skip
    return write_side_car(path, layout, columns, provenance=provenance, partial=partial)


def _column(name: str | None, pandas_type: str, numpy_type: str) -> dict[str, object]:
    return {
        "name": name, "field_name": name, "pandas_type": pandas_type, "numpy_type": numpy_type,
        "metadata": None,
    }  # fmt: skip

"""The Parquet file of a scored bag: one row per frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.atomic import atomic_path
from robovalue_ros.value.stream.live import ValueSample

FLAGS = ("stall", "regression", "unknown", "declared")
# log_ns: when the bag received what completed the frame. episode, frame: counted from 0.
SCHEMA = pa.schema(
    [
        ("stamp_ns", pa.int64()), ("log_ns", pa.int64()), ("episode", pa.int32()),
        ("frame", pa.int32()), ("value", pa.float64()), *((name, pa.bool_()) for name in FLAGS),
    ]
)  # fmt: skip
ROWS = 4096
READ_ERRORS = (pa.ArrowException, OSError, ValueError, KeyError)


class ScoreTable:
    """An open table that keeps at most `ROWS` rows in memory."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self._rows: list[tuple[Any, ...]] = []

    def add(self, sample: ValueSample, log_ns: int, episode: int, frame: int) -> None:
        """Append a frame."""
        flags = (getattr(sample, name) for name in FLAGS)
        self._rows.append((sample.stamp_ns, log_ns, episode, frame, sample.value, *flags))
        if len(self._rows) >= ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is in memory."""
        if self._rows:
            columns = [list(column) for column in zip(*self._rows, strict=True)]
            self._writer.write_table(pa.table(columns, schema=SCHEMA))
            self._rows = []


@contextmanager
def score_table(path: Path, about: Mapping[str, str]) -> Iterator[ScoreTable]:
    """Yield an open table that appears at `path` when the body ends without an error.

    about: texts stored beside the rows.
    """
    schema = SCHEMA.with_metadata(dict(about))
    with atomic_path(path) as temporary:
        with pq.ParquetWriter(
            temporary, schema, write_page_checksum=True, compression="snappy"
        ) as writer:
            table = ScoreTable(writer)
            yield table
            table.flush()


def read_scores(path: Path) -> dict[str, NDArray[Any]]:
    """Return the columns of a table (N,) by name; raises DataError."""
    try:
        table = pq.read_table(path, schema=SCHEMA, page_checksum_verification=True)
        return {name: np.asarray(table.column(name).to_numpy()) for name in SCHEMA.names}
    except READ_ERRORS as problem:
        reason = (str(problem) or type(problem).__name__).splitlines()[0]
        raise DataError(path, f"cannot be read: {reason}", "a table of `bag score`") from problem

"""The log of what happened to each recording: `hdf5_to_vjepa_value_map.jsonl`.

The file only grows, across runs. A row is one write with the file open for appending, under a
lock and synced, so rows of two runs never mix and a crash can tear only the last line; that one
is repaired when the log is opened again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, get_args

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.validate import FrozenMapping, require
from robovalue_ros.data.atomic import sync_folder

ROWS_FILE = "hdf5_to_vjepa_value_map.jsonl"
Stage = Literal[
    "scan_success_len", "success_ref", "seg_success_ref", "distance", "segmatch_score", "causal"
]  # fmt: skip
Status = Literal["written", "reused", "skipped", "error"]
Reason = Literal["trim_none", "too_long", "no_windows"]
# Stages that write values; `causal` is ours alone.
SCORING = ("distance", "segmatch_score", "causal")
FIXED = ("hdf5", "stage", "status")
# What a row must say besides, by status.
NEEDS = {"written": "out_npz", "reused": "out_npz", "skipped": "reason", "error": "error"}
MODE = 0o644


@dataclass(frozen=True, slots=True)
class Row:
    """What happened to one recording in one stage.

    details: `out_npz` of written and reused values, `reason` (and `t_total` of too_long) of
    skipped ones, `error` of failed ones, and whatever else there is to say. Rows that are read
    may have stages and statuses of other tools.
    """

    hdf5: str
    stage: str
    status: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "details", FrozenMapping(self.details))

    def line(self) -> str:
        """Return the row as one line of JSON. Raises ContractError for a row nobody could read."""
        require(bool(self.hdf5), "hdf5", "the path of a recording", repr(self.hdf5))
        require(self.stage in get_args(Stage), "stage", f"one of {get_args(Stage)}", self.stage)
        require(self.status in NEEDS, "status", f"one of {tuple(NEEDS)}", self.status)
        details = dict(self.details)
        clash = [name for name in FIXED if name in details]
        require(not clash, "details", "names beside hdf5, stage and status", clash)
        # References and scans skip or fail but write nothing, so only scoring names a file.
        scored = self.stage in SCORING
        if scored or self.status in ("skipped", "error"):
            needed = NEEDS[self.status]
            require(needed in details, "details", f"{needed} of a {self.status} row", "none")
        if self.status == "skipped":
            reason = details["reason"]
            require(reason in get_args(Reason), "reason", f"one of {get_args(Reason)}", reason)
            long = reason != "too_long" or "t_total" in details
            require(long, "details", "t_total of a too_long row", "none")
        fixed = {"hdf5": self.hdf5, "stage": self.stage, "status": self.status}
        return json.dumps(fixed | details, ensure_ascii=False, allow_nan=False) + "\n"


class RowLog:
    """An open log; use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Open or create a log and repair a torn last line. Raises DataError if that fails."""
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, MODE)
        except OSError as problem:
            raise DataError(path, f"cannot be opened: {problem}", "a file to append to") from None
        sync_folder(path.parent)
        with self._locked():
            _repair(self._descriptor)

    def append(self, row: Row) -> None:
        """Add one row; it is on the disk, whole, when this returns."""
        content = row.line().encode("utf-8")
        with self._locked():
            size = os.fstat(self._descriptor).st_size
            written = 0
            try:
                written = os.write(self._descriptor, content)
                os.fsync(self._descriptor)
            except OSError as problem:
                os.ftruncate(self._descriptor, size)
                raise DataError(self._path, f"cannot be written: {problem}", "space") from problem
            if written != len(content):
                os.ftruncate(self._descriptor, size)
                raise DataError(self._path, "took only part of a row", "space on the disk")

    def close(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> RowLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)


def _repair(descriptor: int) -> None:
    """End the last line if it is whole, else cut it off; nothing else is touched."""
    size = os.fstat(descriptor).st_size
    last, start = b"", size
    while start > 0 and b"\n" not in last:
        step = min(1 << 16, start)
        start -= step
        last = os.pread(descriptor, step, start) + last
    tail = last[last.rfind(b"\n") + 1 :]
    if not tail:
        return
    if _parsed(tail) is not None:
        os.write(descriptor, b"\n")
    else:
        os.ftruncate(descriptor, size - len(tail))
    os.fsync(descriptor)


def _parsed(line: bytes) -> Row | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not all(isinstance(value.get(n), str) for n in FIXED):
        return None
    details = {name: item for name, item in value.items() if name not in FIXED}
    return Row(value["hdf5"], value["stage"], value["status"], details)


def read_rows(path: Path) -> tuple[Row, ...]:
    """Read every row, oldest first, without changing the file.

    A torn last line is left out. Raises DataError naming the line for damage anywhere else.
    """
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise DataError(path, f"cannot be read: {problem}", "a log of rows") from None
    *lines, tail = content.split(b"\n")
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = _parsed(line)
        if row is None:
            raise DataError(
                path, f"line {number} is damaged", "a JSON object with hdf5, stage and status",
                "Delete the line; the recording is then scored again.",
            )  # fmt: skip
        rows.append(row)
    last = _parsed(tail)
    return tuple(rows if last is None else [*rows, last])

"""A file of JSON lines that is written while something happens."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.atomic import sync_file, sync_folder


class LineFile:
    """Writes one JSON object per line.

    growing: the file has its name from the first line on, as one that somebody watches must; else it
    takes its name in `keep`, whole. A file that was there is replaced.
    """

    def __init__(self, path: Path, *, growing: bool = False) -> None:
        self.path = path
        self._where = path if growing else path.with_name(f".tmp-lines-{path.name}")
        self._growing = growing
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self._where.open("w", encoding="utf-8")
        except OSError as problem:
            raise DataError(path, problem.strerror or str(problem), "a writable file") from problem

    def write(self, line: Mapping[str, Any]) -> None:
        """Add a line."""
        self._stream.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
        if self._growing:
            self._stream.flush()

    def keep(self) -> None:
        """Finish the file."""
        self._stream.close()
        sync_file(self._where)
        if not self._growing:
            os.replace(self._where, self.path)
        sync_folder(self.path.parent)

    def drop(self) -> None:
        """Throw an unfinished file away; one that grew stays."""
        self._stream.close()
        if not self._growing:
            self._where.unlink(missing_ok=True)

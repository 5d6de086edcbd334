"""A hash of the numbers of a data set: the same data have the same, in whichever files they lie."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from robovalue_ros.contracts.types import Array
from robovalue_ros.contracts.validate import require

VERSION = "rows v1"


class RowsDigest:
    """Takes up columns in parts, each column in the order of the rows.

    Values count in the precision they are stored in. Pictures and tasks do not count.
    """

    def __init__(self) -> None:
        self._columns: dict[str, tuple[str, int, hashlib._Hash]] = {}
        self._rows: dict[str, int] = {}

    def add(self, name: str, values: Array) -> None:
        """Take up the next rows (n,) or (n, k) of a column."""
        plain = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        kind, width = plain.dtype.str, plain.shape[1] if plain.ndim == 2 else 1
        known = self._columns.setdefault(name, (kind, width, hashlib.sha256()))
        require(known[:2] == (kind, width), name, f"{known[1]} wide {known[0]}", f"{width} {kind}")
        known[2].update(plain.data)
        self._rows[name] = self._rows.get(name, 0) + len(plain)

    def hexdigest(self) -> str:
        """Return the hash of everything so far, whatever the order of columns."""
        columns = {
            name: [kind, width, self._rows[name], digest.hexdigest()]
            for name, (kind, width, digest) in self._columns.items()
        }
        text = json.dumps([VERSION, columns], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()

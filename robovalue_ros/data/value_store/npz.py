"""What the archives of the value store hold: named members with their types, or an error.

Today's files hold pickled objects beside plain arrays; their bytes are handed on unopened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.plain_npz import UNREADABLE, members

Plain = NDArray[Any]
# Declared sizes beyond this are a damaged or hostile header, not a value file.
LARGEST_FILE = 1 << 33


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """What an archive holds; each accessor raises DataError naming the file and the member.

    arrays: plain arrays, read-only. pickled: the bytes of members that hold pickled objects.
    """

    path: Path
    arrays: Mapping[str, Plain]
    pickled: Mapping[str, bytes] = field(default_factory=dict)

    def array(self, name: str, kinds: str, ndim: int) -> Plain:
        """Return an array of one of the dtype `kinds` with `ndim` axes."""
        if name not in self.arrays:
            raise DataError(self.path, f"lacks {name}", "an array of that name")
        array = self.arrays[name]
        if array.dtype.kind not in kinds or array.ndim != ndim:
            raise DataError(
                self.path, f"{name} is a {array.dtype} array of shape {array.shape}",
                f"{ndim} axes and a dtype of kind {' or '.join(kinds)}",
            )  # fmt: skip
        return array

    def floats(self, name: str, ndim: int) -> NDArray[np.float32]:
        """Return a float32 array of finite numbers."""
        array = np.asarray(self.array(name, "f", ndim), np.float32)
        if not np.isfinite(array).all():
            raise DataError(self.path, f"{name} holds NaN or infinite values", "finite numbers")
        array.flags.writeable = False
        return array

    def text(self, name: str) -> str:
        return str(self.array(name, "U", 0))

    def integer(self, name: str) -> int:
        return int(self.array(name, "biu", 0))

    def texts(self, name: str) -> tuple[str, ...]:
        # An empty list of texts has no dtype of its own and was stored as floats.
        if name in self.arrays and self.arrays[name].shape == (0,):
            return ()
        return tuple(str(text) for text in self.array(name, "U", 1))

    def mapping(self, name: str) -> dict[str, Any]:
        """Return the JSON object that a text holds."""
        try:
            value = json.loads(self.text(name))
        except (ValueError, RecursionError) as problem:
            raise DataError(self.path, f"{name} is not JSON: {problem}", "a JSON object") from None
        if not isinstance(value, dict):
            raise DataError(self.path, f"{name} is a {type(value).__name__}", "a JSON object")
        return value


def read_members(path: Path) -> Members:
    """Read every member of an archive. Raises DataError when anything is damaged."""
    arrays: dict[str, Plain] = {}
    pickled: dict[str, bytes] = {}
    try:
        with path.open("rb") as stream:
            for member in members(stream, lambda _: True, LARGEST_FILE):
                if member.is_pickled:
                    pickled[member.name] = member.payload
                else:
                    arrays[member.name] = member.array()
    except FileNotFoundError:
        raise DataError(path, "is absent", "a value file") from None
    except (OSError, *UNREADABLE) as problem:
        reason = str(problem) or type(problem).__name__
        raise DataError(
            path, f"is damaged: {reason}", "a complete archive of arrays",
            "Delete the file and run again; it is made anew.",
        ) from problem  # fmt: skip
    return Members(path, arrays, pickled)

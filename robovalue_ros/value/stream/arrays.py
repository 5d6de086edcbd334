"""Named plain arrays in and out: what a value model is on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.contracts.validate import describe, frozen_array, require

Arrays = Mapping[str, NDArray[np.generic]]


def take(arrays: Arrays, name: str, kinds: str) -> NDArray[np.generic]:
    """Return one array, read-only; raises ContractError when it is absent or of another kind."""
    if name not in arrays:
        raise ContractError("value model", f"an array {name!r}", "missing", "Is it another file?")
    array = np.asarray(arrays[name])
    require(array.dtype.kind in kinds, name, f"an array of kind {kinds}", describe(array))
    return array if array.dtype.kind == "U" else frozen_array(name, array)


def take_numbers(arrays: Arrays, name: str, fields: tuple[str, ...]) -> dict[str, float]:
    """Return the numbers (len(fields),) of one array under their names."""
    numbers = take(arrays, name, "f")
    require(numbers.shape == (len(fields),), name, f"{len(fields)} numbers", describe(numbers))
    return dict(zip(fields, map(float, numbers), strict=True))


def take_texts(arrays: Arrays, name: str) -> tuple[str, ...]:
    """Return the texts of one array."""
    return tuple(str(text) for text in np.atleast_1d(take(arrays, name, "U")))


def digest(arrays: Arrays) -> str:
    """Return 16 hexadecimal digits that stand for names, types, shapes and content."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype.str} {array.shape}".encode())
        total.update(array.tobytes())
    return total.hexdigest()[:16]

"""One immutable file of vectors: written whole, named by its content, verified when read.

A part is an npz of plain arrays: keys (N, 32) uint8, ascending and unique; vectors (N, D)
float32; about, a JSON text for people; sha256 (32,) uint8 of all that. The same content has the
same bytes and the same name, so two writers of one part cannot disagree.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.atomic import atomic_path
from robovalue_ros.data.embedding_cache.keys import DIGEST
from robovalue_ros.data.plain_npz import read_arrays

Digests = NDArray[np.bytes_]
Vectors = NDArray[np.float32]

PART_BYTES = 32 << 20
"""How large the keys and vectors of a part may become."""
PART_NAME = re.compile(r"part-[0-9a-f]{64}\.npz")
_NAMES = {"keys", "vectors", "about", "sha256"}


class Part(NamedTuple):
    """Verified content: digests (N,) ascending and unique, vectors (N, D)."""

    digests: Digests
    vectors: Vectors
    about: str

    @property
    def nbytes(self) -> int:
        return int(self.digests.nbytes + self.vectors.nbytes)


def rows_per_part(dim: int) -> int:
    """Return how many vectors of `dim` numbers one part holds at most."""
    return max(1, PART_BYTES // (4 * dim + 32))


def merged(digests_N: Digests, vectors_ND: Vectors) -> tuple[Digests, Vectors]:
    """Sort by key and keep one vector per key.

    Where one key has several vectors (an encoder that is not exact to the bit), the one whose
    bytes sort first stays: a rule that does not depend on who wrote when, so merging in any
    order and any grouping ends with the same.
    """
    order = np.argsort(digests_N, kind="stable")
    digests, vectors = digests_N[order], vectors_ND[order]
    first = np.ones(len(digests), bool)
    first[1:] = digests[1:] != digests[:-1]
    if first.all():
        return digests, vectors
    starts = np.flatnonzero(first)
    kept = starts.copy()
    for group in np.flatnonzero(np.diff(np.append(starts, len(digests))) > 1):
        stop = starts[group + 1] if group + 1 < len(starts) else len(digests)
        kept[group] = min(range(starts[group], stop), key=lambda row: vectors[row].tobytes())
    return digests[kept], vectors[kept]


def write_part(folder: Path, part: Part) -> Path:
    """Write a merged part and return its path; an equal part, also a damaged one, is replaced."""
    keys = np.ascontiguousarray(part.digests).view(np.uint8).reshape(-1, 32)
    vectors = np.ascontiguousarray(part.vectors, "<f4")
    about = np.frombuffer(part.about.encode("utf-8"), np.uint8)
    digest = _checksum(keys, vectors, about)
    path = folder / f"part-{digest.hex()}.npz"
    with atomic_path(path) as temporary:
        np.savez(
            temporary, keys=keys, vectors=vectors, about=about,
            sha256=np.frombuffer(digest, np.uint8),
        )  # fmt: skip
    return path


def read_part(path: Path, dim: int | None = None) -> Part:
    """Return the content of a part whose checksum fits; DataError when anything is off."""
    # Keys and vectors fill PART_BYTES at most; as much again for `about` is more than enough.
    arrays = read_arrays(path, _NAMES.__contains__, max_bytes=2 * PART_BYTES)
    if set(arrays) != _NAMES:
        raise DataError(path, f"damaged (holds only {sorted(arrays)})")
    keys, vectors, about = arrays["keys"], arrays["vectors"], arrays["about"]
    fits = (
        keys.dtype == np.uint8 and keys.ndim == 2 and keys.shape[1] == 32
        and vectors.dtype == np.dtype("<f4") and vectors.ndim == 2 and len(vectors) == len(keys)
        and about.dtype == np.uint8 and about.ndim == 1
    )  # fmt: skip
    if not fits or _checksum(keys, vectors, about) != arrays["sha256"].tobytes():
        raise DataError(path, "damaged (its checksum does not fit its content)")
    if dim is not None and vectors.shape[1] != dim:
        raise DataError(path, f"vectors of {vectors.shape[1]} numbers", f"{dim}")
    digests: Digests = np.ascontiguousarray(keys).view(DIGEST)[:, 0]
    if len(digests) == 0 or not bool(np.all(digests[1:] > digests[:-1])):
        raise DataError(path, "damaged (its keys are not in order)")
    if not bool(np.isfinite(vectors).all()):
        raise DataError(path, "damaged (vectors that are not finite)")
    return Part(digests, vectors, about.tobytes().decode("utf-8", "replace"))


def _checksum(keys: NDArray[np.uint8], vectors: Vectors, about: NDArray[np.uint8]) -> bytes:
    digest = hashlib.sha256(f"part v1\0{keys.shape}{vectors.shape}{about.shape}\0".encode())
    for array in (keys, vectors, about):
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()

"""Which frames are anchors: every S-th start, from a first one that the seed and the episode fix."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.plans.errors import PlanError
from robovalue_ros.plans.ragged import Bools, Ints


def stable_hash(text: str) -> int:
    """Return 64 bits of a text's SHA-256, the same on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode("ascii")).digest()[:8], "little")


def episode_hashes(plan_seed: int, ids: Iterable[int]) -> NDArray[np.uint64]:
    """Return the hash (E,) of each episode under a seed."""
    return np.array([stable_hash(f"{plan_seed}:{number}") for number in ids], np.uint64)


def offsets(hashes: NDArray[np.uint64], stride: int) -> Ints:
    """Return the frame (E,) that anchors of each episode are counted from."""
    return (hashes % np.uint64(stride)).astype(np.int64)


def strided(
    frames: Ints, episodes: NDArray[np.int32], hashes: NDArray[np.uint64], stride: int, least: int
) -> tuple[Bools, int]:
    """Return which starts are anchors, (M,), and the stride that gave them.

    frames, episodes (M,): frame of each start and its index into hashes (E,). The stride is halved
    while it gives fewer than `least`; PlanError where even 1 does.
    """
    if stride <= 0:
        raise PlanError("--stride_S must be positive.")
    while True:
        chosen = (frames - offsets(hashes, stride)[episodes]) % stride == 0
        found = int(np.count_nonzero(chosen))
        if found >= max(1, least):
            return chosen, stride
        if stride == 1:
            raise PlanError(
                f"Not enough anchors for one batch: anchors={found}, required>={max(1, least)}. "
                "Try smaller stride or more demos."
            )
        stride = max(1, stride // 2)

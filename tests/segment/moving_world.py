"""Pictures that say how far everything has moved, and trackers that read it off exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.types import Frame

STEP_NS = 50_000_000
SIZE = (24, 32)


def picture(place: int) -> NDArray[np.uint8]:
    """Return a picture of a world that stands at `place` (0..65535)."""
    image = np.full((*SIZE, 3), 40, np.uint8)
    image[:, place % SIZE[1]] = 200
    image[0, 0] = (place // 256, place % 256, 7)
    return image


def frames(places: Sequence[int], step_ns: int = STEP_NS) -> list[Frame]:
    return [Frame(t * step_ns, {"cam": picture(place)}) for t, place in enumerate(places)]


def walk(moves: Sequence[int], rng: np.random.Generator, length: int = 12) -> list[int]:
    """Return places: for each entry `length` frames that move by about so much each."""
    steps = [
        int(rng.integers(move, move + 2)) if move else 0 for move in moves for _ in range(length)
    ]
    return (np.cumsum([100, *steps]) % 65536).tolist()


@dataclass
class WorldSteps:
    """A step tracker of this world.

    prepared: which places it was asked to work up, in order. stepped: how many points it was
    asked for, call by call.
    """

    prepared: list[int] = field(default_factory=list)
    stepped: list[int] = field(default_factory=list)

    def prepare(self, image: NDArray[np.uint8]) -> int:
        place = int(image[0, 0, 0]) * 256 + int(image[0, 0, 1])
        self.prepared.append(place)
        return place

    def step(
        self, before: int, after: int, points_xy: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Points on the left go right, all others down: every point is lost when it leaves."""
        self.stepped.append(len(points_xy))
        moved = points_xy.copy()
        left = points_xy[:, 0] < SIZE[1] / 2
        moved[left, 0] += (after - before) / 16
        moved[~left, 1] += (after - before) / 8
        return moved, (moved[:, 1] < SIZE[0]) & (moved[:, 0] < SIZE[1])


@dataclass(frozen=True)
class Tokens:
    prequant: NDArray[np.float32]
    quantized: NDArray[np.float32]
    codes: NDArray[np.int64]


class SumEncoder:
    """A tokenizer whose tokens name the window: sums of velocities, and codes made of them."""

    def encode(self, velocity: NDArray[np.float32]) -> Tokens:
        sums = velocity.sum(axis=1)
        return Tokens(sums, np.round(sums, 1), np.rint(sums[:, 0] * 1000).astype(np.int64))

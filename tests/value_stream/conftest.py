"""A toy task drawn with numpy: a grey hand fetches a red thing and brings it to a yellow spot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from robovalue_ros.contracts.types import Frame
from robovalue_ros.value.stream.fitting import fit_value_model
from robovalue_ros.value.stream.model import ValueModel
from robovalue_ros.value.stream.options import FitOptions

SIZE = 64
STEP_NS = 50_000_000
GOAL = (50, 50)


@dataclass(frozen=True)
class Try:
    """Pictures by camera (T, 64, 64, 3) and stamps of one try."""

    pictures: dict[str, NDArray[np.uint8]]
    stamps_ns: NDArray[np.int64]
    taken: int

    def frames(self, stop: int | None = None) -> list[Frame]:
        return [
            Frame(int(stamp), {name: part[i] for name, part in self.pictures.items()})
            for i, stamp in enumerate(self.stamps_ns[:stop])
        ]


def _square(image: NDArray[np.uint8], at: NDArray[np.float64], half: int, colour: object) -> None:
    y, x = np.rint(at).astype(int)
    image[max(0, y - half) : y + half, max(0, x - half) : x + half] = colour


def play(seed: int, *, pause: int = 0, miss: bool = False, steps: int = 14) -> Try:
    """Draw one try. pause: frames of standing still on the way. miss: the thing stays."""
    rng = np.random.default_rng(seed)
    home = np.array([10.0, 32.0]) + rng.uniform(-3, 3, 2)
    start = np.array([34.0, 14.0]) + rng.uniform(-6, 6, 2)
    way = [*np.linspace(home, start, steps), *np.linspace(start, GOAL, steps)]
    way += [np.array(GOAL) - (shift, 0.0) for shift in (0, 4, 8, 12, 12, 12, 12)]
    way[steps // 2 : steps // 2] = [way[steps // 2]] * pause
    taken = steps + pause
    table, close = [], []
    for index, hand in enumerate(way):
        held = not miss and taken <= index < taken + steps
        spot = start if miss or index < taken else (hand if held else np.array(GOAL, float))
        seen = np.full((SIZE, SIZE, 3), (225, 215, 190), np.uint8)
        _square(seen, np.array(GOAL, float), 8, (250, 235, 120))
        _square(seen, hand, 4, (70, 70, 80))
        _square(seen, spot + (3.0 if held else 0.0), 3, (220, 30, 30))
        wrist = np.full((SIZE, SIZE, 3), (225, 215, 190), np.uint8)
        _square(wrist, 32 + 2.0 * (spot - hand), 10, (220, 30, 30))
        wrist[:, :6] = (70, 70, 80)
        table.append(seen)
        close.append(wrist)
    stamps = np.arange(len(way), dtype=np.int64) * STEP_NS
    return Try({"table": np.stack(table), "wrist": np.stack(close)}, stamps, taken)


@pytest.fixture(scope="session")
def demos() -> list[Try]:
    return [play(seed, pause=6 * (seed % 3 == 0)) for seed in range(8)]


@pytest.fixture(scope="session")
def model(demos: list[Try]) -> ValueModel:
    """A model trained long enough to tell a thing that was brought from one left behind."""
    given = [(demo.pictures, demo.stamps_ns) for demo in demos]
    return fit_value_model(given, FitOptions(steps=300, batch=12), np.random.default_rng(0))


@pytest.fixture(scope="session")
def player() -> object:
    return play

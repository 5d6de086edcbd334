"""A toy task and a model of it that took seconds."""

from __future__ import annotations

import numpy as np
import pytest

from robovalue_ros.contracts.types import Frame
from robovalue_ros.value.stream.fitting import fit_value_model
from robovalue_ros.value.stream.model import ValueModel
from robovalue_ros.value.stream.options import FitOptions

STEP_NS = 50_000_000


def toy_pictures(seed: int, length: int = 24, size: int = 48) -> dict[str, np.ndarray]:
    """Draw one try: a dark hand crosses a bright table, and a second camera moves with it."""
    rng = np.random.default_rng(seed)
    row = int(rng.integers(14, 34))
    table = np.full((length, size, size, 3), (210, 200, 180), np.uint8)
    wrist = np.full_like(table, 120)
    for step in range(length):
        at = 4 + step * (size - 12) // length
        table[step, row - 4 : row + 4, at : at + 6] = (40, 40, 60)
        wrist[step, :, : max(1, at)] = (200, 60, 60)
    return {"cam_high": table, "cam_left_wrist": wrist}


@pytest.fixture(scope="session")
def toy():
    return toy_pictures


@pytest.fixture(scope="session")
def toy_frames() -> list[Frame]:
    pictures = toy_pictures(77)
    return [Frame(i * STEP_NS, {n: p[i] for n, p in pictures.items()}) for i in range(24)]


@pytest.fixture(scope="session")
def quick_model() -> ValueModel:
    stamps = np.arange(24, dtype=np.int64) * STEP_NS
    given = [(toy_pictures(seed), stamps) for seed in range(3)]
    return fit_value_model(given, FitOptions(steps=25, batch=8), np.random.default_rng(0))

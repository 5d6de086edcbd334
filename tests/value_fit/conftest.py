"""A toy task, recordings of it on disk, and a model of it that took seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from robovalue_ros.contracts.fakes import FakeReader
from robovalue_ros.contracts.frames import ArrayFrames
from robovalue_ros.contracts.tools import WriteOptions
from robovalue_ros.contracts.types import Episode, Frame
from robovalue_ros.pipelines.convert import convert
from robovalue_ros.value.stream.fitting import fit_value_model
from robovalue_ros.value.stream.model import ValueModel
from robovalue_ros.value.stream.options import FitOptions
from robovalue_ros.wiring import make_writer

STEP_NS = 50_000_000


def toy_pictures(seed: int, length: int = 24, size: int = 48) -> dict[str, np.ndarray]:
    """Draw one try: a dark hand crosses a bright table, and a second camera moves with it."""
    row = 14 + 7 * seed % 20
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


def toy_episode(
    seed: int, *, task: str = "cross the table", success: bool | None = True, cameras: int = 2
) -> Episode:
    pictures = toy_pictures(seed)
    length = len(pictures["cam_high"])
    rng = np.random.default_rng(seed)
    return Episode(
        f"toy_{seed}", task, np.arange(length, dtype=np.int64) * STEP_NS,
        {name: ArrayFrames(part) for name, part in list(pictures.items())[:cameras]},
        rng.random((length, 3)), rng.random((length, 3)), success,
    )  # fmt: skip


@pytest.fixture(scope="session")
def toy_try():
    return toy_episode


@pytest.fixture(scope="session")
def record() -> Callable[[Path, Sequence[Episode]], Path]:
    """Write episodes below a folder as HDF5 files."""

    def write(folder: Path, episodes: Sequence[Episode]) -> Path:
        reader = FakeReader({episode.id: episode for episode in episodes})
        convert(reader, make_writer(WriteOptions("hdf5", "lossless")), folder, fingerprint="toy")
        return folder

    return write


@pytest.fixture(scope="session")
def demos(record, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three successes and a failure."""
    episodes = [toy_episode(seed, success=seed != 1) for seed in range(4)]
    return record(tmp_path_factory.mktemp("toy") / "demos", episodes)

"""A long episode, of ten minutes in the thorough form, is read and written without ever being in memory."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import psutil
import pytest

from robovalue_ros.contracts.fakes import FakeReader
from robovalue_ros.contracts.frames import FrameSource, Image
from robovalue_ros.contracts.tools import FrameStorage, WriteFormat, WriteOptions
from robovalue_ros.contracts.types import Episode
from robovalue_ros.pipelines.convert import convert
from robovalue_ros.wiring import make_writer, open_reader

FRAMES, MANY_FRAMES, SIZE = 150 * 20, 600 * 20, 96


class MovingSquare(FrameSource):
    """Frames that are drawn when they are asked for."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    @property
    def shape(self) -> tuple[int, int]:
        return SIZE, SIZE

    def read(self, index: int) -> Image:
        image = np.full((SIZE, SIZE, 3), 90, np.uint8)
        left = self._check_index(index) % (SIZE - 16)
        image[30:50, left : left + 16] = (200, 40, 30)
        return image


def long_episode(count: int) -> Episode:
    stamps = np.arange(count, dtype=np.int64) * 50_000_000
    numbers = np.zeros((count, 7), np.float32)
    return Episode("long", "wait", stamps, {"cam_high": MovingSquare(count)}, numbers, numbers)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("kind", "storage"),
    [("hdf5", "lossy"), ("hdf5", "lossless"), ("lerobot", "lossy"), ("rosbag", "lossy")],
)
def test_long_episodes_stay_out_of_memory(
    tmp_path: Path, kind: WriteFormat, storage: FrameStorage, thorough: bool
) -> None:
    frames = MANY_FRAMES if thorough else FRAMES
    process = psutil.Process()
    writer = make_writer(WriteOptions(format=kind, frames=storage))
    warm_up(writer.format, storage, tmp_path)
    gc.collect()
    before = process.memory_info().rss
    peak = before
    convert(FakeReader({"long": long_episode(frames)}), writer, tmp_path / "set", fingerprint="x")
    peak = max(peak, process.memory_info().rss)
    reader = open_reader(tmp_path / "set")
    episode = reader.open(reader.episode_ids()[0])
    count = 0
    for count, _ in enumerate(episode.cameras["cam_high"].iterate(), 1):
        if count % 500 == 0:
            peak = max(peak, process.memory_info().rss)
    assert count == frames
    # Ten minutes would be over 300 MB; what grows is stamps, numbers and buffers of their own size.
    allowed = frames * SIZE * SIZE * 3 / 4 if thorough else 60e6
    assert peak - before < allowed, f"grew by {(peak - before) / 1e6:.0f} MB"


def warm_up(kind: str, storage: FrameStorage, folder: Path) -> None:
    """Load the libraries, whose code would count as growth."""
    from robovalue_ros.contracts.fakes import fake_episode

    options = WriteOptions(format=kind, frames=storage)  # type: ignore[arg-type]
    convert(
        FakeReader({"e": fake_episode("e")}), make_writer(options), folder / "w", fingerprint="x"
    )
    reader = open_reader(folder / "w")
    for source in reader.open(reader.episode_ids()[0]).cameras.values():
        assert sum(1 for _ in source.iterate()) == 12

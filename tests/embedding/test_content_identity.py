"""Two sources that show different frames never share an identity, whatever format they lie in."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hdf5_layouts import write_aloha, write_libero, write_robotwin_legacy
from lerobot_v21 import build_v21

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.fakes import FakeReader
from robovalue_ros.contracts.frames import ArrayFrames, FrameSource, SlicedFrames
from robovalue_ros.contracts.tools import ReadOptions, WriteOptions
from robovalue_ros.contracts.types import Episode
from robovalue_ros.data.embedding_cache.keys import content_key
from robovalue_ros.data.identity import content_identity, file_digest, source_identity
from robovalue_ros.data.video import encode_video
from robovalue_ros.pipelines.convert import convert
from robovalue_ros.wiring import make_writer, open_reader

FRAMES = 8


def episode(name: str, seed: int) -> Episode:
    rng = np.random.default_rng(seed)
    cameras = {}
    for camera in ("cam_high", "cam_left_wrist"):
        small = rng.integers(0, 256, (FRAMES, 4, 6, 3), dtype=np.uint8)
        cameras[camera] = ArrayFrames(small.repeat(12, axis=1).repeat(12, axis=2))
    vectors = rng.random((FRAMES, 14)).astype(np.float32)
    return Episode(name, "lift", np.arange(FRAMES) * 50_000_000, cameras, vectors, vectors, True)


def ours(kind: str, storage: str) -> Callable[[Path, list[Episode]], Path]:
    def write(folder: Path, episodes: list[Episode]) -> Path:
        options = WriteOptions(format=kind, frames=storage)  # type: ignore[arg-type]
        reader = FakeReader({e.id: e for e in episodes})
        convert(reader, make_writer(options), folder / "set", fingerprint="x")
        return folder / "set"

    return write


def aloha(images: str) -> Callable[[Path, list[Episode]], Path]:
    def write(folder: Path, episodes: list[Episode]) -> Path:
        for one in episodes:
            path = folder / "success" / f"{one.id}.hdf5"
            write_aloha(path, one, images, attributes={"fps": 20})  # type: ignore[arg-type]
        return folder

    return write


def libero(folder: Path, episodes: list[Episode]) -> Path:
    demos = {f"demo_{k}": one for k, one in enumerate(episodes)}
    return write_libero(folder / "KITCHEN_SCENE1_lift_demo.hdf5", demos)


def robotwin(folder: Path, episodes: list[Episode]) -> Path:
    for k, one in enumerate(episodes):
        path = folder / "data" / f"episode{k}.hdf5"
        write_robotwin_legacy(path, one, {"seen": [one.task]})
    return folder


def videos(folder: Path, episodes: list[Episode]) -> Path:
    for one in episodes:
        for name, source in one.cameras.items():
            encode_video(folder / "set" / one.id / f"{name}.mp4", source.iterate(), 20, 8)
    return folder / "set"


def images(folder: Path, episodes: list[Episode]) -> Path:
    for one in episodes:
        for name, source in one.cameras.items():
            target = folder / "set" / one.id / name
            target.mkdir(parents=True)
            for index, frame in enumerate(source.iterate()):
                cv2.imwrite(str(target / f"{index}.png"), frame[..., ::-1])
    return folder / "set"


WRITERS = {
    "hdf5 jpeg": ours("hdf5", "lossy"), "hdf5 raw": ours("hdf5", "lossless"),
    "lerobot video": ours("lerobot", "lossy"), "lerobot png": ours("lerobot", "lossless"),
    "lerobot v2.1": lambda folder, episodes: build_v21(folder / "set", episodes, crf=8),
    "rosbag jpeg": ours("rosbag", "lossy"), "rosbag raw": ours("rosbag", "lossless"),
    "aloha bytes": aloha("bytes"), "aloha padded": aloha("padded"),
    "libero": libero, "robotwin": robotwin, "videos": videos, "images": images,
}  # fmt: skip
OPTIONS = [
    ReadOptions(fps=20), ReadOptions(fps=20, rotation="flip"),
    ReadOptions(fps=20, rotation="rotate180"), ReadOptions(fps=20, color="bgr"),
    ReadOptions(fps=10, task="other"),
]  # fmt: skip


def sources(path: Path) -> Iterator[tuple[FrameSource, str | None]]:
    """Every camera of every episode under every option, with its identity."""
    for options in OPTIONS:
        reader = open_reader(path, options)
        for name in reader.episode_ids():
            for camera, source in reader.open(name).cameras.items():
                identity = source_identity(source)
                assert identity == content_identity(reader, name, camera)
                yield source, identity
        reader.close()


@pytest.mark.parametrize("name", WRITERS)
def test_equal_identities_mean_equal_frames(tmp_path: Path, name: str) -> None:
    path = WRITERS[name](tmp_path, [episode("a", 1), episode("b", 2)])
    shown: dict[str, str] = {}
    count = 0
    for source, identity in sources(path):
        assert identity is not None, f"{type(source).__name__} lost its identity"
        assert shown.setdefault(identity, content_key(source)) == content_key(source)
        count += 1
    # Two episodes, two cameras, and at least two positions of the picture.
    assert len(set(shown.values())) >= 8 and count >= 20
    # A part of the frames, or their order, is other content.
    part, last = SlicedFrames(source, [3, 4]), SlicedFrames(source, [4, 3])
    assert len({source_identity(s) for s in (source, part, last)}) == 3
    assert source_identity(copy.deepcopy(source)) == identity


@pytest.mark.parametrize("name", ["hdf5 jpeg", "lerobot png", "rosbag raw", "videos", "images"])
def test_other_bytes_are_other_content(tmp_path: Path, name: str) -> None:
    def identities(folder: Path, seed: int) -> list[str | None]:
        path = WRITERS[name](folder, [episode("a", seed)])
        return [identity for _, identity in sources(path)]

    first, second = identities(tmp_path / "x", 1), identities(tmp_path / "y", 2)
    copied = identities(tmp_path / "z", 1)
    assert not set(first) & set(second)
    if "rosbag" not in name:  # a bag's bytes hold what its writer noted of the time
        assert copied == first, "moving a file is no reason to embed it again"


def test_a_file_is_hashed_once_and_again_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"one")
    first = file_digest(path)
    assert file_digest(path) == first
    state = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))  # even with the old time stamp
    assert file_digest(path) != first
    with pytest.raises(DataError, match=r"gone\.bin"):
        file_digest(tmp_path / "gone.bin")


def test_what_is_not_known_for_certain_has_no_identity(tmp_path: Path) -> None:
    class Other(ArrayFrames):
        pass

    frames = np.zeros((3, 4, 4, 3), np.uint8)
    assert source_identity(ArrayFrames(frames)) is None
    assert source_identity(Other(frames)) is None
    assert source_identity(SlicedFrames(Other(frames), [0])) is None
    path = WRITERS["hdf5 jpeg"](tmp_path, [episode("a", 1)])
    reader = open_reader(path)
    (name,) = reader.episode_ids()
    source: Any = reader.open(name).cameras["cam_high"]
    assert source_identity(source) is not None
    source.setting_of_tomorrow = "sharpened"
    assert source_identity(source) is None
    with pytest.raises(DataError, match="no camera 'cam_low'"):
        content_identity(reader, name, "cam_low")


def test_the_same_options_in_other_words_share_an_identity(tmp_path: Path) -> None:
    path = WRITERS["libero"](tmp_path, [episode("a", 1)])
    name = open_reader(path).episode_ids()[0]
    auto, flip, none = (
        content_identity(
            open_reader(path, replace(ReadOptions(), rotation=rotation)),  # type: ignore[arg-type]
            name,
            "cam_high",
        )
        for rotation in ("auto", "flip", "none")
    )
    assert auto == flip != none

"""Damaged input gives an error that names file and reason: no traceback, no hang, no half output.

Every format gets 60 damages, 500 in the thorough form: cut, flipped, emptied, removed and replaced files, and data sets,
columns, keys and messages of the wrong type, shape or length. A damage that hits bytes nobody
reads may go unnoticed; then the conversion must succeed and read back.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from damage import (
    ANY_FILE,
    Damage,
    hdf5_structure,
    json_structure,
    parquet_structure,
)
from hdf5_layouts import write_aloha, write_libero, write_robotwin_current, write_robotwin_legacy
from lerobot_v21 import build_v21
from rlds_fixture import write_rlds

from robovalue_ros.cli.main import main
from robovalue_ros.contracts.fakes import FakeReader, fake_episode
from robovalue_ros.contracts.tools import WriteFormat, WriteOptions
from robovalue_ros.contracts.types import Episode
from robovalue_ros.data.staging import MANIFEST
from robovalue_ros.data.video import encode_video
from robovalue_ros.pipelines.convert import convert
from robovalue_ros.wiring import make_writer, open_reader

DAMAGES, MANY_DAMAGES = 60, 500


def small(**changes: object) -> Episode:
    return fake_episode(frames=5, size=(24, 32), **changes)  # type: ignore[arg-type]


def ours(kind: WriteFormat, storage: str = "lossy") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        options = WriteOptions(format=kind, frames=storage)  # type: ignore[arg-type]
        convert(FakeReader({"e": small()}), make_writer(options), folder / "set", fingerprint="x")
        (folder / "set" / MANIFEST).unlink()  # other tools write none
        return folder / "set"

    return write


def aloha(images: str) -> Callable[[Path], Path]:
    return lambda folder: write_aloha(folder / "set" / "episode_0.hdf5", small(), images)  # type: ignore[arg-type]


def libero(folder: Path) -> Path:
    return write_libero(folder / "set" / "x_demo.hdf5", {"demo_0": small()})


def robotwin(folder: Path) -> Path:
    episode = small()
    wide = np.zeros((5, 14), np.float32)
    return write_robotwin_current(
        folder / "set" / "episode0.hdf5",
        Episode("e", "t", episode.stamps_ns, episode.cameras, wide, wide),
    )


def robotwin_legacy(folder: Path) -> Path:
    episode = small()
    same_width = Episode(
        "e", "t", episode.stamps_ns, episode.cameras, episode.states, episode.states
    )
    return write_robotwin_legacy(folder / "set" / "episode0.hdf5", same_width)


def lerobot_v21(folder: Path) -> Path:
    return build_v21(folder / "set", [small()])


def rlds(folder: Path) -> Path:
    return write_rlds(folder / "set", [small()])


def video(folder: Path) -> Path:
    target = folder / "set" / "episode.mp4"
    encode_video(target, small().cameras["cam_high"].iterate(), 20, 20)
    return target


def images(folder: Path) -> Path:
    (folder / "set").mkdir(parents=True)
    for index, frame in enumerate(small().cameras["cam_high"].iterate()):
        cv2.imwrite(str(folder / "set" / f"{index}.png"), frame)
    return folder / "set"


@dataclass(frozen=True)
class Format:
    """The layouts of one reader, the ways to damage them, and how much it can bear.

    least_errors: the share of damages that must be noticed as fatal. Bags are salvaged where
    others give up, so less is fatal there.
    """

    layouts: tuple[Callable[[Path], Path], ...]
    damages: tuple[Damage, ...]
    least_errors: float = 0.4


FORMATS = {
    "hdf5": Format(
        (ours("hdf5"), ours("hdf5", "lossless"), aloha("hwc"), aloha("padded"), aloha("vlen")),
        (*ANY_FILE, hdf5_structure, hdf5_structure),
    ),
    "libero": Format((libero,), (*ANY_FILE, hdf5_structure, hdf5_structure)),
    "robotwin": Format((robotwin, robotwin_legacy), (*ANY_FILE, hdf5_structure, hdf5_structure)),
    "lerobot": Format(
        (ours("lerobot"), ours("lerobot", "lossless"), lerobot_v21),
        (*ANY_FILE, parquet_structure, parquet_structure, json_structure),
    ),
    "rosbag": Format((ours("rosbag"), ours("rosbag", "lossless")), ANY_FILE, 0.15),
    "rlds": Format((rlds,), (*ANY_FILE, json_structure)),
    "video": Format((video,), ANY_FILE),
    "images": Format((images,), ANY_FILE),
}


@pytest.mark.thorough
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_damage_is_told_or_harmless(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, thorough: bool
) -> None:
    count = MANY_DAMAGES if thorough else DAMAGES
    case = FORMATS[name]
    layouts = [write(tmp_path / f"pristine{n}") for n, write in enumerate(case.layouts)]
    rng = np.random.default_rng(sum(name.encode()))
    outcomes: Counter[int] = Counter()
    for number in range(count):
        pristine = layouts[number % len(layouts)]
        victim = tmp_path / f"victim{number}" / pristine.name
        victim.parent.mkdir()
        (shutil.copytree if pristine.is_dir() else shutil.copy)(pristine, victim)
        what = case.damages[number // len(layouts) % len(case.damages)](victim, rng)
        target = victim.parent / "out"
        try:
            code = main(["data", "convert", str(victim), str(target), "--frames", "lossless"])
        except Exception as problem:
            raise AssertionError(f"{what}: {type(problem).__name__}: {problem}") from problem
        _, err = capfd.readouterr()
        check_outcome(code, err, victim, target, what)
        outcomes[code] += 1
        shutil.rmtree(victim.parent)
    assert outcomes.total() == count
    assert outcomes[2] >= count * case.least_errors, outcomes


def check_outcome(code: int, err: str, victim: Path, target: Path, what: str) -> None:
    left = sorted(p.name for p in victim.parent.iterdir())
    if code == 2:
        assert "robovalue: error: " in err and "Traceback" not in err, f"{what}: {err}"
        assert str(victim.parent) in err, f"{what}: the error names no file: {err}"
        assert left == [victim.name], f"{what}: left {left}"
        return
    assert code == 0, f"{what}: exit code {code}: {err}"
    assert left == sorted([victim.name, "out"]), f"{what}: left {left}"
    reader = open_reader(target)
    for episode_id in reader.episode_ids():
        episode = reader.open(episode_id)
        for source in episode.cameras.values():
            assert sum(1 for _ in source.iterate()) == len(episode)
        episode.close()
    reader.close()


@pytest.mark.parametrize("words", [["data", "inspect"], ["report"], ["doctor"]])
def test_other_commands_name_the_file_too(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], words: list[str]
) -> None:
    for number, content in enumerate((b"", b"\x89HDF\r\n\x1a\n", b"text")):
        path = tmp_path / f"episode_{number}.hdf5"
        path.write_bytes(content)
        assert main([*words, str(path)]) == 2
        out, err = capfd.readouterr()
        assert path.name in err + out and "Traceback" not in err + out
    assert not (tmp_path / "report.html").exists()

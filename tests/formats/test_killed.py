"""A conversion that is killed at any moment goes on, and ends with the same bytes."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from kill_target import start

from robovalue_ros.contracts.fakes import FakeReader, fake_episode
from robovalue_ros.contracts.tools import WriteOptions
from robovalue_ros.pipelines.convert import convert
from robovalue_ros.wiring import make_writer

KILLS, MANY_KILLS = 5, 20


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("kill") / "source"
    reader = FakeReader(
        {
            f"success/episode_{n:06d}": fake_episode(
                f"success/episode_{n:06d}", frames=20, rng=np.random.default_rng(n)
            )
            for n in range(6)
        }
    )
    convert(reader, make_writer(WriteOptions(format="hdf5")), target, fingerprint="source")
    return target


def tree(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["hdf5", "lerobot", "rosbag"])
def test_killed_again_and_again(source: Path, tmp_path: Path, name: str, thorough: bool) -> None:
    wanted = MANY_KILLS if thorough else KILLS
    rng = np.random.default_rng(11)

    def words(target: Path) -> list[str]:
        return ["data", "convert", str(source), str(target), "--format", name]

    whole = tmp_path / "whole"
    for _ in range(2):  # the first pays for imports and caches
        shutil.rmtree(whole, ignore_errors=True)
        begun = time.monotonic()
        process = start(words(whole))
        process.join(120)
        duration = time.monotonic() - begun
        assert process.exitcode == 0
    expected = tree(whole)
    assert len(expected) > 4

    target = tmp_path / "target"
    kills = 0
    for _ in range(400):
        if kills == wanted:
            break
        process = start(words(target))
        # Short waits at first, so that every stage of the work meets a kill.
        process.join(float(rng.uniform(0, duration * 1.05)))
        if process.exitcode is None:
            process.kill()
            process.join()
            kills += 1
            assert not target.exists() or tree(target) == expected
        else:
            assert process.exitcode == 0
            assert tree(target) == expected
        if target.exists():
            assert tree(target) == expected
            shutil.rmtree(target)
    assert kills == wanted
    process = start(words(target))
    process.join(120)
    assert process.exitcode == 0
    assert tree(target) == expected
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.endswith(".lock")) == [
        "target",
        "whole",
    ]

"""Demonstrations of two arms whose grippers open and close, written in several formats."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from lerobot_checks import episode, nothing, write
from lerobot_v21 import build_v21

from robovalue_ros.cli.main import main
from robovalue_ros.contracts.tools import WriteOptions
from robovalue_ros.contracts.types import Episode
from robovalue_ros.data.hdf5.writer import Hdf5Writer

NAME = "beat_block_hammer-demo_clean-50"
COUNT, WIDTH, GRIPPERS = 50, 14, (6, 13)


@dataclass(frozen=True)
class Places:
    """Where the same data set lies, in each format."""

    v30: Path
    v21: Path
    hdf5: Path


def demonstrations(count: int = COUNT, seed: int = 0) -> list[Episode]:
    """Draw episodes of 60 to 110 frames; arms wander, grippers close once and open at the end."""
    rng = np.random.default_rng(seed)
    return [_demonstration(rng, number) for number in range(count)]


def _demonstration(rng: np.random.Generator, number: int) -> Episode:
    frames = int(rng.integers(60, 111))
    states = np.cumsum(rng.normal(0, 0.02, (frames, WIDTH)), axis=0)
    for dim in GRIPPERS:
        opening = np.full(frames, 0.04)
        grasp, place = sorted(rng.integers(10, frames - 5, 2))
        opening[grasp:place] = 0.01
        states[:, dim] = opening
    states = states.astype(np.float32)
    actions = np.roll(states, -1, axis=0)
    actions[-1] = states[-1]
    return episode(
        f"episode_{number:06d}", frames, seed=number, cameras=(), signals={}, states=states,
        actions=actions, success=True, stamps_ns=np.arange(frames, dtype=np.int64) * 50_000_000,
    )  # fmt: skip


def as_v30(root: Path, episodes: Sequence[Episode]) -> Path:
    root.mkdir(parents=True)
    return write(root, episodes)


def as_v21(root: Path, episodes: Sequence[Episode]) -> Path:
    return build_v21(root, episodes)


def as_hdf5(root: Path, episodes: Sequence[Episode]) -> Path:
    writer = Hdf5Writer(WriteOptions(format="hdf5"))
    for number, one in enumerate(episodes):
        writer.write(root, number, one, nothing)
    return root


class Shell:
    """Runs command lines in a folder."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capture = capture

    def run(self, line: str, *words: object) -> str:
        """Run a command that must succeed; return what it printed."""
        code, out, err = self.tried(line, *words)
        assert code == 0, err
        return out

    def fails(self, line: str, *words: object) -> str:
        """Run a command that must end with 2 and one line of error; return the line."""
        code, _, err = self.tried(line, *words)
        assert code == 2 and "Traceback" not in err
        (said,) = [one for one in err.splitlines() if one.startswith("robovalue: error: ")]
        return said.removeprefix("robovalue: error: ")

    def tried(self, line: str, *words: object) -> tuple[int, str, str]:
        """Run a command line; `words` are further ones. Return exit code, stdout and stderr."""
        self._capture.readouterr()
        given = shlex.split(line.replace("\\\n", " "))
        assert given[0] == "robovalue"
        code = main([*given[1:], *map(str, words)])
        out, err = self._capture.readouterr()
        return code, out, err

"""A small data set with recordings of followed points, code files and plans of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from moving_points import write_recording

from robovalue_ros.cli.main import main
from robovalue_ros.contracts.progress import SilentProgress
from robovalue_ros.contracts.tools import WriteOptions
from robovalue_ros.contracts.types import Episode
from robovalue_ros.data.hdf5.writer import Hdf5Writer

LENGTHS = (30, 34, 26, 40, 32)
HORIZON = 16
STEP_NS = 50_000_000


def write_episodes(root: Path, lengths: tuple[int, ...] = LENGTHS) -> None:
    writer = Hdf5Writer(WriteOptions(format="hdf5"))
    rng = np.random.default_rng(3)
    for number, frames in enumerate(lengths):
        states = rng.normal(size=(frames, 3)).astype(np.float32)
        stamps = np.arange(frames, dtype=np.int64) * STEP_NS
        one = Episode(f"episode_{number:06d}", "cups", stamps, {}, states, states)
        tick = SilentProgress().stage("write")
        with tick as told:
            writer.write(root, number, one, told)


def write_tracks(folder: Path, names: list[str], lengths: tuple[int, ...] = LENGTHS) -> None:
    rng = np.random.default_rng(0)
    for name, frames in zip(names, lengths, strict=True):
        write_recording(folder / f"{name}.hdf5", frames, rng, still=4)


def write_codes(root: Path, names: list[str], frames: int = 12) -> None:
    """Write two segments of each episode, of frames 0 to 11 and 12 to 23."""
    rng = np.random.default_rng(1)
    for at, name in enumerate(names):
        for part in range(2):
            path = root / name / "code_indices" / f"segment_{part}.codes.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            document = {
                "codes_windows": rng.integers(0, 8, (3, 4)).tolist(),
                "segment": {"start_frame": part * frames, "end_frame": (part + 1) * frames - 1},
                "window": {"T": 16, "stride": 4, "target_fps": 20.0},
                "meta": {"codebook_size": 8},
            }
            path.write_text(json.dumps(document | {"number": at}), encoding="utf-8")


def run(*words: object) -> int:
    return main([str(word) for word in words])


def build(out: Path, *words: object, repo_id: object = "demos") -> None:
    """Build a plan by the command, in the working directory."""
    code = run(
        "plan", "build", "--repo-id", repo_id, "--action-horizon", HORIZON, "--batch-size", 4,
        "--num-episodes-keep", 3, "--stride-S", 1, "--out-dir", out, *words,
    )  # fmt: skip
    assert code == 0

"""Recordings and embedding caches as people have them, small, and the command run on them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np

from robovalue_ros.cli.main import main
from robovalue_ros.data.embedding_cache.legacy import Entries, Trim, write_legacy
from robovalue_ros.data.embedding_cache.legacy_names import LegacyEncoder
from robovalue_ros.data.embedding_cache.legacy_names import Recording as NamedFile
from robovalue_ros.value.embed import fit_times, segment_bounds, sparse_times, windows

WIDTH, SIDE, CLIP = 24, 32, 4
ROLES = {"high": "cam_high", "wrist": "cam_left_wrist"}
ROWS = "hdf5_to_vjepa_value_map.jsonl"
METADATA = "vjepa_value_metadata.json"


@dataclass(frozen=True)
class Spec:
    """A recording to write. length: trimmed frames; `before` and `after` stand still."""

    length: int = 24
    seed: int = 0
    task: str | None = "lift it"
    success: int | None = None
    before: int = 1
    after: int = 0
    encoded: bool = False
    side: tuple[int, int] = (32, 32)
    cameras: tuple[str, ...] = tuple(ROLES.values())


def write_recording(path: Path, spec: Spec) -> Path:
    """Write an episode in the layout of today's recorders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(spec.seed)
    total = spec.before + spec.length + spec.after
    moved = np.clip(np.arange(total) - spec.before + 1, 0, spec.length)
    qpos = np.stack([moved * 0.1, -moved * 0.05], axis=1).astype(np.float32)
    with h5py.File(path, "w") as file:
        file["/observations/qpos"] = qpos
        file["/action"] = qpos * 2
        for number, camera in enumerate(spec.cameras):
            images = _pictures(rng, total, spec.side, number)
            key = f"/observations/images/{camera}"
            if spec.encoded:
                codes = [cv2.imencode(".jpg", image[..., ::-1])[1].tobytes() for image in images]
                widest = max(map(len, codes))
                file[key] = np.array([code.ljust(widest, b"\0") for code in codes], f"S{widest}")
            else:
                file[key] = images.transpose(0, 3, 1, 2)
        if spec.task is not None:
            file["/task"] = np.array([spec.task.encode()] * total)
        if spec.success is not None:
            file["/success"] = np.int64(spec.success)
        file.attrs["fps"] = 10
    return path


def _pictures(
    rng: np.random.Generator, total: int, side: tuple[int, int], number: int
) -> np.ndarray[Any, Any]:
    """Draw a square that crosses a table; rows depend on the seed."""
    height, width = side
    images = np.full((total, height, width, 3), (200, 190, 170), np.uint8)
    images += rng.integers(0, 8, images.shape, dtype=np.uint8)
    top = int(rng.integers(0, height // 2))
    for step in range(total):
        left = step * (width - width // 4) // total
        images[step, top : top + height // 4, left : left + width // 4] = (40, 60 + number * 90, 50)
    return images


@dataclass(frozen=True)
class World:
    """Folders of recordings, a checkpoint, and an embedding cache that knows everything."""

    root: Path
    checkpoint: Path

    @property
    def demos(self) -> Path:
        return self.root / "demos"

    @property
    def rollouts(self) -> Path:
        return self.root / "rollouts"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def encoder(self) -> LegacyEncoder:
        return LegacyEncoder(self.checkpoint, SIDE, CLIP, 1e-4)

    def words(self, out: Path, *more: str) -> list[str]:
        return [
            "--teleop-hdf5-dir", str(self.demos), "--rollouts-hdf5-dir", str(self.rollouts),
            "--out-cache-dir", str(out), "--embed-cache-dir", str(self.cache),
            "--vjepa-ckpt", str(self.checkpoint), "--vjepa-img-size", str(SIDE),
            "--vjepa-num-frames", str(CLIP), "--no-report", *more,
        ]  # fmt: skip

    def files(self) -> list[Path]:
        return sorted(self.root.rglob("episode_*.hdf5"))


def estimate(words: Sequence[str]) -> int:
    """Run the command in this process and return its exit code."""
    return main(["value", "estimate", *words])


def vectors_of(
    file: Path, length: int, *, segments: Sequence[int] = (50,), stride: int = 6
) -> dict[str, dict[str, Entries]]:
    """Draw smooth vectors for every series that a run may ask of a recording.

    They depend on the file's name and the progress alone, so that references look alike.
    """
    rng = np.random.default_rng(sum(file.name.encode()))
    found: dict[str, dict[str, Entries]] = {}
    times = np.unique(np.concatenate([sparse_times(length, 1), fit_times(length, 0.05)]))
    asked = {"prefix": (times, times / max(1, length - 1))}
    for count in segments:
        bounds = segment_bounds(length, count)
        asked[f"seg{count}"] = np.arange(count), bounds[:, 1] / max(1, length - 1)
        ends = windows(length, count, stride)[:, 1]
        asked[f"win{count}s{stride}"] = ends, ends / max(1, length - 1)
    for role, phase in (("high", 0.0), ("wrist", 0.7)):
        waves = np.arange(1, WIDTH + 1) * 0.4 + phase
        for name, (keys, share) in asked.items():
            exact = np.sin(np.outer(share, waves) + phase)
            noisy = exact + 0.05 * rng.normal(size=exact.shape)
            entries = Entries(keys.astype(np.int32), noisy.astype(np.float32))
            found.setdefault(name, {})[role] = entries
    return found


def fill_cache(world: World, file: Path, spec: Spec, **kinds: Any) -> dict[str, dict[str, Entries]]:
    """Put a recording's vectors into the cache as today's tools would."""
    series = vectors_of(file, spec.length, **kinds)
    trim = Trim(spec.before, spec.before + spec.length - 1, spec.length)
    write_legacy(world.cache, world.encoder, NamedFile.of(file), trim, series)
    return series


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / ROWS).read_text(encoding="utf-8").splitlines()]


def scored(out: Path, stage: str | None = None) -> dict[str, str]:
    """Return the status of the last row of each scored recording, by file name and source."""
    found = {}
    for row in rows(out):
        if row["stage"] in ((stage,) if stage else ("distance", "segmatch_score")):
            path = Path(row["hdf5"])
            found[f"{path.parent.name}/{path.stem}"] = row["status"]
    return found


def contents(folder: Path, *without: str) -> dict[str, bytes]:
    """Return every file below a folder by its relative path, but for some names."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in without
    }


def arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


SPECS = {
    "demos/episode_0.hdf5": Spec(40, 1), "demos/episode_1.hdf5": Spec(36, 2),
    "demos/episode_2.hdf5": Spec(44, 3), "demos/episode_3.hdf5": Spec(38, 4),
    "rollouts/success/episode_4.hdf5": Spec(42, 5, success=1),
    "rollouts/success/episode_5.hdf5": Spec(34, 6, success=1, before=3, after=2),
    "rollouts/failure/episode_6.hdf5": Spec(52, 7, success=0),
    "rollouts/failure/episode_7.hdf5": Spec(30, 8),
}  # fmt: skip


def make_world(root: Path, checkpoint: Path, **changed: Any) -> World:
    """Write every recording and what a cache holds of it. changed: fields of every Spec."""
    world = World(root, checkpoint)
    for name, usual in SPECS.items():
        spec = replace(usual, **changed)
        path = write_recording(root / name, spec)
        fill_cache(world, path, spec)
    return world


def blacken(path: Path) -> None:
    """Make all encoded frames but the first undecodable; size and time of change stay."""
    status = path.stat()
    with h5py.File(path, "r+") as file:
        for camera in file["/observations/images"].values():
            camera[1:] = np.zeros(len(camera) - 1, camera.dtype)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size

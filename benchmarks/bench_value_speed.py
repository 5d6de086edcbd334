"""Embedding the prefixes of recorded episodes: against doing each for itself, and from the cache."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import torch

from benchmarks.book import Ratio, Sheet
from benchmarks.straightforward.prefix_embedding import embed_prefixes
from robovalue_ros.backends.encoders.config import VJepa2EncoderConfig
from robovalue_ros.backends.encoders.vjepa2 import VJepa2Encoder, build_network
from robovalue_ros.backends.encoders.vjepa2_weights import Architecture
from robovalue_ros.contracts.tools import ReadOptions
from robovalue_ros.data import identity
from robovalue_ros.data.embedding_cache.store import EmbeddingStore
from robovalue_ros.pipelines.embedding.service import ClipRequest, Embedder, EmbeddingOptions
from robovalue_ros.value.embed import prefix_indices, sparse_times
from robovalue_ros.wiring import open_reader

TINY = Architecture(48, 3, 4, 4.0, 16, 2, 64, 64)
CAMERAS = {"high": "cam_high", "wrist": "cam_left_wrist"}
EPISODES, FRAMES, PAIRS, WORKERS = 2, 60, 3, (1, 2)
COMMAND = "OMP_NUM_THREADS=1 python -m benchmarks --only value_speed"


def sheets() -> Iterator[Sheet]:
    """Compare runs of the same episodes, side by side and several times."""
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        weights = _write_network(folder / "network")
        for number in range(EPISODES):
            _write_episode(folder / "episodes" / f"episode_{number}_lift.hdf5", number)
        for stride in (1, 4):
            rows += _compare(folder, weights, stride)
    yield Sheet(
        "Embedding the prefixes of progress_warp with a small V-JEPA 2 "
        f"({TINY.width} wide, {TINY.depth} deep, {TINY.img_size} px, {TINY.num_frames} frames)",
        COMMAND,
        ("timestep stride", "decoding threads", "clips", "clips/s", "times faster", "cached, times faster", "cached with opening, times faster"),
        rows,
        f"{EPISODES} episodes of {FRAMES} JPEG frames of 640x480 pixels, two cameras, from HDF5 file "
        "to vectors that are in the cache. Times faster: than decoding, resizing and embedding each "
        "prefix for itself, which gives the same vectors to the bit. Cached: the embedding step of "
        "a new run that finds everything in the cache (hashes the files, hashes the weights for the "
        "encoder's id) against that of the first; with opening: also opening the data and building "
        "the encoder.",
    )  # fmt: skip


def _compare(folder: Path, weights: Path, stride: int) -> Iterator[Sequence[str]]:
    faster, cached, whole = ({workers: Ratio([]) for workers in WORKERS} for _ in range(3))
    speeds: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    clips = 0
    for pair in range(PAIRS):
        slow, wanted = _timed(lambda: _plainly(folder, weights, stride))
        clips = sum(map(len, wanted))
        for workers in WORKERS:
            store = folder / f"cache-{stride}-{workers}-{pair}"
            first, first_step, ours = _embed(folder, weights, store, stride, workers)
            identity.forget()
            again, again_step, kept = _embed(folder, weights, store, stride, workers)
            assert all(map(np.array_equal, ours, wanted)), "the vectors must be the same"
            assert all(map(np.array_equal, kept, wanted)), "the cache must give the same vectors"
            speeds[workers].append(clips / first)
            faster[workers].values.append(slow / first)
            cached[workers].values.append(first_step / again_step)
            whole[workers].values.append(first / again)
    for workers in WORKERS:
        speed = f"{np.median(speeds[workers]):.0f}"
        ratios = (table[workers].text() for table in (faster, cached, whole))
        yield str(stride), str(workers), str(clips), speed, *ratios


def _embed(
    folder: Path, weights: Path, store: Path, stride: int, workers: int
) -> tuple[float, float, list[Any]]:
    """Return the seconds of the whole, of the embedding alone, and the vectors."""
    start = time.perf_counter()
    encoder = VJepa2Encoder(VJepa2EncoderConfig(weights))
    reader = open_reader(folder / "episodes", ReadOptions())
    requests = []
    for name in reader.episode_ids():
        episode = reader.open(name)
        indices = _prefixes(len(episode), stride)
        requests += [
            ClipRequest(name, role, episode.cameras[camera], None, "prefix", indices)
            for role, camera in CAMERAS.items()
        ]
    service = Embedder(
        dict.fromkeys(CAMERAS, encoder), EmbeddingStore(store), EmbeddingOptions(workers=workers)
    )
    step, vectors = _timed(lambda: service.embed(requests))
    return time.perf_counter() - start, step, vectors


def _plainly(folder: Path, weights: Path, stride: int) -> list[Any]:
    encoder = VJepa2Encoder(VJepa2EncoderConfig(weights))
    return [
        embed_prefixes(path, camera, encoder, _prefixes(FRAMES, stride), TINY.img_size)
        for path in sorted((folder / "episodes").iterdir())
        for camera in CAMERAS.values()
    ]


def _prefixes(length: int, stride: int) -> np.ndarray:
    times = sparse_times(length, stride)
    return np.stack([prefix_indices(int(t) + 1, TINY.num_frames) for t in times])


def _write_network(folder: Path) -> Path:
    from safetensors.torch import save_file

    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    shapes = {name: weight.shape for name, weight in build_network(TINY).state_dict().items()}
    save_file(
        {f"encoder.{n}": torch.randn(s, generator=generator) * 0.1 for n, s in shapes.items()},
        folder / "model.safetensors",
    )
    config = {
        "model_type": "vjepa2", "crop_size": TINY.img_size, "frames_per_clip": TINY.num_frames,
        "num_attention_heads": TINY.heads,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def _write_episode(path: Path, seed: int) -> None:
    """Write smooth moving pictures, which compress like those of a camera."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        file["observations/qpos"] = np.cumsum(rng.random((FRAMES, 7)), axis=0).astype(np.float32)
        file["action"] = np.zeros((FRAMES, 7), np.float32)
        file["task"] = np.array([b"lift"] * FRAMES)
        for camera in CAMERAS.values():
            small = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
            image = cv2.resize(small, (640 + FRAMES, 480), interpolation=cv2.INTER_CUBIC)
            rows = file.create_dataset(
                f"observations/images/{camera}", (FRAMES,), dtype=h5py.vlen_dtype(np.uint8)
            )
            for index in range(FRAMES):
                rows[index] = cv2.imencode(".jpg", image[:, index : index + 640])[1].reshape(-1)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result

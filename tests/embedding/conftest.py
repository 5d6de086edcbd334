"""Recordings and small encoders for the embedding service."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from robovalue_ros.backends.encoders.config import RunConfig, VJepa2EncoderConfig
from robovalue_ros.backends.encoders.vjepa2 import VJepa2Encoder

WEIGHTS = Path(__file__).parents[1] / "vectors" / "data" / "vjepa2_tiny_a.pt"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks are faster on one thread, and the machine is shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def vjepa2() -> Callable[..., VJepa2Encoder]:
    """Build the small V-JEPA 2 of the vectors: 64 pixels, 8 frames, 48 numbers."""
    pytest.importorskip("transformers")

    def build(**run: object) -> VJepa2Encoder:
        config = VJepa2EncoderConfig(WEIGHTS, 64, 8, 4, run=RunConfig(**run))  # type: ignore[arg-type]
        return VJepa2Encoder(config)

    return build


@pytest.fixture
def write_episode(tmp_path: Path) -> Callable[..., Path]:
    """Write an episode of JPEG frames in the layout of today's recorders."""
    import cv2

    def write(name: str, frames: int = 30, *, seed: int = 0, damaged: int | None = None) -> Path:
        rng = np.random.default_rng(seed)
        path = tmp_path / "episodes" / f"episode_{name}.hdf5"
        path.parent.mkdir(exist_ok=True)
        with h5py.File(path, "w") as file:
            file["observations/qpos"] = np.cumsum(rng.random((frames, 3)), axis=0)
            file["action"] = np.zeros((frames, 3), np.float32)
            file["task"] = np.array([b"lift"] * frames)
            for camera in ("cam_high", "cam_left_wrist"):
                rows = []
                for index in range(frames):
                    small = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
                    image = cv2.resize(small, (80, 60), interpolation=cv2.INTER_CUBIC)
                    content = cv2.imencode(".jpg", image)[1].reshape(-1)
                    if index == damaged and camera == "cam_high":
                        content = np.frombuffer(b"no image at all", np.uint8)
                    rows.append(content)
                kind = h5py.vlen_dtype(np.uint8)
                stored = file.create_dataset(f"observations/images/{camera}", (frames,), dtype=kind)
                for index, row in enumerate(rows):
                    stored[index] = row
        return path

    return write


@pytest.fixture(scope="session")
def dinov2(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Build a small DINOv2 with random weights: 28 pixels, 8 frames, 18 numbers."""
    transformers = pytest.importorskip("transformers")
    from robovalue_ros.backends.encoders.config import DinoEncoderConfig
    from robovalue_ros.backends.encoders.dino import build_dinov2

    config = transformers.Dinov2Config(
        hidden_size=18, num_hidden_layers=2, num_attention_heads=3, mlp_ratio=2, image_size=28,
        patch_size=14,
    )  # fmt: skip
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("dinov2")
    transformers.Dinov2Model(config).save_pretrained(folder)
    settings = {
        "do_resize": True, "do_rescale": True, "do_normalize": True, "rescale_factor": 1 / 255,
        "image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.6, 0.7], "resample": 3,
        "size": {"shortest_edge": 33}, "do_center_crop": True,
        "crop_size": {"height": 28, "width": 28},
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return build_dinov2(DinoEncoderConfig(folder))

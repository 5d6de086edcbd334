"""A world of recordings and caches, made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from estimate_files import CLIP, SIDE, WIDTH, World, estimate, make_world

from robovalue_ros.backends.encoders.packages import transformers_package
from robovalue_ros.contracts.errors import MissingExtra


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A V-JEPA 2 of one block with random weights."""
    pytest.importorskip("safetensors")
    try:
        transformers: Any = transformers_package("tests")
    except MissingExtra as problem:
        pytest.skip(str(problem))
    config = transformers.VJEPA2Config(
        patch_size=16, crop_size=SIDE, frames_per_clip=CLIP, tubelet_size=2, hidden_size=WIDTH,
        num_attention_heads=2, num_hidden_layers=1, mlp_ratio=2.0, pred_hidden_size=12,
        pred_num_attention_heads=2, pred_num_hidden_layers=1,
    )  # fmt: skip
    network = transformers.VJEPA2Model(config)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.2)
    folder = tmp_path_factory.mktemp("checkpoint") / "vjepa2"
    network.eval().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> World:
    """Eight recordings that no test changes."""
    return make_world(tmp_path_factory.mktemp("world"), checkpoint)


@pytest.fixture
def own_world(tmp_path: Path, checkpoint: Path) -> World:
    """The same, to break."""
    return make_world(tmp_path / "world", checkpoint)


@pytest.fixture(scope="session")
def progress_out(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of progress_warp on two cameras."""
    out = tmp_path_factory.mktemp("progress") / "out"
    assert estimate(world.words(out, "--camera-mode", "both", "--timestep-stride", "6")) == 0
    return out


@pytest.fixture(scope="session")
def segment_out(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of segment_match50 on two cameras."""
    out = tmp_path_factory.mktemp("segments") / "out"
    words = world.words(out, "--camera-mode", "both", "--value-method", "segment_match50")
    assert estimate(words) == 0
    return out

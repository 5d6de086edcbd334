"""Processes: two runs on one cache at once, Ray against one process, and memory that is bounded."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from robovalue_ros.backends.encoders.config import RunConfig, VJepa2EncoderConfig
from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.fakes import FakeEncoder
from robovalue_ros.data.embedding_cache.store import EmbeddingStore
from robovalue_ros.pipelines.embedding.distributed import Worker, running_ray
from robovalue_ros.pipelines.embedding.recipe import share_of
from robovalue_ros.pipelines.embedding.service import (
    ClipRequest,
    Embedder,
    EmbeddingOptions,
    EncoderRecipe,
)
from robovalue_ros.value.embed import prefix_indices
from robovalue_ros.wiring import open_reader

ROOT = Path(__file__).parents[2]
CAMERAS = {"high": "cam_high", "wrist": "cam_left_wrist"}
WriteEpisode = Callable[..., Path]

# Reads a folder of episodes and prints what one embedding of everything gave.
RUN = """
import hashlib, json, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[3])
from test_embedding_engines import ask
from robovalue_ros.contracts.fakes import FakeEncoder
from robovalue_ros.data.embedding_cache.store import EmbeddingStore
from robovalue_ros.pipelines.embedding.service import Embedder, EmbeddingOptions

encoder = FakeEncoder(4, 8)
service = Embedder(
    {"high": encoder, "wrist": encoder}, EmbeddingStore(Path(sys.argv[2])),
    EmbeddingOptions(workers=1, save_seconds=0.0),
)
print("ready", flush=True)
sys.stdin.readline()
vectors = service.embed(ask(Path(sys.argv[1])))
digest = hashlib.sha256(b"".join(v.tobytes() for v in vectors)).hexdigest()
print(json.dumps([digest, service.computed, service.reused, len(service.findings)]))
"""


def ask(folder: Path) -> list[ClipRequest]:
    """Ask for the prefixes of both cameras of every episode."""
    reader = open_reader(folder)
    requests = []
    for name in reader.episode_ids():
        episode = reader.open(name)
        indices = np.stack([prefix_indices(t + 1, 8) for t in range(len(episode))])
        requests += [
            ClipRequest(name, role, episode.cameras[camera], None, "prefix", indices)
            for role, camera in CAMERAS.items()
        ]
    return requests


def run(folder: Path, store: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RUN, str(folder), str(store), str(Path(__file__).parent)]
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_two_processes_fill_one_cache_at_the_same_time(
    write_episode: WriteEpisode, tmp_path: Path
) -> None:
    for k in range(4):
        folder = write_episode(f"{k}_lift", 40 + k, seed=k).parent
    encoder = FakeEncoder(4, 8)
    alone = Embedder(dict.fromkeys(CAMERAS, encoder), None)
    wanted = alone.embed(ask(folder))
    clips = alone.computed + alone.reused
    both = [run(folder, tmp_path / "shared") for _ in range(2)]
    for process in both:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in both:  # now both are loaded, so they do work at the same time
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [json.loads(p.communicate(timeout=120)[0].splitlines()[-1]) for p in both]
    digest = hashlib.sha256(b"".join(v.tobytes() for v in wanted)).hexdigest()
    for found, computed, reused, damaged in answers:
        assert found == digest and damaged == 0 and computed + reused == clips
    after = Embedder(dict.fromkeys(CAMERAS, encoder), EmbeddingStore(tmp_path / "shared"))
    assert same(after.embed(ask(folder)), wanted) and (after.computed, after.reused) == (0, clips)


def test_a_killed_run_goes_on_where_it_was(write_episode: WriteEpisode, tmp_path: Path) -> None:
    for k in range(6):
        folder = write_episode(f"{k}_lift", 40, seed=k).parent
    wanted = Embedder(dict.fromkeys(CAMERAS, FakeEncoder(4, 8)), None).embed(ask(folder))
    process = run(folder, tmp_path / "cache")
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    while process.poll() is None and not list((tmp_path / "cache").rglob("part-*.npz")):
        time.sleep(0.001)
    process.kill()
    process.communicate(timeout=60)
    service = Embedder(
        dict.fromkeys(CAMERAS, FakeEncoder(4, 8)), EmbeddingStore(tmp_path / "cache")
    )
    assert same(service.embed(ask(folder)), wanted)
    assert service.reused >= 40 and not service.findings


@pytest.mark.slow
def test_ray_gives_the_same_bits_as_one_process(
    write_episode: WriteEpisode, vjepa2: Callable[..., Any], tmp_path: Path
) -> None:
    if find_spec("ray") is None:
        pytest.skip("the extra `ray` is not installed")
    weights = ROOT / "tests" / "vectors" / "data" / "vjepa2_tiny_a.pt"
    config = VJepa2EncoderConfig(weights, 64, 8, 4, run=RunConfig())
    recipe = EncoderRecipe("vjepa2", config, ("high", "wrist"))
    for k in range(3):
        write_episode(f"{k}_lift", 10 + k, seed=k)
    folder = write_episode("3_lift", 12, seed=9, damaged=5).parent
    encoders = recipe.build()
    local = Embedder(encoders, EmbeddingStore(tmp_path / "local"))
    wanted = local.embed(ask(folder))
    options = EmbeddingOptions(engine="ray", actors=2, workers=1)
    far = Embedder(encoders, EmbeddingStore(tmp_path / "ray"), options, source=recipe)
    with running_ray(2) as ray:
        found = far.embed(ask(folder))
        assert ray.is_initialized(), "a Ray that ran already stays"
        assert listening() <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    assert not ray.is_initialized()
    assert same(found, wanted)
    assert isinstance(found[6], DataError) and not isinstance(found[7], DataError)
    assert (far.computed, far.reused) == (local.computed, local.reused)
    # What the processes stored is what one process finds.
    after = Embedder(encoders, EmbeddingStore(tmp_path / "ray"))
    assert same(after.embed(ask(folder)), wanted) and after.computed == 0


def listening() -> set[str]:
    """Return the addresses at which this process and those it started wait for connections."""
    psutil = pytest.importorskip("psutil")
    this = psutil.Process()
    return {
        connection.laddr.ip
        for process in (this, *this.children(recursive=True))
        for connection in process.net_connections("tcp")
        if connection.status == "LISTEN"
    }


def same(first: list[Any], second: list[Any]) -> bool:
    def equal(a: Any, b: Any) -> bool:
        if isinstance(a, DataError):
            return isinstance(b, DataError) and str(a) == str(b)
        return bool(np.array_equal(a, b))

    return all(map(equal, first, second)) and len(first) == len(second)


def test_a_worker_says_what_the_user_can_mend(tmp_path: Path) -> None:
    broken = EncoderRecipe("vjepa2", VJepa2EncoderConfig(tmp_path / "none.pt"), ("high",))
    worker = Worker(broken, 0, 2, None, EmbeddingOptions(workers=1), torch.get_num_threads())
    outcome = worker.embed([])
    assert isinstance(outcome.failure, DataError) and "none.pt" in str(outcome.failure)


def test_ray_needs_an_encoder_that_can_be_built_again() -> None:
    with pytest.raises(ConfigError, match="--engine local"):
        Embedder({}, None, EmbeddingOptions(engine="ray"))


def test_devices_are_shared_out() -> None:
    gpus = ("cuda:0", "cuda:1", "cuda:2")
    assert [share_of(gpus, k, 2) for k in range(2)] == [("cuda:0", "cuda:2"), ("cuda:1",)]
    assert [share_of(gpus[:1], k, 2) for k in range(2)] == [("cuda:0",), ("cuda:0",)]


MEMORY = """
import resource, sys
import numpy as np
from robovalue_ros.contracts.fakes import FakeEncoder
from robovalue_ros.contracts.frames import FrameSource
from robovalue_ros.pipelines.embedding.service import ClipRequest, Embedder, EmbeddingOptions

class Made(FrameSource):
    shape = (240, 320)
    def __len__(self): return 60
    def read(self, index): return np.full((240, 320, 3), index, np.uint8)

encoder = FakeEncoder(2, 8)
indices = np.arange(56).reshape(7, 8)
service = Embedder({"high": encoder}, None, EmbeddingOptions(workers=2, bank_mb=int(sys.argv[2])))
ask = lambda count: [ClipRequest(f"r{k}", "high", Made(), None, "p", indices) for k in range(count)]
service.embed(ask(2))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
service.embed(ask(int(sys.argv[1])))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.parametrize("bank_mb", [4, 40])
def test_memory_does_not_grow_with_the_recordings(bank_mb: int) -> None:
    """Frames of one recording are 14 MB, of all together 420 MB."""
    grown = subprocess.run(
        [sys.executable, "-c", MEMORY, "30", str(bank_mb)], cwd=ROOT, capture_output=True,
        text=True, timeout=120, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert float(grown.stdout) < 100


def test_a_file_that_is_replaced_while_it_is_read_is_not_believed(
    write_episode: WriteEpisode, tmp_path: Path
) -> None:
    class Replacing(FakeEncoder):
        def encode(self, clips: NDArray[np.uint8]) -> NDArray[np.float32]:
            write_episode("0_lift", 12, seed=5)
            return super().encode(clips)

    folder = write_episode("0_lift", 12, seed=4).parent
    store = EmbeddingStore(tmp_path / "cache")
    service = Embedder(dict.fromkeys(CAMERAS, Replacing(4, 8)), store)
    (first, second) = service.embed(ask(folder))
    assert isinstance(first, DataError) and "changed while it was read" in str(first)
    assert isinstance(second, DataError) and not store.shards()

"""What is remembered of an encoder, so that a run that finds everything done starts quickly."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from estimate_files import World, contents, estimate, rows

from robovalue_ros.backends.encoders.choice import EncoderChoice
from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.fakes import FakeEncoder
from robovalue_ros.pipelines.estimate.known import KNOWN_FILE, RunEncoders

IMPORTED = """
import sys
from robovalue_ros.cli.main import main
code = main(sys.argv[1:])
heavy = {"torch", "transformers", "sklearn", "scipy.stats", "matplotlib", "ray"} & set(sys.modules)
print("loaded:", sorted(heavy))
sys.exit(code)
"""


class Counting:
    """Builds fake encoders and counts how often."""

    def __init__(self, encoder: FakeEncoder) -> None:
        self.encoder, self.times = encoder, 0

    def __call__(self) -> Mapping[str, Any]:
        self.times += 1
        return {"high": self.encoder, "wrist": self.encoder}


def test_facts_are_remembered_until_something_changes(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.write_bytes(b"1")
    choice = EncoderChoice("vjepa2", weights)
    build = Counting(FakeEncoder())
    first = RunEncoders(tmp_path, choice, {}, build)
    assert build.times == 1 and first.facts["wrist"].encoder_id == FakeEncoder().encoder_id
    again = RunEncoders(tmp_path, choice, {}, build)
    assert build.times == 1 and again.facts == first.facts
    again.built()
    again.built()
    assert build.times == 2
    RunEncoders(tmp_path, EncoderChoice("vjepa2", weights, img_size=64), {}, build)
    RunEncoders(tmp_path, choice, {"model": "other"}, build)
    assert build.times == 4
    weights.write_bytes(b"12")
    RunEncoders(tmp_path, choice, {}, build)
    assert build.times == 5


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"x": 1}', b"\xff\x00", None])
def test_damaged_facts_are_made_anew(content: bytes | None, tmp_path: Path) -> None:
    build = Counting(FakeEncoder())
    wanted = RunEncoders(tmp_path, EncoderChoice(), {}, build).facts
    file = tmp_path / KNOWN_FILE
    whole = file.read_bytes()
    if content is None:
        told = json.loads(whole)
        (entry,) = told.values()
        entry["high"]["dim"] = "many"
        content = json.dumps(told).encode()
    file.write_bytes(content)
    assert RunEncoders(tmp_path, EncoderChoice(), {}, build).facts == wanted
    assert build.times == 2
    if content.startswith(b'{"') and b"many" in content:
        assert file.read_bytes() == whole


def test_an_encoder_that_turns_out_another_stops_the_run(tmp_path: Path) -> None:
    RunEncoders(tmp_path, EncoderChoice(), {}, Counting(FakeEncoder()))
    begun = RunEncoders(tmp_path, EncoderChoice(), {}, Counting(FakeEncoder(5)))
    with pytest.raises(DataError, match="not the one that was remembered"):
        begun.built()
    # The second time it is known for what it is.
    RunEncoders(tmp_path, EncoderChoice(), {}, Counting(FakeEncoder(5))).built()


def test_a_run_that_finds_everything_loads_no_library_of_networks(
    world: World, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = world.words(out, "--camera-mode", "both")
    assert estimate(words) == 0
    before = contents(out / "episode_values")
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, "value", "estimate", *words],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "4 reused" in done.stdout and "loaded: []" in done.stdout
    assert contents(out / "episode_values") == before
    assert {row["status"] for row in rows(out)[-4:]} == {"reused"}


def test_other_weights_are_noticed(own_world: World, tmp_path: Path) -> None:
    """The same path with other weights: nothing of the old network is used."""
    import shutil

    from safetensors.numpy import load_file, save_file

    copy = tmp_path / "weights"
    shutil.copytree(own_world.checkpoint, copy)
    moved = World(own_world.root, copy)
    out = tmp_path / "out"
    words = moved.words(out, "--timestep-stride", "9", "--no-warp-enable")
    assert estimate(words) == 0 and estimate(words) == 0
    assert {row["status"] for row in rows(out)[-4:]} == {"reused"}
    before = contents(out / "episode_values")
    file = copy / "model.safetensors"
    tensors = load_file(file)
    save_file({name: array * 1.5 for name, array in tensors.items()}, file)
    assert estimate(words) == 0
    assert {row["status"] for row in rows(out)[-4:]} == {"written"}
    assert contents(out / "episode_values") != before


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("encoder", ["vjepa2", "pixels"])
def test_several_processes_give_the_same_files(encoder: str, world: World, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    found = {}
    for engine in ("local", "ray"):
        words = [
            "--teleop-hdf5-dir", str(world.demos), "--rollouts-hdf5-dir", str(world.rollouts),
            "--camera-mode", "both", "--timestep-stride", "8", "--no-report", "--fit-steps", "25",
            "--out-cache-dir", str(tmp_path / engine), "--engine", engine, "--actors", "2",
        ]  # fmt: skip
        if encoder == "vjepa2":
            words += ["--vjepa-ckpt", str(world.checkpoint)]
        done = subprocess.run(
            [sys.executable, "-m", "robovalue_ros.cli.main", "value", "estimate", *words],
            capture_output=True, text=True, timeout=280,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found[engine] = contents(tmp_path / engine / "episode_values")
    assert found["local"] == found["ray"] and len(found["ray"]) == 4

"""Causal curves of a run are those of a live stream, whoever computes them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from estimate_files import (
    Spec,
    World,
    arrays,
    contents,
    estimate,
    make_world,
    rows,
    scored,
    write_recording,
)

from robovalue_ros.cli.main import main
from robovalue_ros.contracts.types import Frame
from robovalue_ros.data.value_store.causal import read_causal
from robovalue_ros.data.value_store.value_model import read_value_model
from robovalue_ros.pipelines.results import scored_episodes
from robovalue_ros.value.stream.live import ValueStream
from robovalue_ros.wiring import open_value_stream

CAUSAL = ("--causal", "--fit-steps", "25", "--workers", "1")
ONLY = (*CAUSAL, "--no-hindsight")
ALL = {"success/episode_4", "success/episode_5", "failure/episode_6", "failure/episode_7"}


@pytest.fixture(scope="module")
def causal_out(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("causal") / "out"
    assert estimate(world.words(out, *CAUSAL)) == 0
    return out


def damage_frame(path: Path, frame: int) -> None:
    """Spoil one encoded frame of one camera; the file's size stays."""
    with h5py.File(path, "r+") as file:
        file["/observations/images/cam_high"][frame] = b"\xff\xd8nothing"


def test_curves_are_those_of_a_stream(causal_out: Path, world: World) -> None:
    model = read_value_model(causal_out / "value_model.npz").model
    assert set(model.cameras) == {"cam_high", "cam_left_wrist"}
    files = [path for path in world.files() if path.parent.name in ("success", "failure")]
    for path in files:
        stored = read_causal(causal_out / "causal_values" / f"{path.name}.npz")
        with h5py.File(path) as file:
            images = {
                name: camera[()].transpose(0, 2, 3, 1)
                for name, camera in file["/observations/images"].items()
            }
        stream = ValueStream(model)
        for row, stamp in enumerate(stored.stamps_ns.tolist()):
            frame = Frame(stamp, {name: pictures[row] for name, pictures in images.items()})
            sample = stream.push(frame)
            told = (sample.value, sample.stall, sample.regression, sample.unknown, sample.declared)
            kept = (stored.values, stored.stall, stored.regression, stored.unknown, stored.declared)
            assert told == tuple(column[row] for column in kept)
        # Every recorded frame, also those that stand still before and after.
        assert len(stored.values) == len(images["cam_high"])
        assert stored.curve.causal and stored.model_id == model.id
    assert {row["status"] for row in rows(causal_out) if row["stage"] == "causal"} == {"written"}


def test_the_length_of_a_recording_is_not_known_to_its_curve(
    causal_out: Path, own_world: World, tmp_path: Path
) -> None:
    """A recording cut short has the beginning of the same curve."""
    path = own_world.rollouts / "failure" / "episode_6.hdf5"
    with h5py.File(path) as file:
        kept = {name: file[name][:30] for name in ("/observations/qpos", "/action", "/task")}
        kept |= {
            f"/observations/images/{name}": camera[:30]
            for name, camera in file["/observations/images"].items()
        }
    with h5py.File(path, "w") as file:
        for name, array in kept.items():
            file[name] = array
        file.attrs["fps"] = 10
    out = tmp_path / "out"
    words = own_world.words(out, *ONLY, "--model", str(causal_out / "value_model.npz"))
    assert estimate(words) == 0
    short = read_causal(out / "causal_values/episode_6.hdf5.npz")
    whole = read_causal(causal_out / "causal_values/episode_6.hdf5.npz")
    np.testing.assert_array_equal(short.values, whole.values[:30])


def test_a_second_run_reuses_and_a_change_is_seen(
    causal_out: Path, own_world: World, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = own_world.words(out, *ONLY, "--model", str(causal_out / "value_model.npz"))
    # A named model needs no demonstrations.
    words = words[2:]
    assert estimate(words) == 0
    before = contents(out / "causal_values")
    assert estimate(words) == 0
    assert scored(out, "causal") == dict.fromkeys(ALL, "reused")
    assert contents(out / "causal_values") == before
    path = own_world.rollouts / "success" / "episode_4.hdf5"
    status = path.stat()
    with h5py.File(path, "r+") as file:
        file["/observations/images/cam_high"][20] = 0
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert estimate(words) == 0
    assert scored(out, "causal") == dict.fromkeys(ALL, "reused") | {"success/episode_4": "written"}
    assert estimate([*words, "--rotation", "rotate180"]) == 0
    assert set(scored(out, "causal").values()) == {"written"}


def test_a_damaged_recording_stops_nobody(
    causal_out: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = make_world(tmp_path / "world", checkpoint, encoded=True)
    damage_frame(own.rollouts / "success" / "episode_4.hdf5", 30)
    for workers in ("1", "2"):
        out = tmp_path / workers
        model = ("--model", str(causal_out / "value_model.npz"))
        words = own.words(out, "--causal", "--no-hindsight", "--workers", workers, *model)
        assert estimate(words) == 0
        assert scored(out, "causal") == dict.fromkeys(ALL, "written") | {
            "success/episode_4": "error"
        }  # fmt: skip
        assert not (out / "causal_values/episode_4.hdf5.npz").exists()
    assert contents(tmp_path / "1/causal_values") == contents(tmp_path / "2/causal_values")
    assert "frame 30" in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_a_damaged_demonstration_is_left_out_and_asked_again(
    checkpoint: Path, tmp_path: Path
) -> None:
    own = make_world(tmp_path / "world", checkpoint, encoded=True)
    path = own.demos / "episode_1.hdf5"
    whole = path.read_bytes()
    status = path.stat()
    damage_frame(path, 20)
    out = tmp_path / "out"
    words = own.words(out, *ONLY, "--max-score-episodes", "1")
    assert estimate(words) == 0
    first = (out / "value_model.npz").read_bytes()
    told = [row for row in rows(out) if row["stage"] == "success_ref"]
    assert [(Path(row["hdf5"]).name, row["status"]) for row in told] == [
        ("episode_1.hdf5", "error")
    ]
    assert estimate(words) == 0
    assert (out / "value_model.npz").read_bytes() == first
    assert len([row for row in rows(out) if row["stage"] == "success_ref"]) == 2
    path.write_bytes(whole)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert estimate(words) == 0
    assert (out / "value_model.npz").read_bytes() != first
    assert len([row for row in rows(out) if row["stage"] == "success_ref"]) == 2


def test_a_recording_without_the_cameras_of_the_model_is_unknown(
    causal_out: Path, world: World, tmp_path: Path
) -> None:
    write_recording(tmp_path / "other/failure/episode_0.hdf5", Spec(30, cameras=("elsewhere",)))
    words = world.words(tmp_path / "out", *ONLY, "--model", str(causal_out / "value_model.npz"))
    words[words.index("--rollouts-hdf5-dir") + 1] = str(tmp_path / "other")
    assert estimate(words) == 0
    stored = read_causal(tmp_path / "out/causal_values/episode_0.hdf5.npz")
    assert stored.unknown.all() and (stored.values == 0).all() and stored.success is False


def test_a_model_that_is_none_is_refused(
    causal_out: Path, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for wrong in (causal_out / "cluster_centers.npz", tmp_path / "absent.npz"):
        assert estimate(world.words(tmp_path / "out", *ONLY, "--model", str(wrong))) == 2
        assert wrong.name in capsys.readouterr().err


def test_both_curves_of_an_episode_are_found_again(causal_out: Path) -> None:
    episodes, findings = scored_episodes(causal_out)
    assert not findings and len(episodes) == 4
    for episode in episodes:
        assert episode.hindsight is not None and episode.causal is not None
        total = int(episode.hindsight.meta["trim_end"]) + 1
        assert len(episode.causal.values) >= total


def test_what_was_skipped_since_then_is_not_shown(own_world: World, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert estimate(own_world.words(out)) == 0
    assert estimate(own_world.words(out, "--max-episode-len", "45")) == 0
    assert scored(out)["failure/episode_6"] == "skipped"
    assert (out / "episode_values/episode_6.hdf5.npz").is_file()
    episodes, _ = scored_episodes(out)
    assert sorted(episode.name for episode in episodes) == [f"episode_{n}.hdf5" for n in (4, 5, 7)]


@pytest.mark.slow
def test_pixels_need_no_weights_in_any_process(world: World, tmp_path: Path) -> None:
    """As a person types it: a real process, the encoder fitted on the demonstrations."""
    command = [
        sys.executable, "-m", "robovalue_ros.cli.main", "value", "estimate", "--teleop-hdf5-dir",
        str(world.demos), "--rollouts-hdf5-dir", str(world.rollouts), "--out-cache-dir",
        str(tmp_path / "out"), "--fit-steps", "25", "--timestep-stride", "8", "--no-report",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "4 demonstrations" in done.stdout and "values: 4 written" in done.stdout
    held = arrays(tmp_path / "out/episode_values/episode_4.hdf5.npz")
    assert held["value_pred"][-1] == pytest.approx(1.0)


def test_a_model_that_looks_through_an_encoder(world: World, tmp_path: Path) -> None:
    """It tells which encoder, so that the run needs no further options."""
    model = tmp_path / "model.npz"
    words = ["--encoder", "vjepa2", "--weights", str(world.checkpoint), "--out", str(model)]
    assert main(["value", "fit", str(world.demos), *words]) == 0
    out = tmp_path / "out"
    common = [
        "--teleop-hdf5-dir", str(world.demos), "--rollouts-hdf5-dir", str(world.rollouts),
        "--out-cache-dir", str(out), "--model", str(model), "--timestep-stride", "9", "--no-report",
    ]  # fmt: skip
    assert estimate([*common, "--causal"]) == 0
    assert {row["status"] for row in rows(out)} == {"written"} and len(rows(out)) == 8
    stored = read_causal(out / "causal_values/episode_4.hdf5.npz")
    (path,) = world.root.rglob("episode_4.hdf5")
    with h5py.File(path) as file:
        images = {
            name: camera[()].transpose(0, 2, 3, 1)
            for name, camera in file["/observations/images"].items()
        }
    stream = open_value_stream(model)
    for row, stamp in enumerate(stored.stamps_ns.tolist()):
        frame = Frame(stamp, {name: pictures[row] for name, pictures in images.items()})
        assert stream.push(frame).value == stored.values[row]
    # The hindsight curves of the run looked through the same encoder.
    run = json.loads((out / "estimate.json").read_text("utf-8"))
    assert run["encoders"]["high"]["id"].startswith("vjepa2-")

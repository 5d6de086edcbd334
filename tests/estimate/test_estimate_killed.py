"""Runs that are killed, and runs beside each other, end with what one quiet run gives."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from estimate_files import World, contents, rows, scored

from robovalue_ros.data.value_store.rows import read_rows

KILLS, MANY_KILLS = 3, 10
# What tells of the run and not of its result: when it was, and what it found done already.
HISTORY = ("hdf5_to_vjepa_value_map.jsonl", "estimate_vjepa_value.log")
LOG = f"out/{HISTORY[0]}"
OF_THE_RUN = ("created_at", "written", "reused")
TASKS = {
    "progress": ("--camera-mode", "both", "--causal", "--fit-steps", "25", "--workers", "2"),
    "diffusion": (
        "--value-method", "segment_match50", "--segment-match-score", "diffusion",
        "--segment-match-diffusion-epochs", "40", "--segment-match-diffusion-hidden-dim", "16",
        "--segment-match-diffusion-num-layers", "2", "--causal", "--fit-steps", "25",
        "--workers", "1",
    ),
}  # fmt: skip


def start(world: World, folder: Path, task: str) -> subprocess.Popen[str]:
    """Start the command in `folder`; its output and cache have relative paths."""
    folder.mkdir(exist_ok=True)
    words = [
        "--teleop-hdf5-dir", str(world.demos), "--rollouts-hdf5-dir", str(world.rollouts),
        "--out-cache-dir", "out", "--embed-cache-dir", "cache", "--no-report",
        "--vjepa-ckpt", str(world.checkpoint), *TASKS[task],
    ]  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "robovalue_ros.cli.main", "value", "estimate", *words],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> None:
    out, err = process.communicate(timeout=250)
    assert process.returncode == 0, out + err


def results(folder: Path) -> dict[str, object]:
    """Return what a run left, without what tells of the run itself."""
    found: dict[str, object] = {}
    for name, content in contents(folder / "out", *HISTORY).items():
        if Path(name).name.startswith(".tmp-"):
            continue  # left by a killed process; swept when nobody can be writing it any more
        if name.endswith(".json"):
            told = json.loads(content)
            found[name] = {k: v for k, v in told.items() if k not in OF_THE_RUN}
        else:
            found[name] = content
    return found


def embeddings(folder: Path) -> dict[str, bytes]:
    """Return every stored vector by its key, however the parts were cut."""
    found: dict[str, bytes] = {}
    for path in (folder / "cache").rglob("part-*.npz"):
        with np.load(path) as part:
            for key, vector in zip(part["keys"], part["vectors"], strict=True):
                found[f"{path.parent.name}/{key.tobytes().hex()}"] = vector.tobytes()
    return found


@pytest.fixture(
    scope="module",
    params=["progress", pytest.param("diffusion", marks=pytest.mark.at_length)],
)
def quiet(
    request: pytest.FixtureRequest, world: World, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, float]:
    """An undisturbed run: its task, its folder, and how long it worked after starting up."""
    folder = tmp_path_factory.mktemp("quiet") / request.param
    process = start(world, folder, request.param)
    begun = wait_for(process, folder / LOG)
    finish(process)
    return request.param, folder, time.monotonic() - begun


def wait_for(process: subprocess.Popen[str], file: Path) -> float:
    """Wait until a run has made a file, and return when that was."""
    while process.poll() is None and not file.exists():
        time.sleep(0.01)
    return time.monotonic()


@pytest.mark.thorough
@pytest.mark.timeout(900)
def test_killed_runs_go_on_to_the_same_results(
    quiet: tuple[str, Path, float], world: World, tmp_path: Path, thorough: bool
) -> None:
    task, folder, seconds = quiet
    wanted, vectors = results(folder), embeddings(folder)
    rng = np.random.default_rng(len(task))
    kills = finished = 0
    while kills < (MANY_KILLS if thorough else KILLS):
        place = tmp_path / str(finished)
        process = start(world, place, task)
        if not (place / "out").exists():
            wait_for(process, place / LOG)
            wait = rng.uniform(0, seconds)
        else:
            # Starting up takes as long as before; what is left to do may take less.
            wait = rng.uniform(0.5, 1.0) * seconds
        try:
            process.communicate(timeout=wait)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            kills += 1
            continue
        assert process.returncode == 0
        assert results(place) == wanted
        finished += 1
    place = tmp_path / str(finished)
    finish(start(world, place, task))
    assert results(place) == wanted
    assert embeddings(place) == vectors
    statuses = Counter(scored(place / "out").values())
    assert sum(statuses.values()) == 4 and set(statuses) <= {"written", "reused"}
    # The log of rows is whole lines, whatever happened to the runs that wrote it.
    assert len(read_rows(place / "out" / HISTORY[0])) == len(rows(place / "out"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_runs_at_once(quiet: tuple[str, Path, float], world: World, tmp_path: Path) -> None:
    """On one output folder and one cache; and on two output folders and one cache."""
    task, folder, _ = quiet
    both = [start(world, tmp_path / "same", task) for _ in range(2)]
    for process in both:
        finish(process)
    assert results(tmp_path / "same") == results(folder)
    assert embeddings(tmp_path / "same") == embeddings(folder)
    assert not list((tmp_path / "same").rglob(".tmp-*"))
    (tmp_path / "cache").mkdir()
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cache").symlink_to(tmp_path / "cache")
    both = [start(world, tmp_path / name, task) for name in ("first", "second")]
    for process, name in zip(both, ("first", "second"), strict=True):
        finish(process)
        assert results(tmp_path / name) == results(folder)


def test_a_run_that_is_told_to_stop_keeps_what_it_has(world: World, tmp_path: Path) -> None:
    process = start(world, tmp_path / "stopped", "progress")
    # By then there is something to keep, and more to do.
    wait_for(process, tmp_path / "stopped/out/value_model.npz")
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130 and "interrupted" in err and "Traceback" not in err
    log = (tmp_path / "stopped/out/estimate_vjepa_value.log").read_text("utf-8")
    assert re.search(r"ERROR the run ended early", log)

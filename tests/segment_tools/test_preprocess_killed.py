"""Preprocessing that is killed goes on where it was, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from tool_files import video

from robovalue_ros.cli.main import main
from robovalue_ros.data.tracks.reader import TracksFile

WAIT_S = 120.0
CALL = "import sys; from robovalue_ros.cli.main import main; sys.exit(main(sys.argv[1:]))"


def words(source: Path, out: Path, workers: int) -> list[str]:
    return [
        "segment", "preprocess", str(source), "--output-dir", str(out), "--resize-shorter", "0",
        "--num-tracks", "25", "--workers", str(workers),
    ]  # fmt: skip


def children(pid: int) -> list[int]:
    listing = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listing.read_text().split()]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_the_same_command_goes_on_after_a_kill(tmp_path: Path) -> None:
    for n in range(6):
        video(tmp_path / "in" / f"v{n}.mp4", frames=40 + n)
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", CALL, *words(tmp_path / "in", out, 2)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until = time.monotonic() + WAIT_S
    while not list(out.glob("*.hdf5")) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.01)
    workers = children(process.pid) if process.poll() is None else []
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    while any(alive(pid) for pid in workers) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in workers)
    done = {path.name: path.stat().st_mtime_ns for path in out.glob("*.hdf5")}
    assert done
    assert main(words(tmp_path / "in", out, 1)) == 0
    assert main(words(tmp_path / "in", tmp_path / "whole", 1)) == 0
    for n in range(6):
        ours, theirs = (TracksFile(folder / f"v{n}.hdf5") for folder in (out, tmp_path / "whole"))
        for one, other in zip(
            ours.read("default", 0, 40 + n), theirs.read("default", 0, 40 + n), strict=True
        ):
            assert np.array_equal(one, other)
    assert all((out / name).stat().st_mtime_ns == at for name, at in done.items())

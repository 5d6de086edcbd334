"""Killed at any moment and run again: nothing half, nothing twice, nothing lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from cutting import config_for, cut, files_of, make_videos

NAMES = ["a.mp4", "b/a.mp4", "b/c.mp4", "d.mp4"]


@contextmanager
def runs() -> Iterator[subprocess.Popen[str]]:
    """A process that starts runs."""
    script = Path(__file__).with_name("forking.py")
    starter = subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield starter
    finally:
        assert starter.stdin is not None
        starter.stdin.close()
        starter.wait(30)


def run(starter: subprocess.Popen[str], videos: Path, out: Path, kill_after: float | None) -> int:
    """Run once; kill_after: seconds from the moment at which it begins something."""
    assert starter.stdin is not None and starter.stdout is not None
    begun = marks(out)
    starter.stdin.write(f"{videos} {out} 1\n")
    starter.stdin.flush()
    pid = int(starter.stdout.readline())
    if kill_after is not None:
        while marks(out) == begun and Path(f"/proc/{pid}/fd").exists():
            time.sleep(0.001)
        time.sleep(kill_after)
        os.kill(pid, signal.SIGKILL)  # not yet waited for: the id is still its own
    return int(starter.stdout.readline())


def marks(out: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in out.rglob("segment_run.json")}


def clips_have_their_codes(out: Path) -> bool:
    return all(
        (path.parents[1] / "code_indices" / f"{path.stem}.codes.json").is_file()
        for path in out.glob("*/segmented_videos/segment_*.mp4")
    )


def test_a_run_that_is_killed_again_and_again_ends_with_the_same_files(tmp_path: Path) -> None:
    videos, out = tmp_path / "videos", tmp_path / "killed"
    make_videos(videos, NAMES)
    cut(config_for(videos, tmp_path / "whole"))
    rng = np.random.default_rng(7)
    kills = 0
    with runs() as starter:
        for _ in range(8):
            code = run(starter, videos, out, float(rng.uniform(0.0, 0.4)))
            kills += code == -signal.SIGKILL
            assert code in (0, -signal.SIGKILL)
            assert clips_have_their_codes(out)
        assert run(starter, videos, out, None) == 0
    assert kills >= 3
    assert files_of(out) == files_of(tmp_path / "whole")
    assert not list(out.rglob(".tmp-*"))
    assert cut(config_for(videos, out)).count("skipped") == len(NAMES)

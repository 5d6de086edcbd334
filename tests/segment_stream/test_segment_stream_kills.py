"""Killed at any moment and run again: nothing half, nothing twice, nothing lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from cutting import config_for, cut, files_of, make_videos

from robovalue_ros.pipelines.segment.stream_results import results_folder
from robovalue_ros.pipelines.segment.stream_sources import find_items
from robovalue_ros.wiring import open_reader

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


def run(
    starter: subprocess.Popen[str], videos: Path, out: Path, workers: int, kill_after: float | None
) -> int:
    """Run once; kill_after: seconds from the moment at which it begins something."""
    assert starter.stdin is not None and starter.stdout is not None
    begun = marks(out)
    starter.stdin.write(f"{videos} {out} {workers}\n")
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


@pytest.mark.thorough
@pytest.mark.parametrize(("workers", "times"), [(1, 5), (2, 3)])
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_files(
    tmp_path: Path, workers: int, times: int, thorough: bool
) -> None:
    """Workers outlive a run that is killed by up to a second: the next one begins beside them."""
    times *= 4 if thorough else 1
    videos, out = tmp_path / "videos", tmp_path / "killed"
    make_videos(videos, NAMES)
    cut(config_for(videos, tmp_path / "whole"))
    rng = np.random.default_rng(7)
    kills = 0
    with runs() as starter:
        for _ in range(times):
            code = run(starter, videos, out, workers, float(rng.uniform(0.0, 0.4)))
            kills += code == -signal.SIGKILL
            assert code in (0, -signal.SIGKILL)
            assert clips_have_their_codes(out)
        assert run(starter, videos, out, workers, None) == 0
    assert kills >= 2
    assert files_of(out) == files_of(tmp_path / "whole")
    assert not list(out.rglob(".tmp-*"))
    assert cut(config_for(videos, out)).count("skipped") == len(NAMES)


def test_a_run_beside_another_waits_for_it_and_does_nothing_twice(tmp_path: Path) -> None:
    videos, out = tmp_path / "videos", tmp_path / "out"
    make_videos(videos, NAMES[:1])
    folder = results_folder(
        config_for(videos, out), find_items(config_for(videos, out), open_reader)[0]
    )
    with ThreadPoolExecutor(1) as pool:
        with folder.held():
            beside = pool.submit(cut, config_for(videos, out))
            time.sleep(0.5)
            assert not beside.done() and not (folder.path / "segment_run.json").exists()
            folder.begin()
            folder.finish({})
        assert beside.result(60).count("skipped") == 1
    assert not list(folder.clips.glob("*"))

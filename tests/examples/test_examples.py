"""Every example runs as a reader of the docs would run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.sim


def run(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=280,
        env={**os.environ, "MUJOCO_GL": "egl"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.thorough
def test_the_demo_and_reading_what_it_wrote(tmp_path: Path, thorough: bool) -> None:
    words = ("--episodes", "3", "--demos", "3", "--steps", "60", "--out", "result")
    out = run(tmp_path, str(ROOT / "examples" / "demo.py"), *words)
    page = tmp_path / "result" / "values" / "report.html"
    assert str(page) in out.replace("\n", "") and page.stat().st_size > 100_000
    assert out.count("3 of 3 episodes are the same") == 2
    # Every episode was cut, and the page shows where.
    lists = sorted((tmp_path / "result" / "segments").glob("*/segmented_videos/*_segments.json"))
    cut = [json.loads(one.read_text(encoding="utf-8"))["segments"] for one in lists]
    assert len(cut) == 3 and all(cut)
    text = page.read_text(encoding="utf-8")
    assert f'["Actions","{len(cut[0])}"]' in text and "belong to no episode" not in text
    for name in ("hdf5", "lerobot", "rosbag"):
        listing = run(tmp_path, str(ROOT / "examples" / "read_episodes.py"), f"result/{name}")
        assert listing.count("frames at 20 Hz") == 3
    if thorough:  # the demo may be run again over its own results
        run(tmp_path, str(ROOT / "examples" / "demo.py"), *words)


def test_simulator_rollout(tmp_path: Path) -> None:
    out = run(tmp_path, str(ROOT / "examples" / "simulator_rollout.py"), "open_drawer")
    assert out.startswith("open the drawer") and out.strip().endswith("success")


def test_every_example_is_tested() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    for example in (ROOT / "examples").glob("*.py"):
        assert f'"{example.name}"' in here, f"{example.name} has no test"

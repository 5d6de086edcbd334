"""Half an hour of video through `robovalue segment stream`: does memory stay flat?

`python -m benchmarks.soak_segment [--minutes 30] [--size 240]` prints what was cut, how many windows
took longer than there was time, and memory as the video goes on; it ends with an error when memory
in the last third exceeds that of the middle third by more than five megabytes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

from benchmarks.segment_films import FPS, simulated
from robovalue_ros.contracts.frames import Image
from robovalue_ros.data.video import encode_video

MOST_MB = 5.0
LENGTH = 320


def main() -> None:
    """Make the video, cut it in a process of its own, print the account."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--size", type=int, default=240, help="height of the video, pixels")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        video = folder / "long.mp4"
        count = int(60 * FPS * options.minutes)
        frames = simulated(LENGTH, options.size)["cam_high"]
        encode_video(video, _to_and_fro(frames, count), FPS, 23, pixel_format="yuv420p")
        memory = _watched([
            sys.executable, "-m", "robovalue_ros.cli.main", "segment", "stream", str(video),
            "--output-dir", str(folder / "out"), "--threshold", "0.0005",
        ])  # fmt: skip
        summary = json.loads((folder / "out/long/long_perf_summary.json").read_text())
        clips = len(list((folder / "out/long").glob("segmented_videos/*.mp4")))
    _judge(memory, summary, clips, options.minutes)


def _to_and_fro(frames: Image, count: int) -> Iterator[Image]:
    turn = 2 * len(frames) - 2
    for number in range(count):
        place = number % turn
        yield frames[place if place < len(frames) else turn - place]


def _watched(command: list[str]) -> list[tuple[float, float]]:
    """Run a command; return (seconds, megabytes that are its own)."""
    memory, begun = [], time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            told = watched.memory_info()
        except psutil.NoSuchProcess:
            break
        memory.append((time.monotonic() - begun, (told.rss - told.shared) / 1e6))
        time.sleep(0.25)
    if process.wait():
        raise SystemExit(f"the run ended with {process.returncode}")
    return memory


def _judge(
    memory: list[tuple[float, float]], summary: dict[str, object], clips: int, minutes: float
) -> None:
    size = np.array([megabytes for _, megabytes in memory])
    thirds = [float(np.median(part)) for part in np.array_split(size, 3)]
    print(f"{minutes:g} minutes of video in {memory[-1][0]:.0f} s, {clips} clips")
    print("summary:", json.dumps(summary))
    print("megabytes, medians of thirds:", ", ".join(f"{third:.1f}" for third in thirds))
    print(f"most: {size.max():.1f}")
    if thirds[2] - thirds[1] > MOST_MB:
        raise SystemExit(f"memory grew by {thirds[2] - thirds[1]:.1f} MB in the last third")


if __name__ == "__main__":
    main()

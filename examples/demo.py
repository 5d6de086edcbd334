"""The whole story in one go: record, write, read back, learn what success looks like, cut, score, look.

Every step is a command that you can type yourself; it is printed before it runs.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.rule import Rule

from robovalue_ros.cli.main import main as robovalue

console = Console()


def step(title: str, *words: str) -> None:
    """Show a command and run it; the demo ends with its exit code when it fails."""
    console.print()
    console.print(Rule(f"[bold]{title}", align="left", style="dim"))
    console.print(f"[dim]$ robovalue {shlex.join(words)}", soft_wrap=True, highlight=False)
    code = robovalue(words)
    if code:
        sys.exit(code)


def main() -> int:
    """Run the demo and print where its report is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo_output"), help="folder for results")
    parser.add_argument("--episodes", type=int, default=12, help="how many to score (default 12)")
    parser.add_argument(
        "--demos", type=int, default=16, help="demonstrations to learn from (default 16)"
    )
    parser.add_argument(
        "--steps", type=int, default=0, help="training steps (default: as many as suit the demos)"
    )
    options = parser.parse_args()
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    hdf5, lerobot, bags = (str(out / name) for name in ("hdf5", "lerobot", "rosbag"))
    demos, model, values = (str(out / name) for name in ("demos", "model.npz", "values"))
    segments = str(out / "segments")
    report = str(out / "values" / "report.html")
    started = time.monotonic()

    step(
        "Record episodes: some succeed, some fail, each in its own way",
        "sim", "record", "--task", "put_red_cube", "--episodes", str(options.episodes),
        "--success-rate", "0.5", "--out", hdf5, "--overwrite",
    )  # fmt: skip
    step(
        "Write them as a LeRobotDataset v3",
        "data", "convert", hdf5, lerobot, "--format", "lerobot", "--overwrite",
    )  # fmt: skip
    step(
        "Write them as rosbags (mcap), one per episode",
        "data", "convert", hdf5, bags, "--format", "rosbag", "--overwrite",
    )  # fmt: skip
    for path in (hdf5, lerobot, bags):
        step(f"Read {Path(path).name} back", "data", "inspect", path)
    for path in (lerobot, bags):
        step(f"Is {Path(path).name} the same as hdf5?", "data", "compare", hdf5, path)
    step(
        "Record demonstrations: all of them succeed",
        "sim", "record", "--task", "put_red_cube", "--episodes", str(options.demos),
        "--success-rate", "1", "--seed", "100", "--out", demos, "--overwrite",
    )  # fmt: skip
    steps = ("--steps", str(options.steps)) if options.steps else ()
    step(
        "Learn from them what progress looks like",
        "value", "fit", demos, "--out", model, "--overwrite", *steps,
    )  # fmt: skip
    # The simulator's arm is thin and moves few points, so the gate on motion stays off. It rests only
    # for a moment when it grasps: one window is enough to end an action, and none is too long.
    step(
        "Cut the first recording into actions by motion alone, nothing is learned for that",
        "segment", "stream", hdf5, "--output-dir", segments, "--cameras", "cam_high",
        "--threshold-mode", "auto", "--no-motion-gate", "--up-count", "1", "--down-count", "1",
        "--max-duration-seconds", "0", "--codec", "h264", "--no-skip-if-exists",
    )  # fmt: skip
    step(
        "Score every frame of the first recording, as a live robot would be scored",
        "value", "estimate", "--teleop-hdf5-dir", demos, "--dataset-hdf5-dir", hdf5,
        "--score-sources", "dataset", "--model", model, "--causal", "--camera-mode", "both",
        "--out-cache-dir", values, "--report-segments", segments, "--overwrite",
    )  # fmt: skip
    step("How good are these values? Measured, beside controls", "value", "evaluate", values)

    console.print()
    console.print(Rule("[bold]Done", align="left", style="green"))
    console.print(f"{time.monotonic() - started:.0f} s. Open this in a browser:")
    console.print(f"  {Path(report).resolve()}", soft_wrap=True, highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())

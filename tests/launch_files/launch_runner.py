"""Runs launch files as `ros2 launch` does, and knows which there are."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "launch").glob("*.launch.py"))
NAMES = [path.name.removesuffix(".launch.py") for path in FILES]
# What `ros2` has in the Python of the system; the tools run in one that has the rest.
LAUNCH = """
import sys
from importlib.abc import MetaPathFinder

BLOCKED = {"torch", "sklearn", "h5py", "cv2", "av", "pyarrow", "rosbags", "mcap", "lz4", "zstandard",
           "PIL", "tyro", "rich", "matplotlib", "gymnasium", "mujoco", "transformers"}

class Wall(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ImportError(f"{name} is blocked")
        return None

sys.meta_path.insert(0, Wall())
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import AnyLaunchDescriptionSource

file, *words = sys.argv[1:]
service = LaunchService(argv=words)
pairs = [tuple(word.split(":=", 1)) for word in words]
included = IncludeLaunchDescription(AnyLaunchDescriptionSource(file), launch_arguments=pairs)
service.include_launch_description(LaunchDescription([included]))
sys.exit(service.run())
"""


def started(name: str, cwd: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    """Start a launch file; `words` are its arguments, NAME:=VALUE."""
    # Launch keeps what processes said by itself; both streams in one keep their order.
    return subprocess.Popen(
        [sys.executable, "-c", LAUNCH, str(ROOT / "launch" / f"{name}.launch.py"), *words],
        cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "ROS_LOG_DIR": str(cwd / "log"), **environment}, start_new_session=True,
    )  # fmt: skip


def interrupt(process: subprocess.Popen[str]) -> None:
    """Press Ctrl-C: a terminal tells the launch and everything that it has started."""
    # Not while launch still hands on the line that somebody waited for: its loop would break.
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)


def launched(name: str, cwd: Path, *words: str, **environment: str) -> tuple[int, str]:
    """Run a launch file to its end; return its exit code and everything that was said."""
    process = started(name, cwd, *words, **environment)
    try:
        said, _ = process.communicate(timeout=240)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process.returncode, said


def calls(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Return the functions that a launch file calls by name, with their texts."""
    for part in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name):
            yield (
                part.func.id,
                [
                    one.value
                    for one in part.args
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                ],
            )

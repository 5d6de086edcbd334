"""A robot that is a file of commands, one line each, and a script that moves it.

Run as `python file_arm.py FILE HOW`: `guarded` runs until a signal, `forgets` runs a few steps and
ends without closing, `fails` raises in the middle.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

import robovalue_envs  # noqa: F401 - registers the ids
from robovalue_envs.real_arm.holding import holding
from robovalue_envs.real_arm.wall_clock import WallClock
from robovalue_ros.contracts.ports import ArmReading

CONFIG = {
    "low": [-1.0, -1.0],
    "high": [1.0, 1.0],
    "max_velocity": [1.0],
    "rate_hz": 100.0,
    "max_age_s": 1.0,
}


class FileArm:
    """Writes each command through to the file before it returns."""

    names = ("left", "right")
    cameras: Mapping[str, tuple[int, int]] = {"cam_high": (8, 8)}

    def __init__(self, path: Path) -> None:
        self.clock = WallClock()
        self._file = path.open("ab", buffering=0)
        self._state = np.zeros(2)

    def read(self) -> ArmReading:
        now = self.clock.now_ns()
        image = np.zeros((8, 8, 3), np.uint8)
        return ArmReading(self._state.copy(), now, {"cam_high": image}, {"cam_high": now})

    def send(self, action: NDArray[Any]) -> None:
        self._state = np.array(action)
        self._file.write(b"send\n")

    def stop(self) -> None:
        self._file.write(b"hold\n")

    def close(self) -> None:
        self._file.write(b"close\n")


def main(path: str, how: str) -> None:
    env = gymnasium.make(
        "robovalue/RealArm-v0", link=lambda: FileArm(Path(path)), config=CONFIG,
        disable_env_checker=True,
    )  # fmt: skip
    if how == "forgets":
        move(env, 5)
        return
    with holding(env):
        move(env, 5)
        if how == "fails":
            raise RuntimeError("a policy fell over")
        move(env, 10**9)


def move(env: gymnasium.Env[Any, Any], steps: int) -> None:
    env.reset()
    for _ in range(steps):
        env.step(env.action_space.sample())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

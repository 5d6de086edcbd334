"""Drives a simulated robot over ROS through RealArm, until a signal: python reaching.py.

Follows points that put the red cube of an undisturbed layout into the box.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import gymnasium
import numpy as np

import robovalue_envs  # noqa: F401 - registers the ids
from robovalue_envs.real_arm.holding import holding
from robovalue_envs.sim import layout as at
from robovalue_ros.nodes.ros_arm import open_ros_arm

CAMERAS = ("cam_high", "cam_left_wrist")
NAMES = ("x", "y", "z", "yaw", "pitch", "roll", "gripper")
CONFIG: dict[str, Any] = {
    "low": [*at.WORKSPACE_LOW, -2.8, -0.7, -0.7, 0.0],
    "high": [*at.WORKSPACE_HIGH, 2.8, 0.7, 0.7, 0.08],
    "max_velocity": [0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 2.0],
    "rate_hz": 20.0,
    "wait_s": 20.0,
}
SIM = {"env_options": "['size:=32', 'jitter:=0', 'max_steps:=100000']", "auto_reset": "false"}
OPEN, CLOSED = 0.08, 0.0
NEAR = 0.008


def make(**config: Any) -> gymnasium.Env[Any, Any]:
    """Return the environment; config: changes of CONFIG."""
    return gymnasium.make(
        "robovalue/RealArm-v0",
        link=lambda: open_ros_arm(
            names=NAMES, cameras=CAMERAS, use_sim_time=True, grips=["gripper"], wait_s=30.0
        ),
        config={**CONFIG, **config},
        disable_env_checker=True,
    )  # fmt: skip


def way() -> Iterator[tuple[tuple[float, float, float], float, int]]:
    """Yield points, the grip there, and steps to wait when they are reached."""
    (x, y), (u, v) = at.NOMINAL[0], at.BOX_CENTRE
    yield (x, y, 0.15), OPEN, 0
    yield (x, y, 0.024), OPEN, 2
    yield (x, y, 0.024), CLOSED, 12
    yield (x, y, 0.17), CLOSED, 0
    yield (u, v, 0.17), CLOSED, 4
    yield (u, v, 0.09), CLOSED, 2
    yield (u, v, 0.09), OPEN, 12


def targets(env: gymnasium.Env[Any, Any], most: int = 150) -> Iterator[Any]:
    """Yield a target (7,) for every step; what the environment shows is sent in."""
    seen, _ = env.reset()
    for point, grip, wait in way():
        for _ in range(most):
            if np.linalg.norm(seen["state"][:3] - point) < NEAR:
                break
            seen = yield np.array([*point, 0.0, 0.0, 0.0, grip], np.float32)
        for _ in range(wait):
            seen = yield np.array([*point, 0.0, 0.0, 0.0, grip], np.float32)


def main() -> None:
    env = make()
    with holding(env):
        env.reset()
        print("moving", flush=True)
        for step in count():
            side = 0.2 if step % 60 < 30 else -0.2
            env.step(np.array([side, side, 0.2, 1.0, 0.2, 0.2, OPEN], np.float32))


if __name__ == "__main__":
    main()

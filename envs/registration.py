"""Gymnasium ids of this package.

Gymnasium 1.x no longer looks for plugins through the `gymnasium.envs` entry point, so importing
`robovalue_envs` registers them. Only strings are registered: MuJoCo is imported by `make`.
"""

from __future__ import annotations

from gymnasium.envs.registration import register, registry

from robovalue_envs.sim.tasks import TASKS

REAL_ARM_ID = "robovalue/RealArm-v0"


def register_environments() -> None:
    """Register every id once."""
    for task in TASKS.values():
        if task.env_id in registry:
            continue
        # No max_episode_steps: the environment truncates by itself, with or without gym.make.
        register(
            id=task.env_id,
            entry_point="robovalue_envs.sim.env:TabletopEnv",
            kwargs={"task": task.name},
        )
    if REAL_ARM_ID not in registry:
        # A robot does not do the same twice, and the checker must not count on it.
        register(
            id=REAL_ARM_ID,
            entry_point="robovalue_envs.real_arm.env:RealArmEnv",
            nondeterministic=True,
        )

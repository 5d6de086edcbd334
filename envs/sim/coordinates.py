"""The hand's pose and grip as named coordinates that can be measured and asked for.

The environment's actions are changes; a robot in the field is told where to be. Metres and radians
in the world frame; the grip is the width between the fingers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from robovalue_envs.sim import layout as at
from robovalue_envs.sim.control import (
    MOVE_SCALE,
    TURN_SCALE,
    Targets,
    axis_angle_of,
    quat_from_euler,
    quat_product,
)
from robovalue_envs.sim.world import World
from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.contracts.validate import describe

COORDINATE_NAMES = ("x", "y", "z", "yaw", "pitch", "roll", "gripper")
GRIPPER_OPEN = 2.0 * at.FINGER_OPEN
_NO_TURN = 1e-9


def measured(world: World) -> NDArray[np.float64]:
    """Return where the hand is (7,), in the order of the names."""
    q = world.joints()
    return np.array([*q[:6], q[6] + q[7]])


def action_towards(targets: Targets, wanted: Sequence[float]) -> NDArray[np.float32]:
    """Return the action (7,) that moves the targets to `wanted` (7,), or one step towards it.

    Raises ContractError on NaN, infinity or a wrong shape.
    """
    values = np.asarray(wanted, np.float64)
    if values.shape != (len(COORDINATE_NAMES),) or not np.isfinite(values).all():
        raise ContractError("targets", f"{len(COORDINATE_NAMES)} finite numbers", describe(values))
    goal = values.tolist()
    move = [(g - n) / MOVE_SCALE for g, n in zip(goal[:3], targets.position, strict=True)]
    return _action(move, _turn(targets.turn, goal[3:6]), goal[6])


def still_action(targets: Targets) -> NDArray[np.float32]:
    """Return the action (7,) that leaves hand and fingers where they were told to be."""
    return _action([0.0] * 3, (0.0, 0.0, 0.0), 2.0 * targets.finger)


def _action(move: Sequence[float], turn: Sequence[float], gripper: float) -> NDArray[np.float32]:
    action = np.array([*move, *turn, 1.0 - 2.0 * gripper / GRIPPER_OPEN])
    clipped: NDArray[np.float32] = np.clip(action, -1.0, 1.0).astype(np.float32)
    return clipped


def _turn(now: Sequence[float], goal: Sequence[float]) -> tuple[float, float, float]:
    """Return the turn in action units from yaw, pitch, roll towards others.

    Goes along the angles, not by the shortest way, which may lead through a limit.
    """
    change = [g - n for g, n in zip(goal, now, strict=True)]
    size = sum(map(abs, change))
    if size < _NO_TURN:
        return 0.0, 0.0, 0.0
    share = min(1.0, TURN_SCALE / size)
    there = quat_from_euler(*(n + share * c for n, c in zip(now, change, strict=True)))
    w, x, y, z = quat_from_euler(*now)
    turn = axis_angle_of(quat_product(there, (w, -x, -y, -z)))
    return turn[0] / TURN_SCALE, turn[1] / TURN_SCALE, turn[2] / TURN_SCALE

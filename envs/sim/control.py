"""From actions to position targets, in plain floats: the same bits however many worlds there are.

An action holds seven numbers in [-1, 1]: a move along x, y, z (1 is 0.05 m), a turn as axis-angle
in the world frame (1 is 0.5 rad) and the gripper (-1 open, 1 closed).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robovalue_envs.sim import layout as at
from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.contracts.validate import describe

MOVE_SCALE = 0.05
TURN_SCALE = 0.5
ACTION_DIM = 7
ACTION_NAMES = ("dx", "dy", "dz", "drx", "dry", "drz", "gripper")
STATE_NAMES = ("x", "y", "z", "rx", "ry", "rz", "finger_left", "finger_right")
FINGER_STEP = 0.009  # metres per control step, so that closing is seen in several frames
LEASH = 0.06  # metres that the target may run ahead of a hand that something blocks


def checked_actions(actions: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return actions as float64 clipped to [-1, 1]; raises ContractError on shape, NaN or inf."""
    expected = f"finite numbers of shape {shape}"
    try:
        array = np.asarray(actions, np.float64)
    except (TypeError, ValueError):
        raise ContractError("action", expected, describe(actions)) from None
    if array.shape != shape:
        raise ContractError("action", expected, describe(array))
    if not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))[0].tolist()
        raise ContractError("action", expected, f"NaN or infinite at index {bad}")
    clipped: NDArray[np.float64] = np.clip(array, -1.0, 1.0)
    return clipped


class Targets:
    """Where hand and fingers are told to go; moved by actions, limited to the workspace.

    position: x, y, z. turn: yaw, pitch, roll. finger: metres from closed.
    """

    __slots__ = ("finger", "position", "turn")

    def __init__(self, position: Sequence[float]) -> None:
        self.position = [float(value) for value in position]
        self.turn = [0.0, 0.0, 0.0]
        self.finger = at.FINGER_OPEN

    def move(self, action: Sequence[float], hand: Sequence[float]) -> None:
        """Apply one checked action. hand: the hand's measured x, y, z."""
        for axis in range(3):
            moved = self.position[axis] + MOVE_SCALE * action[axis]
            moved = min(max(moved, hand[axis] - LEASH), hand[axis] + LEASH)
            low, high = at.WORKSPACE_LOW[axis], at.WORKSPACE_HIGH[axis]
            self.position[axis] = min(max(moved, low), high)
        if action[3] != 0.0 or action[4] != 0.0 or action[5] != 0.0:
            self.turn = _turned(self.turn, action[3], action[4], action[5])
        wanted = at.FINGER_OPEN * 0.5 * (1.0 - action[6])
        change = min(max(wanted - self.finger, -FINGER_STEP), FINGER_STEP)
        self.finger += change

    def values(self) -> list[float]:
        """Return the controls in the order of the actuators."""
        return [*self.position, *self.turn, self.finger, self.finger]


def _turned(turn: list[float], x: float, y: float, z: float) -> list[float]:
    size = math.sqrt(x * x + y * y + z * z)
    half = 0.5 * TURN_SCALE * size
    scale = math.sin(half) / size
    step = (math.cos(half), x * scale, y * scale, z * scale)
    yaw, pitch, roll = euler_from_quat(quat_product(step, quat_from_euler(*turn)))
    yaw = turn[0] + math.remainder(yaw - turn[0], 2.0 * math.pi)
    limits = (at.YAW_LIMIT, at.TILT_LIMIT, at.TILT_LIMIT)
    return [
        min(max(value, -limit), limit)
        for value, limit in zip((yaw, pitch, roll), limits, strict=True)
    ]


Quat = tuple[float, float, float, float]


def quat_from_euler(yaw: float, pitch: float, roll: float) -> Quat:
    """Return (w, x, y, z) of the rotation Rz(yaw) Ry(pitch) Rx(roll)."""
    cz, sz = math.cos(0.5 * yaw), math.sin(0.5 * yaw)
    cy, sy = math.cos(0.5 * pitch), math.sin(0.5 * pitch)
    cx, sx = math.cos(0.5 * roll), math.sin(0.5 * roll)
    return (
        cx * cy * cz + sx * sy * sz,
        sx * cy * cz - cx * sy * sz,
        cx * sy * cz + sx * cy * sz,
        cx * cy * sz - sx * sy * cz,
    )


def euler_from_quat(q: Quat) -> tuple[float, float, float]:
    """Return (yaw, pitch, roll) of (w, x, y, z); the inverse of `quat_from_euler`."""
    w, x, y, z = q
    sine = min(1.0, max(-1.0, 2.0 * (w * y - z * x)))
    return (
        math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z)),
        math.asin(sine),
        math.atan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y)),
    )


def quat_product(a: Quat, b: Quat) -> Quat:
    """Return the rotation b followed by a."""
    aw, ax, ay, az = a
    bw, bx, by, bz = b
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )


def axis_angle(yaw: float, pitch: float, roll: float) -> tuple[float, float, float]:
    """Return the rotation vector; zero for a hand that points straight down, unturned."""
    return axis_angle_of(quat_from_euler(yaw, pitch, roll))


def axis_angle_of(q: Quat) -> tuple[float, float, float]:
    """Return the rotation vector of (w, x, y, z)."""
    w, x, y, z = q
    if w < 0.0:
        w, x, y, z = -w, -x, -y, -z
    sine = math.sqrt(x * x + y * y + z * z)
    scale = 2.0 * math.atan2(sine, w) / sine if sine > 1e-12 else 2.0
    return x * scale, y * scale, z * scale

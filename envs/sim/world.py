"""One simulated table: physics, reset and readings, without rendering and without Gymnasium."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_envs.sim import layout as at
from robovalue_envs.sim.control import Targets, axis_angle
from robovalue_envs.sim.engine import mujoco
from robovalue_envs.sim.layout import XYZ, Layout, draw_layout
from robovalue_envs.sim.progress import Judge, Judgement, Reading
from robovalue_envs.sim.scene import SUBSTEPS, scene_xml
from robovalue_envs.sim.tasks import Task

HAND_JOINTS = 6
FIRST_THING = 8  # after the hand's six joints and the two fingers
SETTLING_STEPS = 40


def build_model(task: Task, distractors: int = 0) -> Any:
    """Compile the scene of a task; a model is read-only while worlds step, so they may share it."""
    return mujoco.MjModel.from_xml_string(scene_xml(task, distractors))


class World:
    """One table. model: shared or its own, from `build_model` with the same arguments."""

    def __init__(
        self, task: Task, distractors: int = 0, jitter: float = 1.0, model: Any = None
    ) -> None:
        self.task = task
        self.model = build_model(task, distractors) if model is None else model
        self.data = mujoco.MjData(self.model)
        self._distractors = distractors
        self._jitter = jitter
        self._qpos = self.data.qpos
        self._ctrl = self.data.ctrl
        self.layout: Layout
        self.targets: Targets
        self.judge: Judge
        self.reading: Reading
        self.judgement: Judgement
        self.progress = 0.0
        self.drops = 0
        self.steps = 0
        self._qlist: list[float] = []
        self._lifted = False
        self._carried = -1

    def reset(self, rng: np.random.Generator) -> None:
        """Start an episode; the outcome depends on the generator's state and nothing else."""
        self.layout = draw_layout(self.task, self._distractors, self._jitter, rng)
        mujoco.mj_resetData(self.model, self.data)
        self.targets = Targets(self.layout.hand)
        self._place_everything()
        self._ctrl[:] = self.targets.values()
        mujoco.mj_step(self.model, self.data, SETTLING_STEPS)
        self.data.time = 0.0
        self.drops = 0
        self.steps = 0
        self._lifted = False
        self._qlist = self._qpos.tolist()
        self.reading = self._read()
        self.judge = Judge(self.task, self.layout.goal, self.reading)
        self._judge()

    def step(self, action: list[float]) -> None:
        """Advance one control step (0.05 s) with a checked action of seven numbers."""
        self.targets.move(action, self.reading.hand)
        self._ctrl[:] = self.targets.values()
        mujoco.mj_step(self.model, self.data, SUBSTEPS)
        self.steps += 1
        self._qlist = self._qpos.tolist()
        self.reading = self._read()
        self._judge()

    def state(self) -> list[float]:
        """Return hand position (3), axis-angle (3) and finger positions (2)."""
        q = self._qlist
        return [q[0], q[1], q[2], *axis_angle(q[3], q[4], q[5]), q[6], q[7]]

    def joints(self) -> list[float]:
        """Return x, y, z, yaw, pitch, roll and both fingers, each in metres or radians."""
        return self._qlist[:FIRST_THING]

    def physics(self) -> NDArray[np.float64]:
        """Return positions and velocities of every joint: what two equal worlds must share."""
        return np.concatenate([self.data.qpos, self.data.qvel])

    def thing_yaw(self, index: int) -> float:
        """Return the turn of an object about the vertical, radians."""
        start = self._first_free() + 7 * index + 3
        w, x, y, z = self._qlist[start : start + 4]
        return math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))

    def _first_free(self) -> int:
        return FIRST_THING + (1 if self.task.drawer else 0)

    def _place_everything(self) -> None:
        self._qpos[:3] = self.layout.hand
        self._qpos[6:8] = at.FINGER_OPEN
        self.data.mocap_pos[0] = (*self.layout.goal, 0.0)
        heights = [thing.half[1] for thing in self.task.things]
        heights += [thing.half[1] for thing in at.DISTRACTORS[: self._distractors]]
        start = self._first_free()
        spots = (*self.layout.things, *self.layout.distractors)
        for (x, y, yaw), height in zip(spots, heights, strict=True):
            half = 0.5 * yaw
            self._qpos[start : start + 7] = (x, y, height, math.cos(half), 0, 0, math.sin(half))
            start += 7

    def _read(self) -> Reading:
        q = self._qlist
        cz, sz, cy, sy = math.cos(q[3]), math.sin(q[3]), math.cos(q[4]), math.sin(q[4])
        cx, sx = math.cos(q[5]), math.sin(q[5])
        rotation = (
            cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx,
            sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx,
            -sy, cy * sx, cy * cx,
        )  # fmt: skip
        start = self._first_free()
        things: tuple[XYZ, ...] = tuple(
            (q[i], q[i + 1], q[i + 2]) for i in range(start, start + 7 * len(self.task.things), 7)
        )
        drawer = q[FIRST_THING] if self.task.drawer else 0.0
        return Reading((q[0], q[1], q[2]), rotation, q[6] + q[7], things, drawer)

    def _judge(self) -> None:
        now = self.judge(self.reading)
        self.judgement = now
        self.progress = self.judge.progress(now)
        if self.task.drawer:
            return
        if now.held >= 0:
            rest = self.task.things[now.held].half[1]
            self._lifted = self.reading.things[now.held][2] > rest + 0.03
            self._carried = now.held
        elif self._lifted:
            self._lifted = False
            if not self.judge.boxed(self.reading, self._carried):
                self.drops += 1

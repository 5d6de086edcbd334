"""The Gymnasium environment over one world."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from robovalue_envs.sim import coordinates
from robovalue_envs.sim import layout as at
from robovalue_envs.sim.control import ACTION_DIM, checked_actions
from robovalue_envs.sim.rendering import CAMERAS, SceneRenderer, set_light
from robovalue_envs.sim.tasks import CONTROL_HZ, find_task
from robovalue_envs.sim.world import World
from robovalue_ros.contracts.errors import ConfigError

Observation = dict[str, NDArray[Any]]

_SLACK = 0.1  # a blocked hand may be pushed a little beyond its targets
# Fingers have stops that give a little when the hand pushes against something.
_LOW = (*(v - _SLACK for v in at.WORKSPACE_LOW), *(-4.0,) * 3, -0.06, -0.06)
_HIGH = (*(v + _SLACK for v in at.WORKSPACE_HIGH), *(4.0,) * 3, 0.10, 0.10)


class TabletopEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """A gripper arm over a table, controlled at 20 Hz.

    task: a name of TASKS. observation: "pixels" (both cameras and the state) or "state" (no
    renderer). size: picture height and width, one number or two. reward: "dense" is the change of
    true progress, "sparse" is 1 on success. distractors: objects that do not matter, 0..4. jitter:
    0 puts everything at its usual place, 1 anywhere. light: gain of the lights, one number or RGB.
    stop_on_success: end the episode when the task is done. max_steps: None takes the task's limit.
    Raises ConfigError, RenderError; `step` raises ContractError on NaN or a wrong shape.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": CONTROL_HZ}  # noqa: RUF012 - Gymnasium

    def __init__(
        self,
        task: str = "put_red_cube",
        *,
        observation: Literal["pixels", "state"] = "pixels",
        size: int | tuple[int, int] = 128,
        reward: Literal["dense", "sparse"] = "dense",
        distractors: int = 0,
        jitter: float = 1.0,
        light: float | Sequence[float] = 1.0,
        stop_on_success: bool = True,
        max_steps: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.task = find_task(task)
        _check_choice("observation", observation, ("pixels", "state"))
        _check_choice("reward", reward, ("dense", "sparse"))
        _check_choice("render_mode", render_mode, (None, "rgb_array"))
        _check_number("distractors", distractors, 0, len(at.DISTRACTORS))
        _check_number("jitter", jitter, 0.0, 1.0)
        self.render_mode = render_mode
        self._pixels = observation == "pixels"
        self._dense = reward == "dense"
        self._stop = stop_on_success
        self._limit = self.task.max_steps if max_steps is None else max_steps
        _check_number("max_steps", self._limit, 1, 1_000_000)
        self._size = _checked_size(size)
        self.world = World(self.task, distractors, jitter)
        set_light(self.world.model, _checked_light(light))
        self._renderer: SceneRenderer | None = None
        self._started = False
        self.action_space = spaces.Box(-1.0, 1.0, (ACTION_DIM,), np.float32)
        state = spaces.Box(np.array(_LOW, np.float32), np.array(_HIGH, np.float32))
        seen: dict[str, spaces.Space[Any]] = {"state": state}
        if self._pixels:
            seen |= {name: spaces.Box(0, 255, (*self._size, 3), np.uint8) for name in CAMERAS}
        self.observation_space: spaces.Dict = spaces.Dict(seen)  # type: ignore[assignment]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; the same seed gives the same episode, bit by bit."""
        super().reset(seed=seed)
        self.world.reset(self.np_random)
        self._started = True
        info = self._info(dropped=False)
        info["substeps"] = self.task.substeps
        info["instruction"] = self.task.instruction
        return self._observe(), info

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, SupportsFloat, bool, bool, dict[str, Any]]:
        """Advance 0.05 s."""
        if not self._started:
            raise ResetNeeded("call reset() before step()")
        checked = checked_actions(action, (ACTION_DIM,)).tolist()
        world = self.world
        progress, drops = world.progress, world.drops
        world.step(checked)
        success = world.judgement.success
        reward = world.progress - progress if self._dense else float(success)
        terminated = success and self._stop
        truncated = not terminated and world.steps >= self._limit
        return self._observe(), reward, terminated, truncated, self._info(world.drops > drops)

    def render(self) -> NDArray[np.uint8] | None:
        """Return the picture of the fixed camera, (H, W, 3) uint8, in mode rgb_array."""
        if self.render_mode is None:
            return None
        if not self._started:
            raise ResetNeeded("call reset() before render()")
        return self._pictures(CAMERAS[:1])[CAMERAS[0]]

    def close(self) -> None:
        """Let go of the renderer; the next picture opens it again."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        """What can be measured and asked for: x, y, z, yaw, pitch, roll and gripper."""
        return coordinates.COORDINATE_NAMES

    def coordinates(self) -> NDArray[np.float64]:
        """Return where the hand is (7,), metres and radians; the gripper's width in metres."""
        self._check_started()
        return coordinates.measured(self.world)

    def action_towards(self, targets: Sequence[float]) -> NDArray[np.float32]:
        """Return the action (7,) that moves the hand towards coordinates (7,) in one step.

        Raises ContractError on NaN or a wrong shape.
        """
        self._check_started()
        return coordinates.action_towards(self.world.targets, targets)

    def still_action(self) -> NDArray[np.float32]:
        """Return the action (7,) that leaves hand and fingers where they were told to be."""
        self._check_started()
        return coordinates.still_action(self.world.targets)

    def _check_started(self) -> None:
        if not self._started:
            raise ResetNeeded("call reset() first")

    def _observe(self) -> Observation:
        seen: Observation = dict(self._pictures(CAMERAS)) if self._pixels else {}
        seen["state"] = np.array(self.world.state(), np.float32)
        return seen

    def _pictures(self, cameras: Sequence[str]) -> dict[str, NDArray[np.uint8]]:
        if self._renderer is None:
            self._renderer = SceneRenderer(self.world, self._size)
        return self._renderer.render(cameras)

    def _info(self, dropped: bool) -> dict[str, Any]:
        now = self.world.judgement
        return {
            "progress": self.world.progress,
            "success": now.success,
            "substep": self.task.substeps[now.substep],
            "substep_index": now.substep,
            "grasped": now.held >= 0,
            "dropped": dropped,
            "drops": self.world.drops,
        }


def _check_choice(name: str, value: object, choices: Sequence[object]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} is {value!r}", f"one of {', '.join(map(str, choices))}")


def _check_number(name: str, value: float, low: float, high: float) -> None:
    if not (isinstance(value, int | float) and low <= value <= high):
        raise ConfigError(f"{name} is {value!r}", f"a number in {low}..{high}")


def _checked_size(size: int | tuple[int, int]) -> tuple[int, int]:
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2:
        raise ConfigError(f"size is {size!r}", "one number, or height and width")
    height, width = pair
    for name, value in (("height", height), ("width", width)):
        _check_number(f"size ({name})", value, 16, 1024)
    return int(height), int(width)


def _checked_light(light: float | Sequence[float]) -> list[float]:
    values = [light] * 3 if isinstance(light, int | float) else list(light)
    if len(values) != 3 or not all(math.isfinite(v) and 0.1 <= v <= 5.0 for v in values):
        raise ConfigError(f"light is {light!r}", "one gain in 0.1..5 or three")
    return [float(value) for value in values]

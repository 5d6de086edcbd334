"""Any Gymnasium environment as a robot: what it shows, where it is, what moves it.

Knows no ROS. Everything here is made, used and closed in one thread, because a graphics context
belongs to the thread that made it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import ConfigError, RobovalueError
from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.types import Array, Scalar
from robovalue_ros.nodes.sim_config import SimNodeConfig, env_arguments

Floats = NDArray[np.float64]
ONLY_PICTURE = "camera"  # of an environment whose whole observation is one
STATE = "state"


@dataclass(frozen=True, slots=True)
class About:
    """What a robot is. cameras: name -> (height, width); names: of what it measures, (D,).

    commanded: how many numbers a command holds. by_name: whether commands are positions of names.
    """

    env: str
    cameras: Mapping[str, tuple[int, int]]
    names: tuple[str, ...]
    rate_hz: float
    commanded: int
    by_name: bool


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """What a robot shows after a step. positions: (D,). state: the observation's own numbers.

    progress, success: the truth, where the environment tells it. numbers: scalars of `info`.
    ended: why the episode is over; empty while it is not.
    """

    images: Mapping[str, Image]
    positions: Floats
    state: Array
    reward: float
    progress: float | None
    success: bool | None
    ended: str = ""
    numbers: Mapping[str, Scalar] = field(default_factory=dict)


class SimRobot:
    """One environment, its policy and its coordinates. Raises ConfigError, and what it raises."""

    def __init__(self, config: SimNodeConfig) -> None:
        self._config = config
        self._env = _make(config)
        try:
            self._cameras, self._states = _parts(self._env.observation_space)
            self.about = self._describe()
            if config.policy == "expert":
                _check_expert(self._robot, config)
        except RobovalueError:
            self._env.close()
            raise
        self.instruction = config.env
        self.seed = 0
        self._policy: Callable[[], Array | None] | None = None

    def begin(self, index: int) -> Moment:
        """Begin the episode with this number; the same seed and number begin the same one."""
        # The rule of `robovalue sim record`, so that both play the same episodes.
        rng = np.random.default_rng([self._config.seed, index])
        self.seed = int(rng.integers(2**31))
        seen, info = self._env.reset(seed=self.seed)
        task = getattr(self._env.unwrapped, "task", None)
        told = info.get("instruction") or getattr(task, "instruction", None)
        self.instruction = str(told or self._config.env)
        self._policy = self._new_policy(index)
        return self._moment(seen, info, 0.0, "")

    def act(self, command: Floats | None) -> Array | None:
        """Return the next action: the policy's, the commanded one, or to hold still.

        None: the policy has finished.
        """
        if self._policy is not None:
            return self._policy()
        if command is None:
            return self.still()
        if self.about.by_name:
            towards: Array = self._robot.action_towards(command)
            return towards
        return _fitted(command, self._env.action_space)

    def still(self) -> Array:
        """Return the action that moves nothing: the environment's own, else zeros."""
        still = getattr(self._robot, "still_action", None)
        if still is not None:
            own: Array = still()
            return own
        return _fitted(np.zeros(self.about.commanded), self._env.action_space)

    def step(self, action: Array) -> Moment:
        """Advance by one control step."""
        discrete = isinstance(self._env.action_space, spaces.Discrete)
        given = int(action[0]) if discrete else action
        seen, reward, terminated, truncated, info = self._env.step(given)
        ended = "terminated" if terminated else "truncated" if truncated else ""
        return self._moment(seen, info, float(reward), ended)

    def close(self) -> None:
        """Let go of the environment."""
        self._env.close()

    @property
    def _robot(self) -> Any:
        return self._env.unwrapped

    def _describe(self) -> About:
        config, env = self._config, self._env
        named = tuple(getattr(self._robot, "coordinate_names", ()))
        action = env.action_space
        row = isinstance(action, spaces.Box) and len(action.shape) == 1
        if not row and not isinstance(action, spaces.Discrete):
            raise ConfigError(f"{config.env} takes {action}", "one row of numbers, or a choice")
        by_name = config.commands == "position" and bool(named)
        if config.policy == "none" and config.commands == "position" and not named:
            raise ConfigError(
                f"{config.env} has no named coordinates that a command could be positions of",
                "commands:=action",
            )
        sizes = {name: (space.shape[0], space.shape[1]) for name, space in self._cameras.items()}
        count = sum(space.shape[0] for space in self._states.values())
        size = int(action.shape[0]) if isinstance(action, spaces.Box) else 1
        return About(
            config.env, sizes, named or tuple(f"{STATE}_{place}" for place in range(count)),
            config.rate_hz or _fps(env, config.env),
            len(named) if by_name else size, by_name,
        )  # fmt: skip

    def _new_policy(self, index: int) -> Callable[[], Array | None] | None:
        config = self._config
        if config.policy == "random":
            space = self._env.action_space
            space.seed(self.seed)
            return lambda: np.atleast_1d(space.sample())
        if config.policy == "expert":
            return _expert(self._robot, config, index)
        return None

    def _moment(self, seen: Any, info: Mapping[str, Any], reward: float, ended: str) -> Moment:
        parts = seen if isinstance(seen, Mapping) else {ONLY_PICTURE: seen, STATE: seen}
        rows = [np.asarray(parts[name]) for name in self._states]
        state = np.concatenate(rows) if rows else np.empty(0, np.float32)
        coordinates = getattr(self._robot, "coordinates", None)
        positions = state if coordinates is None else coordinates()
        numbers = {
            str(name): value.item() if isinstance(value, np.generic) else value
            for name, value in info.items()
            if isinstance(value, bool | int | float | np.bool_ | np.number)
        }
        progress, success = numbers.get("progress"), numbers.get("success")
        return Moment(
            {name: np.asarray(parts[name]) for name in self._cameras},
            np.asarray(positions, np.float64),
            state,
            reward,
            None if progress is None else float(progress),
            None if success is None else bool(success),
            ended,
            numbers,
        )


def _make(config: SimNodeConfig) -> gymnasium.Env[Any, Any]:
    import robovalue_envs  # noqa: F401 - registers the ids

    arguments = env_arguments(config.env_options)
    try:
        made: gymnasium.Env[Any, Any] = gymnasium.make(
            config.env, disable_env_checker=True, **arguments
        )
    except (gymnasium.error.Error, ImportError) as problem:
        raise ConfigError(
            f"the environment {config.env} cannot be made: {_first_line(problem)}",
            "an id that Gymnasium knows, such as robovalue/PutRedCubeInBox-v0",
        ) from problem
    except TypeError as problem:
        # What Python says about an argument that nobody knows; it names it.
        raise ConfigError(
            f"the environment {config.env} cannot be made: {_first_line(problem)}",
            "arguments that it has",
        ) from problem
    return made


def _first_line(problem: Exception) -> str:
    return (str(problem).splitlines() or [type(problem).__name__])[0]


def _parts(space: spaces.Space[Any]) -> tuple[dict[str, spaces.Box], dict[str, spaces.Box]]:
    """Return the pictures and the rows of numbers of an observation, by name."""
    if isinstance(space, spaces.Dict):
        found = dict(space.spaces)
    else:
        found = {ONLY_PICTURE if _is_picture(space) else STATE: space}
    pictures = {name: part for name, part in found.items() if _is_picture(part)}
    rows = {
        name: part
        for name, part in found.items()
        if isinstance(part, spaces.Box) and len(part.shape) == 1 and part.dtype.kind == "f"
    }
    return pictures, rows  # type: ignore[return-value]


def _is_picture(space: spaces.Space[Any]) -> bool:
    return (
        isinstance(space, spaces.Box)
        and space.dtype == np.uint8
        and len(space.shape) == 3
        and space.shape[2] == 3
    )


def _fps(env: gymnasium.Env[Any, Any], name: str) -> float:
    fps = env.metadata.get("render_fps")
    if not isinstance(fps, int | float) or not fps > 0:
        raise ConfigError(f"{name} does not say how fast it steps (render_fps)", "rate_hz")
    return float(fps)


def _fitted(values: Floats, space: spaces.Space[Any]) -> Array:
    """Return values as an action that the space holds."""
    if isinstance(space, spaces.Discrete):
        first, last = int(space.start), int(space.start + space.n) - 1
        return np.array([min(max(round(float(values[0])), first), last)])
    assert isinstance(space, spaces.Box)
    fitted: Array = np.clip(values, space.low, space.high).astype(space.dtype)
    return fitted


def _check_expert(robot: Any, config: SimNodeConfig) -> None:
    from robovalue_envs.sim.env import TabletopEnv
    from robovalue_envs.sim.styles import find_style

    if not isinstance(robot, TabletopEnv):
        raise ConfigError(
            f"the expert does not know {config.env}", "a task of the simulator that comes with this"
        )
    find_style(config.behaviour, robot.task)


def _expert(robot: Any, config: SimNodeConfig, index: int) -> Callable[[], Array | None]:
    from robovalue_envs.sim.expert import Expert

    expert = Expert(robot, np.random.default_rng([config.seed, index, 1]), mode=config.behaviour)

    def act() -> Array | None:
        action = expert.act()
        return None if expert.done else action

    return act

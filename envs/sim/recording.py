"""Episodes of the scripted expert, rolled out when they are opened."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_envs.sim.control import ACTION_NAMES, STATE_NAMES
from robovalue_envs.sim.env import TabletopEnv
from robovalue_envs.sim.expert import Expert
from robovalue_envs.sim.rendering import CAMERAS
from robovalue_envs.sim.styles import MANNERS, find_style, modes_of
from robovalue_envs.sim.tasks import STEP_NS, find_task
from robovalue_ros.contracts.config import check_ranges
from robovalue_ros.contracts.errors import ConfigError, DataError, nearest
from robovalue_ros.contracts.frames import ArrayFrames
from robovalue_ros.contracts.simulate import SimulateConfig
from robovalue_ros.contracts.types import Episode, Finding


@dataclass(frozen=True)
class EpisodePlan:
    """What one episode shall be. mode: a manner of success or a failure mode."""

    index: int
    seed: int
    mode: str
    success: bool


class SimulatedEpisodes:
    """An EpisodeReader whose episodes are played, not read.

    Frame t is what was seen before action t. The last frame shows the outcome; its action holds
    still. `success` is what truly happened, not what was planned. Raises ConfigError.
    """

    format = "simulator"

    def __init__(self, config: SimulateConfig) -> None:
        check_ranges(config, "simulator")
        self._config = config
        self._task = find_task(config.task)
        self._modes = modes_of(self._task) if config.modes is None else config.modes
        self._manners = MANNERS if config.manners is None else config.manners
        self._good = _planned_successes(config)
        self._check_names()
        self._env: TabletopEnv | None = None

    @property
    def path(self) -> Path:
        return Path("simulator") / self._task.name

    def episode_ids(self) -> tuple[str, ...]:
        return tuple(f"episode_{index:06d}" for index in range(self._config.episodes))

    def plan(self, index: int) -> EpisodePlan:
        """Return the plan of one episode; it depends on the configuration and the index only."""
        rng = np.random.default_rng([self._config.seed, index])
        seed = int(rng.integers(2**31))
        success = bool(self._good[index])
        names = self._manners if success else self._modes
        return EpisodePlan(index, seed, names[int(rng.integers(len(names)))], success)

    def open(self, episode_id: str) -> Episode:
        ids = self.episode_ids()
        if episode_id not in ids:
            raise DataError(self.path, f"no episode {episode_id!r}", hint=nearest(episode_id, ids))
        if self._env is None:
            config = self._config
            self._env = TabletopEnv(
                config.task, size=config.size, distractors=config.distractors,
                jitter=config.jitter, light=config.light,
            )  # fmt: skip
        plan = self.plan(ids.index(episode_id))
        rng = np.random.default_rng([self._config.seed, plan.index, 1])
        return play_episode(self._env, episode_id, plan, self._config.skill, rng)

    def findings(self) -> tuple[Finding, ...]:
        return ()

    def close(self) -> None:
        if self._env is not None:
            self._env.close()
            self._env = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_env": None}

    def _check_names(self) -> None:
        known = modes_of(self._task)
        for kind, names, choices in (
            ("mode", self._modes, known),
            ("manner", self._manners, MANNERS),
        ):
            for name in names:
                find_style(name, self._task)
                if name not in choices:
                    raise ConfigError(f"{name!r} is no {kind}", f"one of {', '.join(choices)}")
        if (self._good.all() or self._modes) and (not self._good.any() or self._manners):
            return
        raise ConfigError("there is nothing to draw from", "at least one mode and one manner")


def play_episode(
    env: TabletopEnv, episode_id: str, plan: EpisodePlan, skill: float, rng: np.random.Generator
) -> Episode:
    """Roll out the expert until it is done, the task is done or time is up."""
    seen, info = env.reset(seed=plan.seed)
    expert = Expert(env, rng, skill, plan.mode)
    rows = [_row(seen, info)]
    actions: list[NDArray[np.float32]] = []
    rewards: list[float] = []
    ended = False
    while not ended:
        action = expert.act()
        if expert.done:
            break
        seen, reward, terminated, truncated, info = env.step(action)
        rows.append(_row(seen, info))
        actions.append(action)
        rewards.append(float(reward))
        ended = terminated or truncated
    hold = np.zeros(7, np.float32)
    hold[6] = actions[-1][6] if actions else -1.0
    columns = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return Episode(
        id=episode_id,
        task=env.task.instruction,
        stamps_ns=np.arange(len(rows), dtype=np.int64) * STEP_NS,
        cameras={name: ArrayFrames(columns.pop(name)) for name in CAMERAS},
        states=columns.pop("state"),
        actions=np.stack([*actions, hold]),
        success=bool(info["success"]),
        signals={**columns, "reward": np.array([*rewards, 0.0])},
        state_names=STATE_NAMES,
        action_names=ACTION_NAMES,
        meta={
            "mode": plan.mode,
            "planned_success": plan.success,
            "seed": plan.seed,
            "skill": skill,
            "env_id": env.task.env_id,
            "drops": int(info["drops"]),
        },
    )


def _row(seen: dict[str, NDArray[Any]], info: dict[str, Any]) -> dict[str, Any]:
    return {
        **seen,
        "progress": np.float64(info["progress"]),
        "substep_index": np.int64(info["substep_index"]),
        "grasped": np.bool_(info["grasped"]),
        "dropped": np.bool_(info["dropped"]),
    }


def _planned_successes(config: SimulateConfig) -> NDArray[np.bool_]:
    """Return (episodes,) bool with exactly the rounded share of successes, in shuffled order."""
    count = math.floor(config.success_rate * config.episodes + 0.5)
    flags = np.arange(config.episodes) < count
    order = np.random.default_rng([config.seed, config.episodes]).permutation(config.episodes)
    shuffled: NDArray[np.bool_] = flags[order]
    return shuffled

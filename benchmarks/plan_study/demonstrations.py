"""Demonstrations of the scripted expert, and what the policy sees of a world."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.plan_study.settings import StudyConfig
from robovalue_envs.sim.env import TabletopEnv
from robovalue_envs.sim.expert import Expert
from robovalue_envs.sim.progress import handle_spot
from robovalue_envs.sim.rendering import CAMERAS
from robovalue_envs.sim.styles import MANNERS
from robovalue_envs.sim.world import World
from robovalue_ros.contracts.progress import Progress

Singles = NDArray[np.float32]
Pictures = Mapping[str, NDArray[np.uint8]]


@dataclass(frozen=True, slots=True, eq=False)
class Demo:
    """One success: states (T, 8), observations (T, O), actions (T, 7), true progress (T,).

    number: which play of the expert it is. Row t is what was seen before action t; the last row
    shows the outcome, and its action holds still. pictures: (T, H, W, 3) by camera, or none.
    """

    number: int
    manner: str
    states: Singles
    observations: Singles
    actions: Singles
    progress: NDArray[np.float64]
    pictures: Pictures


def observed(world: World) -> list[float]:
    """Return what the policy sees: the robot's state, and the objects as seen from the hand.

    Metres. An object's turn is told as four times the angle, because a cube looks the same after a
    quarter turn. Nothing of the judge's progress, of stages or of time is in it.
    """
    x, y, z = world.reading.hand
    goal = world.layout.goal
    found = world.state()
    if world.task.drawer:
        spot = handle_spot(goal, world.reading.drawer)
        return [*found, spot[0] - x, spot[1] - y, spot[2] - z, world.reading.drawer]
    for index, thing in enumerate(world.reading.things):
        turn = 4.0 * world.thing_yaw(index)
        found += [thing[0] - x, thing[1] - y, thing[2] - z, math.cos(turn), math.sin(turn)]
    return [*found, goal[0] - x, goal[1] - y]


def demonstrations(config: StudyConfig, progress: Progress) -> tuple[Demo, ...]:
    """Play until there are enough successes, in all manners of the expert, without pictures."""
    env = TabletopEnv(config.task, observation="state")
    found: list[Demo] = []
    number = 0
    with progress.stage("demonstrations", config.demos) as tick:
        while len(found) < config.demos:
            demo = _play(env, config.demo_seed, number)
            number += 1
            if demo is not None:
                found.append(demo)
                tick(1)
    return tuple(found)


def with_pictures(config: StudyConfig, demo: Demo, env: TabletopEnv) -> Demo:
    """Play a demonstration again in an environment that shows pictures."""
    again = _play(env, config.demo_seed, demo.number)
    assert again is not None and np.array_equal(again.states, demo.states)
    return again


def _play(env: TabletopEnv, seed: int, number: int) -> Demo | None:
    """Let the expert play; None where it fails."""
    rng = np.random.default_rng([seed, number])
    seen, info = env.reset(seed=int(rng.integers(2**31)))
    manner = MANNERS[int(rng.integers(len(MANNERS)))]
    expert = Expert(env, rng, 1.0, manner)
    rows, watched, known = [seen], [observed(env.world)], [float(info["progress"])]
    actions: list[Singles] = []
    ended = False
    while not ended:
        action = expert.act()
        if expert.done:
            break
        seen, _, terminated, truncated, info = env.step(action)
        rows.append(seen)
        watched.append(observed(env.world))
        known.append(float(info["progress"]))
        actions.append(action)
        ended = terminated or truncated
    if not info["success"]:
        return None
    hold = np.zeros(7, np.float32)
    hold[6] = actions[-1][6]
    return Demo(
        number,
        manner,
        np.stack([row["state"] for row in rows]),
        np.array(watched, np.float32),
        np.stack([*actions, hold]),
        np.array(known),
        {name: np.stack([row[name] for row in rows]) for name in CAMERAS if name in seen},
    )

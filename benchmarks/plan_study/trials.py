"""Policies try the task in many worlds at once, judged by the simulator's own success."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.plan_study.demonstrations import observed
from benchmarks.plan_study.policy import Policy
from benchmarks.plan_study.settings import StudyConfig
from robovalue_envs.sim.batch import BatchSim


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """Success (E,) of every episode, and the steps (E,) that it took."""

    success: NDArray[np.bool_]
    steps: NDArray[np.int64]


def initial_states(config: StudyConfig, seed: int) -> list[int]:
    """Return the seeds (E,) of the initial states that every policy of a seed tries."""
    rng = np.random.default_rng([config.test_seed, seed])
    return [int(number) for number in rng.integers(2**31, size=config.episodes)]


def tried(config: StudyConfig, policy: Policy, seed: int) -> Trials:
    """Let a policy try every initial state once, up to the task's step limit."""
    sim = BatchSim(config.task, config.episodes)
    sim.reset(initial_states(config, seed))
    success = np.zeros(config.episodes, np.bool_)
    steps = np.zeros(config.episodes, np.int64)
    active = np.ones(config.episodes, np.bool_)
    chunks = np.zeros((config.episodes, config.horizon, 7), np.float32)
    played = min(config.played, config.horizon)
    number = 0
    while active.any():
        if number % played == 0:
            rows = np.flatnonzero(active)
            seen = np.array([observed(sim.worlds[row]) for row in rows], np.float32)
            chunks[rows] = policy.chunks(seen)
        now = sim.step(chunks[:, number % played], active)
        steps += active
        success |= active & now.success
        active &= ~(now.terminated | now.truncated)
        number += 1
    return Trials(success, steps)

"""Simulated episodes fill the reader port, and opening one again gives the same bytes."""

from __future__ import annotations

import copy
from typing import get_args

import numpy as np
import pytest

from robovalue_envs.sim.layout import DISTRACTORS
from robovalue_envs.sim.recording import SimulateConfig, SimulatedEpisodes
from robovalue_envs.sim.rendering import CAMERAS
from robovalue_envs.sim.styles import MANNERS, MODES
from robovalue_envs.sim.tasks import TASKS
from robovalue_ros.contracts import simulate
from robovalue_ros.contracts.config import from_mapping
from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.ports import EpisodeReader

pytestmark = pytest.mark.sim


def test_an_episode_is_whole() -> None:
    reader = SimulatedEpisodes(SimulateConfig(episodes=2, size=32, manners=("clean",)))
    assert isinstance(reader, EpisodeReader)
    assert reader.episode_ids() == ("episode_000000", "episode_000001")
    episode = reader.open("episode_000001")
    count = len(episode)
    assert episode.id == "episode_000001" and episode.success is True
    assert episode.task == "put the red cube in the box"
    assert np.array_equal(episode.stamps_ns, np.arange(count) * 50_000_000)
    assert episode.states.shape == (count, 8) and episode.states.dtype == np.float32
    assert episode.actions.shape == (count, 7) and episode.actions.dtype == np.float32
    assert set(episode.cameras) == {"cam_high", "cam_left_wrist"}
    assert episode.cameras["cam_high"].shape == (32, 32)
    progress = episode.signals["progress"]
    assert progress[0] == 0.0 and progress[-1] == 1.0
    assert np.allclose(np.diff(progress), episode.signals["reward"][:-1])
    assert not episode.actions[-1, :6].any()
    assert episode.signals["grasped"].any()
    assert episode.meta["mode"] == "clean"
    assert episode.meta["env_id"] == "robovalue/PutRedCubeInBox-v0"
    assert reader.findings() == ()
    reader.close()


def test_opening_in_any_order_gives_the_same_bytes() -> None:
    config = SimulateConfig(episodes=4, size=32, success_rate=0.5, task="open_drawer", seed=3)
    first = SimulatedEpisodes(config)
    second = copy.deepcopy(first)  # as a worker process gets it
    names = first.episode_ids()
    ours = {name: first.open(name) for name in names}
    for name in reversed(names):
        other = second.open(name)
        assert other.actions.tobytes() == ours[name].actions.tobytes()
        assert other.states.tobytes() == ours[name].states.tobytes()
        for camera, frames in other.cameras.items():
            last = len(other) - 1
            assert np.array_equal(frames.read(last), ours[name].cameras[camera].read(last))
        assert dict(other.meta) == dict(ours[name].meta)
    first.close()
    second.close()


def test_the_share_of_successes_is_exact_and_shuffled() -> None:
    reader = SimulatedEpisodes(SimulateConfig(episodes=40, success_rate=0.7, seed=1))
    plans = [reader.plan(index) for index in range(40)]
    good = [plan.success for plan in plans]
    assert sum(good) == 28 and good != sorted(good, reverse=True)
    assert all((plan.mode in MANNERS) == plan.success for plan in plans)
    assert {plan.mode for plan in plans if not plan.success} <= set(MODES)
    assert len({plan.seed for plan in plans}) == 40


def test_success_tells_what_happened() -> None:
    reader = SimulatedEpisodes(
        SimulateConfig(episodes=2, size=16, success_rate=0.0, modes=("missed_grasp",))
    )
    episode = reader.open("episode_000000")
    assert episode.success is False and episode.meta["planned_success"] is False
    assert episode.signals["progress"][-1] < 1.0
    reader.close()


def test_misuse_is_named() -> None:
    reader = SimulatedEpisodes(SimulateConfig(episodes=1))
    with pytest.raises(DataError, match="episode_000009"):
        reader.open("episode_000009")
    for raw in (
        {"modes": ["wrong_place"], "task": "open_drawer"}, {"manners": ["drop"]}, {"modes": ["slow"]},
        {"success_rate": 0.5, "modes": []}, {"skill": 2.0}, {"episodes": 0}, {"task": "fly"},
        {"episode": 3},
    ):  # fmt: skip
        with pytest.raises(ConfigError):
            SimulatedEpisodes(from_mapping(SimulateConfig, raw))


def test_the_names_that_doors_know_are_those_of_the_simulator() -> None:
    assert len(DISTRACTORS) == simulate.MOST_DISTRACTORS
    assert set(get_args(simulate.TaskName)) == set(TASKS)
    assert {task.name: task.env_id for task in TASKS.values()} == simulate.ENV_IDS
    assert CAMERAS == simulate.CAMERAS

"""The environment through Gymnasium's own door: contract, seeds, misuse."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import example, given, settings
from hypothesis import strategies as st

import robovalue_envs
from robovalue_envs.sim.control import euler_from_quat, quat_from_euler, quat_product
from robovalue_envs.sim.env import TabletopEnv
from robovalue_envs.sim.tasks import TASKS, find_task
from robovalue_ros.contracts.errors import ConfigError, ContractError

pytestmark = pytest.mark.sim

PLAY = """
import hashlib, numpy as np
from robovalue_envs.sim.env import TabletopEnv
env = TabletopEnv("put_everything", distractors=1, size=64)
digest = hashlib.sha256()
for seed in (3, 4):
    seen, info = env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    for _ in range(25):
        seen, reward, *_, info = env.step(rng.uniform(-1, 1, 7).astype(np.float32))
        for name in sorted(seen):
            digest.update(seen[name].tobytes())
        digest.update(env.world.physics().tobytes())
        digest.update(repr((float(reward), info["progress"], info["substep_index"])).encode())
print(digest.hexdigest())
"""


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("observation", ["pixels", "state"])
def test_gymnasium_checker_is_content(task: str, observation: str) -> None:
    env = gymnasium.make(TASKS[task].env_id, observation=observation, render_mode="rgb_array")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped, skip_render_check=task != "put_red_cube")
    env.close()


def test_ids_are_registered_by_the_import() -> None:
    robovalue_envs.registration.register_environments()  # a second time changes nothing
    wanted = {"PutRedCubeInBox-v0", "PutTwoCubesInBox-v0", "PutEverythingInBox-v0", "OpenDrawer-v0"}
    assert {name for name in gymnasium.registry if name.startswith("robovalue/")} == {
        f"robovalue/{name}" for name in (*wanted, "RealArm-v0")
    }
    code = (
        "import gymnasium as g;"
        "e = g.make('robovalue_envs:robovalue/OpenDrawer-v0', observation='state');"
        "print(e.unwrapped.task.name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "open_drawer"


def test_two_processes_and_a_used_one_agree_bit_by_bit() -> None:
    runs = [
        subprocess.run([sys.executable, "-c", PLAY], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert runs[0].stdout == runs[1].stdout
    assert len(runs[0].stdout.strip()) == 64
    assert runs[0].stderr == ""


def _digest(env: TabletopEnv, seed: int) -> str:
    digest = hashlib.sha256()
    seen, _ = env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    for _ in range(12):
        digest.update(env.world.physics().tobytes())
        digest.update(b"".join(seen[name].tobytes() for name in sorted(seen)))
        seen, *_ = env.step(rng.uniform(-1, 1, 7).astype(np.float32))
    return digest.hexdigest()


def test_reset_leaves_nothing_of_the_last_episode() -> None:
    env = TabletopEnv("put_two_cubes", size=32)
    fresh = _digest(env, 11)
    assert _digest(env, 12) != fresh
    assert _digest(env, 11) == fresh
    env.close()
    assert _digest(env, 11) == fresh  # a closed environment opens its renderer again
    env.close()


def test_rendering_does_not_touch_the_physics() -> None:
    pixels = TabletopEnv("put_red_cube", size=32)
    blind = TabletopEnv("put_red_cube", observation="state")
    rng = np.random.default_rng(0)
    pixels.reset(seed=5)
    blind.reset(seed=5)
    for _ in range(30):
        action = rng.uniform(-1, 1, 7).astype(np.float32)
        pixels.step(action)
        blind.step(action)
        assert pixels.world.physics().tobytes() == blind.world.physics().tobytes()
    pixels.close()


def test_observation_shows_the_scene_upright() -> None:
    env = TabletopEnv("put_red_cube", size=(96, 128), render_mode="rgb_array")
    seen, info = env.reset(seed=2)
    high = seen["cam_high"]
    assert high.shape == (96, 128, 3) and seen["cam_left_wrist"].shape == (96, 128, 3)
    assert seen["state"].shape == (8,) and seen["state"].dtype == np.float32
    red = (high[..., 0] > 150) & (high[..., 1] < 70) & (high[..., 2] < 70)
    assert red.sum() > 15
    assert high[:8].mean() < high[-8:].mean()  # light table below, darker sky above
    assert np.array_equal(env.render(), high)
    assert info["progress"] == 0.0 and info["success"] is False
    assert info["substeps"] == ("pick up the red cube", "put the red cube in the box")
    env.close()


def test_options_change_what_they_name() -> None:
    usual = [TabletopEnv("put_everything", jitter=0.0, observation="state") for _ in range(2)]
    for seed, env in enumerate(usual):
        env.reset(seed=seed)
    assert usual[0].world.layout == usual[1].world.layout
    bright, dark = (TabletopEnv("put_red_cube", size=32, light=gain) for gain in (1.0, 0.5))
    pictures = [env.reset(seed=0)[0]["cam_high"].mean() for env in (bright, dark)]
    assert pictures[1] < 0.8 * pictures[0]
    crowded = TabletopEnv("open_drawer", size=32, distractors=4)
    crowded.reset(seed=0)
    assert len(crowded.world.layout.distractors) == 4
    for env in (bright, dark, crowded):
        env.close()


def test_time_runs_out_and_success_may_go_on() -> None:
    env = TabletopEnv("open_drawer", observation="state", max_steps=3)
    env.reset(seed=0)
    still = np.zeros(7, np.float32)
    assert [env.step(still)[3] for _ in range(3)] == [False, False, True]


def test_sparse_reward_is_only_for_success() -> None:
    env = TabletopEnv("put_red_cube", observation="state", reward="sparse")
    env.reset(seed=0)
    assert env.step(np.full(7, -0.2, np.float32))[1] == 0.0


@pytest.mark.parametrize(
    "action",
    [np.full(7, np.nan), np.zeros(6), np.zeros((1, 7)), "left", [0, 0, 0, 0, 0, 0, np.inf]],
)
def test_bad_actions_are_named(action: object) -> None:
    env = TabletopEnv("put_red_cube", observation="state")
    env.reset(seed=0)
    with pytest.raises(ContractError, match="action"):
        env.step(action)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {"task": "put_red_cub"}, {"observation": "pixel"}, {"reward": "none"}, {"distractors": 9},
        {"size": 4}, {"size": (64, 64, 3)}, {"light": 0.0}, {"light": (1.0, 1.0)}, {"jitter": 2.0}, {"max_steps": 0},
        {"render_mode": "human"}, {"jitter": float("nan")},
    ],
)  # fmt: skip
def test_bad_options_are_named(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        TabletopEnv(**options)  # type: ignore[arg-type]


def test_step_before_reset_says_so() -> None:
    with pytest.raises(gymnasium.error.ResetNeeded):
        TabletopEnv("put_red_cube", observation="state").step(np.zeros(7, np.float32))


def test_vector_environments_in_spawned_processes() -> None:
    envs = gymnasium.make_vec(
        "robovalue_envs:robovalue/PutRedCubeInBox-v0", num_envs=2, vectorization_mode="async",
        vector_kwargs={"context": "spawn"}, size=32,
    )  # fmt: skip
    try:
        seen, _ = envs.reset(seed=7)
        assert seen["cam_high"].shape == (2, 32, 32, 3)
        for _ in range(3):
            seen, reward, *_, info = envs.step(envs.action_space.sample() * 0.1)
        assert reward.shape == (2,) and info["progress"].shape == (2,)
        alone = TabletopEnv("put_red_cube", size=32)
        first, _ = alone.reset(seed=8)
        again, _ = envs.reset(seed=7)
        assert np.array_equal(again["cam_high"][1], first["cam_high"])
        alone.close()
    finally:
        envs.close()


def test_tasks_are_found_by_either_name() -> None:
    for name, task in TASKS.items():
        assert find_task(name) is find_task(task.env_id) is task
        assert len(task.substeps) == 2 * max(1, len(task.things))


angle = st.floats(-0.7, 0.7)


@given(st.floats(-3, 3), angle, angle)
@settings(max_examples=100, deadline=None)
def test_turns_survive_the_way_through_quaternions(yaw: float, pitch: float, roll: float) -> None:
    q = quat_from_euler(yaw, pitch, roll)
    assert np.allclose(euler_from_quat(q), (yaw, pitch, roll), atol=1e-9)
    assert np.allclose(quat_product(q, (1.0, 0.0, 0.0, 0.0)), q)


@given(st.integers(0, 10_000))
@example(5491)  # leans on a finger
@settings(max_examples=12, deadline=None)
def test_no_action_breaks_out_of_the_observation_space(seed: int) -> None:
    env = TabletopEnv("open_drawer", observation="state")
    env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    bias = rng.uniform(-1, 1, 7)
    for _ in range(40):
        seen, reward, *_, info = env.step(np.clip(bias + rng.normal(0, 0.5, 7), -1, 1))
        assert env.observation_space.contains(seen)
        assert 0.0 <= info["progress"] <= 1.0 and np.isfinite(reward)
        assert (info["progress"] == 1.0) == info["success"]

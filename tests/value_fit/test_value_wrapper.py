"""The Gymnasium wrapper: the stream's own numbers after every step, and rewards made of them."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

os.environ.setdefault("MUJOCO_GL", "egl")

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

import robovalue_envs
from robovalue_envs import ValueReward
from robovalue_envs.sim.expert import Expert
from robovalue_envs.sim.recording import SimulateConfig, SimulatedEpisodes
from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.contracts.types import Frame
from robovalue_ros.data.value_store.value_model import write_value_model
from robovalue_ros.value.stream.fitting import fit_value_model
from robovalue_ros.value.stream.live import score_causal, stream_samples
from robovalue_ros.value.stream.model import ValueModel
from robovalue_ros.value.stream.options import FitOptions

pytestmark = pytest.mark.sim
ID = "robovalue/OpenDrawer-v0"
STEP_NS = 50_000_000


@pytest.fixture(scope="module")
def drawer() -> ValueModel:
    """A model of four simulated demonstrations; it need not be good."""
    reader = SimulatedEpisodes(SimulateConfig("open_drawer", 4, seed=3, size=64))
    episodes = [reader.open(name) for name in reader.episode_ids()]
    reader.close()
    given = [(episode.cameras, episode.stamps_ns) for episode in episodes]
    return fit_value_model(given, FitOptions(steps=150, batch=8), np.random.default_rng(0))


def make(**options) -> gymnasium.Env:
    return gymnasium.make(ID, size=64, **options)


def played(env: gymnasium.Env, steps: int, seed: int = 5) -> tuple[list[dict], list, list[float]]:
    """Let the expert act; return infos, observations and rewards."""
    seen, info = env.reset(seed=seed)
    expert = Expert(env, np.random.default_rng(seed))
    infos, views, rewards = [info], [seen], []
    for _ in range(steps):
        seen, reward, terminated, truncated, info = env.step(expert.act())
        infos.append(info)
        views.append(seen)
        rewards.append(float(reward))
        if terminated or truncated:
            break
    return infos, views, rewards


def test_the_values_are_those_of_offline_scoring(drawer) -> None:
    env = ValueReward(make(), drawer)
    for seed in (5, 6):  # the second episode begins anew
        infos, views, _ = played(env, 25, seed)
        frames = [
            Frame(i * STEP_NS, {name: seen[name] for name in drawer.cameras})
            for i, seen in enumerate(views)
        ]
        samples = stream_samples(drawer, frames)
        np.testing.assert_array_equal(
            [info["value"] for info in infos], score_causal(drawer, frames).values
        )
        for name in ("stall", "regression", "unknown", "declared"):
            assert [info[name] for info in infos] == [getattr(s, name) for s in samples]
        assert "progress" in infos[-1]
    env.close()


def test_a_good_demonstration_comes_far(drawer) -> None:
    env = ValueReward(make(), drawer)
    infos, _, _ = played(env, 300, 9)
    values = np.array([info["value"] for info in infos])
    assert infos[-1]["success"] and values[-1] > 0.6 > 0.3 > values[0]
    env.close()


def test_rewards_are_changes_of_value(drawer) -> None:
    plain = played(make(), 15)[2]
    env = ValueReward(make(), drawer, reward="replace")
    infos, _, rewards = played(env, 15)
    values = [info["value"] for info in infos]
    np.testing.assert_allclose(rewards, np.diff(values), atol=1e-12)
    shaped = ValueReward(make(), drawer, reward="add", scale=2.0, gamma=0.9)
    expected = np.array(plain) + 2.0 * (0.9 * np.array(values[1:]) - np.array(values[:-1]))
    np.testing.assert_allclose(played(shaped, 15)[2], expected, atol=1e-9)
    assert played(ValueReward(make(), drawer), 15)[2] == plain


@pytest.mark.parametrize("reward", ["keep", "replace"])
def test_gymnasium_checker_is_content(drawer, tmp_path: Path, reward: str) -> None:
    path = tmp_path / "drawer.npz"
    write_value_model(path, drawer, {})
    for model in (drawer, path):
        env = ValueReward(make(render_mode="rgb_array"), model, reward=reward)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # Said of every wrapper: the checker was made for bare environments.
            warnings.filterwarnings("ignore", message=".*different from the unwrapped version.*")
            check_env(env, skip_render_check=reward == "keep")
        env.close()


def test_it_can_be_made_again_from_its_spec(drawer) -> None:
    env = ValueReward(make(), drawer, reward="replace")
    again = gymnasium.make(env.spec)
    assert played(again, 5)[2] == played(env, 5)[2]
    again.close()
    env.close()


class OnePicture(gymnasium.Env):
    """An environment whose observation is a picture and nothing else."""

    observation_space = spaces.Box(0, 255, (32, 32, 3), np.uint8)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return np.zeros((32, 32, 3), np.uint8), {}

    def step(self, action):
        return np.full((32, 32, 3), 9, np.uint8), 0.0, False, False, {}


def test_cameras_may_have_other_names(drawer, toy) -> None:
    env = ValueReward(make(), drawer, cameras={"cam_high": "cam_left_wrist"})
    assert env.reset(seed=1)[1]["value"] >= 0.0
    for cameras, text in (
        ({"cam_high": "cam_hihg"}, "no picture 'cam_hihg'"),
        ({"front": "cam_high"}, "does not know the camera 'front'"),
        ({}, "empty"),
        ({"cam_high": "state"}, "cam_high, cam_left_wrist"),
    ):
        with pytest.raises(ConfigError, match=text):
            ValueReward(make(), drawer, cameras=cameras)
    with pytest.raises(ConfigError, match="no picture"):
        ValueReward(make(observation="state"), drawer)
    env.close()


def test_an_environment_of_one_picture(drawer, toy) -> None:
    stamps = np.arange(24, dtype=np.int64) * STEP_NS
    given = [({"eye": toy(seed)["cam_high"]}, stamps) for seed in range(3)]
    model = fit_value_model(given, FitOptions(steps=40, batch=8), np.random.default_rng(0))
    with pytest.raises(ConfigError, match="step_s"):
        ValueReward(OnePicture(), model)
    env = ValueReward(OnePicture(), model, step_s=0.1)
    env.reset()
    assert env.step(0)[4]["unknown"] in (True, False)
    with pytest.raises(ConfigError, match="dictionary"):
        ValueReward(OnePicture(), drawer, step_s=0.1)
    with pytest.raises(ConfigError, match="reward"):
        ValueReward(OnePicture(), model, step_s=0.1, reward="double")
    with pytest.raises(ConfigError, match="positive"):
        ValueReward(OnePicture(), model, step_s=0.0)


def test_importing_the_environments_does_not_load_the_value_room() -> None:
    code = (
        "import sys, robovalue_envs; assert not any('value.stream' in m for m in sys.modules);"
        "from robovalue_envs import ValueReward; assert 'robovalue_envs.value_wrapper' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="ValueRewards"):
        _ = robovalue_envs.ValueRewards


def test_the_example_of_the_docs(drawer, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in text.split("```python\n")[1:]]
    example = next(block for block in blocks if "ValueReward" in block)
    write_value_model(tmp_path / "open_drawer.npz", drawer, {})
    (tmp_path / "example.py").write_text(example, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("value 0.")

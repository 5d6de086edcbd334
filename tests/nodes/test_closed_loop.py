"""The simulator as a robot and the robot's environment against each other, over real DDS."""

from __future__ import annotations

import signal

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

import reaching
from rclpy.parameter import Parameter
from ros_world import call, wait_for
from sim_world import SimEars, kill, running_sim, settle, spawn
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool
from test_node_process import wait_for_line
from toy_robot import Ears

from robovalue_envs.sim.recording import SimulateConfig, SimulatedEpisodes
from robovalue_ros.data.value_store.value_model import write_value_model
from robovalue_ros.nodes.value_node import ValueNode
from robovalue_ros.value.stream.fitting import fit_value_model
from robovalue_ros.value.stream.options import FitOptions

pytestmark = [pytest.mark.ros, pytest.mark.sim]


def test_a_policy_does_the_task_through_ros(world) -> None:
    ears = SimEars(world)
    with running_sim(**reaching.SIM, speed=3.0):
        wait_for(lambda: ears.progress, "the robot")
        env = reaching.make()
        steps = reaching.targets(env)
        target, reasons = next(steps), set()
        while True:
            seen, _, _, _, info = env.step(target)
            assert seen["cam_high"].shape == (32, 32, 3) and seen["cam_high"].max() > 0
            reasons |= set(info["reasons"])
            try:
                target = steps.send(seen)
            except StopIteration:
                break
        wait_for(ears.ends, "the end of the episode")
        env.close()
    (end,) = ears.ends()
    assert end["success"] is True and end["why"] == "terminated" and end["progress"] == 1.0
    assert min(ears.progress) < 0.2 and "velocity" in reasons


def test_a_robot_that_falls_silent_is_held(world) -> None:
    ears = SimEars(world)
    with running_sim(**reaching.SIM, speed=2.0) as process:
        env = reaching.make()
        env.reset()
        away = np.array([0.2, 0.3, 0.25, 0.0, 0.0, 0.0, 0.08], np.float32)
        for _ in range(5):
            env.step(away)
        assert call(ears.node, SetBool, "/sim_node/pause", SetBool.Request(data=True)).success

        def held() -> bool:
            info = env.step(away)[4]
            # Never too old for longer than the period in which that is noticed.
            assert info["held"] or not info["lost"]
            return bool(info["lost"])

        wait_for(held, "a lost robot")
        _, _, _, _, info = env.step(away)
        assert info["held"] and info["command"] is None and "stale" in info["reasons"]
        assert call(ears.node, SetBool, "/sim_node/pause", SetBool.Request(data=False)).success
        wait_for(lambda: not env.step(away)[4]["held"], "motion, when the robot is back")
        kill(process)
        wait_for(held, "a robot that is gone")
        env.close()


def test_a_signal_to_the_loop_holds_the_robot(world) -> None:
    ears = SimEars(world)
    commands = []
    ears.node.create_subscription(Float64MultiArray, "command", commands.append, 100)
    with running_sim(**reaching.SIM, command_timeout_s=0.0):
        loop = spawn(script=reaching.__file__)
        wait_for_line(loop, "moving")
        wait_for(lambda: ears.joints, "the robot")
        wait_for(lambda: len(commands) > 20, "commands")
        moved = [message.data[0] for message in commands]
        assert max(moved) - min(moved) > 0.1
        loop.send_signal(signal.SIGTERM)
        said, _ = loop.communicate(timeout=20)
        assert loop.returncode == 0, said
        settle(1.0)
        # The last command is where the robot was, and there it stays although nothing times out.
        last = np.array(commands[-1].data)
        measured = np.array([message.position for message in ears.joints])
        assert np.abs(measured - last).max(axis=1).min() < 1e-9
        assert np.abs(measured[-1] - last).max() < 0.003
        assert np.abs(measured[-1] - measured[-5]).max() < 0.003


@pytest.fixture(scope="module")
def red_cube_model(tmp_path_factory):
    """A model of the task, small enough to be fitted in seconds."""
    episodes = SimulatedEpisodes(SimulateConfig(episodes=4, seed=11, size=32, manners=("clean",)))
    given = []
    for episode_id in episodes.episode_ids():
        episode = episodes.open(episode_id)
        cameras = {
            name: source.gather(range(len(episode))) for name, source in episode.cameras.items()
        }
        given.append((cameras, episode.stamps_ns))
    episodes.close()
    model = fit_value_model(given, FitOptions(steps=100, batch=8), np.random.default_rng(0))
    path = tmp_path_factory.mktemp("model") / "red_cube.npz"
    write_value_model(path, model, {"task": "put the red cube in the box"})
    return path


def test_the_value_of_the_simulated_robot_rises_to_success(world, red_cube_model) -> None:
    node = world.spin(
        ValueNode(
            context=world.context,
            parameter_overrides=[
                Parameter("model", value=str(red_cube_model)),
                Parameter("cameras", value=[f"{c}:={c}/image_raw" for c in reaching.CAMERAS]),
                Parameter("use_sim_time", value=True),
            ],
        )
    )
    node.start()
    scores, ears = Ears(world), SimEars(world, reaching.CAMERAS)
    with running_sim(
        env_options="['size:=32']",
        policy="expert",
        seed=5,
        wait_s=20.0,
        auto_reset="false",
        speed=2.0,
    ):
        wait_for(ears.ends, "the end of the episode", 60.0)
        settle()
    (end,) = ears.ends()
    values = np.array([state.value for state in scores.states])
    assert end["success"] and len(values) > 0.25 * end["steps"]
    quarter = len(values) // 4
    assert values[:3].max() < 0.5 and values[-quarter:].max() > 0.9
    assert values[-quarter:].mean() - values[:quarter].mean() > 0.4

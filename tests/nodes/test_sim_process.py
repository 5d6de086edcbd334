"""The simulator's node as a process: signals, exit codes, and the episodes that it records."""

from __future__ import annotations

import resource
import signal
import time

import numpy as np
import psutil
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

from ros_world import SHM, orphans
from sim_world import mapped_segments, spawn_sim
from test_node_process import wait_for_line
from toy_slider import SLIDER

from robovalue_envs.sim.env import TabletopEnv
from robovalue_envs.sim.recording import EpisodePlan, play_episode
from robovalue_ros.contracts.tools import ReadOptions
from robovalue_ros.wiring import open_reader

pytestmark = [pytest.mark.ros, pytest.mark.sim]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_a_rendering_simulation_cleanly(number) -> None:
    before = mapped_segments("self") | set(SHM.glob("*fastdds*"))
    process = spawn_sim(env_options="['size:=32']", policy="expert")
    wait_for_line(process, "moved by")
    mapped = mapped_segments(process.pid)
    time.sleep(0.5)
    others = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = psutil.Process(process.pid).cpu_times()
    process.send_signal(number)
    rest, _ = process.communicate(timeout=20)
    assert process.returncode == 0, rest
    # Its own time, whatever else this machine does meanwhile.
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    whole = spent.ru_utime + spent.ru_stime - others.ru_utime - others.ru_stime
    assert whole - begun.user - begun.system < 1.0, "seconds of work for the end"
    assert "Traceback" not in rest
    left = {path.name for path in mapped - before if path.exists()}
    # It also looked into the segments of other test processes, which live on.
    assert orphans(left) == []


def test_a_signal_while_it_starts_ends_it_too() -> None:
    process = spawn_sim()
    time.sleep(1.2)
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=20)
    # Before the first line of ours runs, Python itself decides.
    assert process.returncode in (0, -signal.SIGTERM), rest
    assert "Traceback" not in rest


@pytest.mark.parametrize(
    ("values", "code", "text"),
    [
        ({"env_options": "['breaks:=\"error\"']"}, 2, "robovalue: error: the slider is stuck"),
        ({"env_options": "['breaks:=\"bug\"']"}, 1, "KeyError: 'bug'"),
        ({"speeed": "2.0"}, 2, "Did you mean 'speed'?"),
    ],
)
def test_an_error_ends_it_and_is_told(values, code, text) -> None:
    process = spawn_sim(env=SLIDER, policy="random", **values)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert text in said
    assert ("Traceback" in said) is (code == 1)


def test_it_ends_after_its_episodes_which_are_those_of_sim_record(tmp_path) -> None:
    process = spawn_sim(
        env_options="['size:=32', 'max_steps:=50']", policy="expert", behaviour="missed_grasp", speed="0.0",
        pause_s="0.0", episodes="2", seed="7", record_dir=str(tmp_path / "kept"),
    )  # fmt: skip
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    reader = open_reader(tmp_path / "kept", ReadOptions())
    assert len(reader.episode_ids()) == 2
    env = TabletopEnv(size=32, max_steps=50)
    for index, episode_id in enumerate(reader.episode_ids()):
        kept = reader.open(episode_id)
        plan = EpisodePlan(index, int(kept.meta["seed"]), "missed_grasp", False)
        wanted = play_episode(env, "x", plan, 1.0, np.random.default_rng([7, index, 1]))
        assert kept.task == wanted.task and kept.success is wanted.success
        np.testing.assert_array_equal(kept.states, wanted.states)
        np.testing.assert_allclose(kept.actions, wanted.actions, atol=1e-6)
        np.testing.assert_array_equal(kept.signals["progress"], wanted.signals["progress"])
        np.testing.assert_array_equal(kept.signals["reward"], wanted.signals["reward"])
        for camera in wanted.cameras:
            shown, meant = kept.cameras[camera].read(40), wanted.cameras[camera].read(40)
            assert np.abs(shown.astype(int) - meant).mean() < 4.0
    env.close()
    reader.close()

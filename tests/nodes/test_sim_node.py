"""A Gymnasium environment as a robot: what it says, what it obeys, how it ends."""

from __future__ import annotations

import math
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("rclpy")

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from ros_world import call, wait_for
from sim_world import SimEars, settle, sim_node
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool, Trigger
from toy_slider import SIZE, SLIDER, shade
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from robovalue_ros.contracts.config import field_specs
from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.contracts.tools import ReadOptions
from robovalue_ros.nodes.convert import (
    ConversionError,
    image_from_ros,
    picture_from_ros,
    stamp_from_ros,
)
from robovalue_ros.nodes.sim_commands import (
    CommandBox,
    numbers_from_array,
    numbers_from_trajectory,
)
from robovalue_ros.nodes.sim_config import SimNodeConfig, env_arguments
from robovalue_ros.wiring import open_reader

pytestmark = pytest.mark.ros


def started(world, **values):
    """Return a node that is active and ears that have found it; the slider unless told otherwise."""
    ears = SimEars(world)
    node = sim_node(world, env=values.pop("env", SLIDER), **values)
    node.start()
    wait_for(lambda: ears.joints and ears.images["cam_high"], "the robot")
    return node, ears


def trajectory(names, *points) -> JointTrajectory:
    return JointTrajectory(
        joint_names=list(names), points=[JointTrajectoryPoint(positions=list(p)) for p in points]
    )


def test_it_shows_what_the_environment_shows_at_simulated_times(world) -> None:
    _, ears = started(world)
    command = ears.say(Float64MultiArray, "command")
    command.publish(Float64MultiArray(data=[0.6, -0.2]))
    wait_for(lambda: math.isclose(ears.position()[0], 0.6, abs_tol=1e-6), "the slider's move")
    settle()
    assert ears.joints[-1].name == ["a", "b"]
    by_stamp = {stamp_from_ros(m.header.stamp): m.position for m in ears.joints}
    steps = {after - before for before, after in pairwise(by_stamp)}
    assert all(step > 0 and step % 10_000_000 == 0 for step in steps), "whole control steps"
    compared = 0
    for message in ears.images["cam_high"]:
        image, stamp = image_from_ros(message), stamp_from_ros(message.header.stamp)
        assert image.shape == (*SIZE, 3) and message.header.frame_id == "cam_high"
        if stamp in by_stamp:
            assert int(image[0, 0, 0]) == shade(by_stamp[stamp][0])
            compared += 1
    assert compared > 10
    assert ears.clock_ns == sorted(set(ears.clock_ns))
    assert ears.tasks == ["push the slider"]
    (note,) = ears.notes
    assert (note["event"], note["number"], note["task"]) == ("begin", 0, "push the slider")
    assert ears.progress[-1] == pytest.approx(0.6)


def test_a_trajectory_leads_to_its_last_point_by_name(world) -> None:
    _, ears = started(world)
    out = ears.say(JointTrajectory, "joint_trajectory")
    out.publish(trajectory(("b", "a"), (0.0, 0.0), (-0.3, 0.25)))
    wait_for(lambda: np.allclose(ears.position(), [0.25, -0.3], atol=1e-6), "the slider's move")


def test_what_cannot_be_obeyed_is_refused_and_told(world) -> None:
    _, ears = started(world)
    array, line = (
        ears.say(Float64MultiArray, "command"),
        ears.say(JointTrajectory, "joint_trajectory"),
    )
    array.publish(Float64MultiArray(data=[0.1]))
    array.publish(Float64MultiArray(data=[0.1, math.nan]))
    line.publish(trajectory(("a", "c"), (0.1, 0.1)))
    message, _ = ears.next_health("commands", refused="3", taken="0")
    assert "refused:" in message
    assert ears.position() == [0.0, 0.0]


def test_without_a_newer_command_it_holds(world) -> None:
    _, ears = started(world, command_timeout_s=0.1)
    command = ears.say(Float64MultiArray, "command")
    command.publish(Float64MultiArray(data=[-8.0, 0.0]))
    wait_for(lambda: ears.position()[0] < 0.0, "the slider's move")
    settle(0.5)
    held = ears.position()
    # A tenth of a second at a hundred steps: far from the target, and still.
    assert -8.0 < held[0] < 0.0
    settle()
    assert ears.position() == held
    ears.next_health("commands", holding="true", taken="1")


def test_actions_are_passed_on(world) -> None:
    _, ears = started(world, commands="action", command_timeout_s=0.0)
    command = ears.say(Float64MultiArray, "command")
    command.publish(Float64MultiArray(data=[0.0, 0.5]))
    wait_for(lambda: ears.position()[1] > 0.1, "the slider's move")
    steps = np.array([m.position[1] for m in ears.joints]) / (0.5 * 0.05)
    assert np.allclose(steps, np.round(steps), atol=1e-6)
    ears.say(JointTrajectory, "joint_trajectory").publish(trajectory(("a", "b"), (0.0, 0.0)))
    message, _ = ears.next_health("commands", refused="1")
    assert "actions" in message


def test_episodes_end_and_begin_again(world) -> None:
    _, ears = started(world, pause_s=0.05, command_timeout_s=0.0)
    command = ears.say(Float64MultiArray, "command")
    while len(ears.ends()) < 2:
        command.publish(Float64MultiArray(data=[1.2, 0.0]))
        settle(0.05)
    first, second = ears.ends()[:2]
    assert (first["number"], second["number"]) == (0, 1) and first["seed"] != second["seed"]
    for end in (first, second):
        assert end["success"] is True and end["why"] == "terminated" and end["progress"] >= 1.0
        assert end["return"] == pytest.approx(0.5 * end["steps"])
        assert end["length_s"] == pytest.approx(0.01 * end["steps"])
    stamps = [stamp_from_ros(m.header.stamp) for m in ears.joints]
    assert stamps == sorted(set(stamps)), "time goes on from one episode to the next"


def test_reset_interrupts_and_pause_stops_time(world) -> None:
    _, ears = started(world, auto_reset=False)
    command = ears.say(Float64MultiArray, "command")
    command.publish(Float64MultiArray(data=[0.3, 0.3]))
    wait_for(lambda: ears.position()[0] > 0.2, "the slider's move")
    assert call(ears.node, Trigger, "/sim_node/reset").success
    wait_for(lambda: len(ears.notes) == 3, "the next episode")
    assert [note["event"] for note in ears.notes] == ["begin", "end", "begin"]
    assert ears.ends()[0]["why"] == "interrupted"
    wait_for(lambda: ears.position() == [0.0, 0.0], "the start")
    settle()
    assert ears.position() == [0.0, 0.0], "an old command does not reach into a new episode"
    assert call(ears.node, SetBool, "/sim_node/pause", SetBool.Request(data=True)).success
    settle()
    stood = ears.clock_ns[-1]
    ears.next_health("simulation", paused="true")
    assert ears.clock_ns[-1] == stood
    assert call(ears.node, SetBool, "/sim_node/pause", SetBool.Request(data=False)).success
    wait_for(lambda: ears.clock_ns[-1] > stood, "time")
    assert ears.clock_ns == sorted(set(ears.clock_ns))


def test_a_lifecycle_manager_leads_it(world) -> None:
    ears = SimEars(world)
    node = sim_node(world, env=SLIDER, autostart=False)
    node.start()

    def change(transition: int, state: str) -> None:
        request = ChangeState.Request(transition=Transition(id=transition))
        assert call(ears.node, ChangeState, "/sim_node/change_state", request).success
        assert node.state == state

    for _ in range(2):
        change(Transition.TRANSITION_CONFIGURE, "inactive")
        settle()
        seen = len(ears.joints)
        change(Transition.TRANSITION_ACTIVATE, "active")
        wait_for(lambda seen=seen: len(ears.joints) > seen + 5, "the robot")
        change(Transition.TRANSITION_DEACTIVATE, "inactive")
        change(Transition.TRANSITION_CLEANUP, "unconfigured")
        simulations = [t.name for t in threading.enumerate() if "simulation" in t.name]
        assert simulations == []


def test_compressed_pictures_and_stamps_of_the_wall(world) -> None:
    ears = SimEars(world, compressed=True)
    node = sim_node(world, env=SLIDER, compressed=True, publish_clock=False, rate_hz=50)
    begun = node.now_ns()
    node.start()
    wait_for(lambda: len(ears.images["cam_high"]) > 5, "pictures")
    message = ears.images["cam_high"][-1]
    assert picture_from_ros(message).shape == (*SIZE, 3)
    assert begun < stamp_from_ros(message.header.stamp) <= node.now_ns()
    assert ears.clock_ns == []


def test_any_environment_can_be_a_robot(world) -> None:
    ears = SimEars(world)
    sim_node(world, env="CartPole-v1", commands="action", command_timeout_s=0.0).start()
    wait_for(lambda: ears.joints, "the robot")
    assert ears.joints[-1].name == ["state_0", "state_1", "state_2", "state_3"]
    command = ears.say(Float64MultiArray, "command")
    while not ears.ends():
        command.publish(Float64MultiArray(data=[1.0]))
        settle(0.05)
    (note,) = ears.ends()[:1]
    assert note["success"] is None and note["progress"] is None and note["why"] == "terminated"
    assert note["return"] == note["steps"] > 5


def test_as_fast_as_it_goes_does_not_flood_when_nothing_happens(world) -> None:
    _, ears = started(
        world, policy="random", speed=0.0, auto_reset=False, env_options=["length:=300"]
    )
    wait_for(ears.ends, "the end of the episode")
    settle()
    begun_ns, begun_s = ears.clock_ns[-1], time.monotonic()
    settle(0.5)
    passed_s = (ears.clock_ns[-1] - begun_ns) * 1e-9
    assert 0.0 < passed_s < 3.0 * (time.monotonic() - begun_s)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"env": "toy/Nothing-v0"}, "toy/Nothing-v0 cannot be made"),
        ({"env": "no_such_module:toy/Slider-v0"}, "no_such_module"),
        ({"env_options": ["lengths:=3"]}, "lengths"),
        ({"env_options": ["length:=three"]}, "'three' is no JSON"),
        ({"env": "CartPole-v1"}, "expected commands:=action"),
        ({"policy": "expert"}, "the expert does not know"),
        ({"env": "robovalue/OpenDrawer-v0", "policy": "expert", "behaviour": "wrong_place"},
         "no manner or failure mode 'wrong_place'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(world, values, text) -> None:
    node = sim_node(world, **{"env": SLIDER, **values})
    with pytest.raises(ConfigError) as problem:
        node.start()
    assert text in str(problem.value)


def test_finished_episodes_are_recorded_and_interrupted_ones_are_not(world, tmp_path) -> None:
    _, ears = started(
        world, record_dir=str(tmp_path / "kept"), policy="random", pause_s=0.0,
        env_options=["length:=30"], speed=0.0, episodes=4,
    )  # fmt: skip
    call(ears.node, Trigger, "/sim_node/reset")
    wait_for(lambda: len(ears.ends()) == 4, "four episodes")
    ends = [end for end in ears.ends() if end["why"] != "interrupted"]
    wait_for(lambda: len(list(tmp_path.rglob("episode_*.hdf5"))) == len(ends), "recordings")
    reader = open_reader(tmp_path / "kept", ReadOptions())
    for episode_id, end in zip(reader.episode_ids(), ends, strict=True):
        episode = reader.open(episode_id)
        assert len(episode) == end["steps"] + 1 and episode.task == "push the slider"
        assert episode.success is end["success"]
        assert episode.signals["progress"][-1] == end["progress"]
        moved = np.diff(episode.states, axis=0)
        np.testing.assert_allclose(moved, 0.05 * episode.actions[:-1], atol=1e-5)
        assert not episode.actions[-1].any()
    reader.close()


def test_a_folder_that_refuses_is_told_and_survived(world, tmp_path) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    _, ears = started(
        world, record_dir=str(tmp_path / "file" / "kept"), policy="random", pause_s=0.0,
        env_options=["length:=20"],
    )  # fmt: skip
    wait_for(lambda: len(ears.ends()) >= 2, "episodes")
    message, values = ears.next_health("simulation")
    assert int(values["not_recorded"]) > 0 and "file" in message


finite = st.floats(-1e6, 1e6)


@given(st.lists(st.one_of(finite, st.just(math.nan), st.just(math.inf)), max_size=4))
def test_an_array_is_taken_whole_or_refused(values) -> None:
    message = Float64MultiArray(data=values)
    if len(values) == 2 and np.isfinite(values).all():
        assert numbers_from_array(message, 2).tolist() == values
    else:
        with pytest.raises(ConversionError):
            numbers_from_array(message, 2)


@given(
    st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=4),
    st.lists(st.lists(finite, max_size=4), max_size=3),
)
def test_a_trajectory_is_taken_whole_or_refused(names, points) -> None:
    message = trajectory(names, *points)
    if sorted(names) == ["a", "b"] and points and len(points[-1]) == 2:
        wanted = dict(zip(names, points[-1], strict=True))
        assert numbers_from_trajectory(message, ("a", "b")).tolist() == [wanted["a"], wanted["b"]]
    else:
        with pytest.raises(ConversionError):
            numbers_from_trajectory(message, ("a", "b"))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=30), st.integers(0, 60))
def test_a_command_counts_until_it_is_too_old(events, timeout) -> None:
    box, now, put_at = CommandBox(), 0, None
    for puts, passes in events:
        now += passes
        if puts:
            box.put(np.array([float(now)]), now)
            put_at = now
        elif put_at is not None and timeout and now - put_at > timeout:
            put_at = None
        newest = box.newest(now, timeout)
        assert (None if newest is None else int(newest[0])) == put_at


@pytest.mark.parametrize("text", ["size", "size:=", "1x:=3", ":=3", "size:=[1"])
def test_options_that_are_none_are_named(text) -> None:
    with pytest.raises(ConfigError, match="env_options"):
        env_arguments((text,))


def test_options_are_json() -> None:
    texts = ("size:=[48, 64]", 'observation:="state"', "jitter:=0.5", "stop_on_success:=false")
    assert env_arguments(texts) == {
        "size": [48, 64], "observation": "state", "jitter": 0.5, "stop_on_success": False
    }  # fmt: skip


def test_every_parameter_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "sim_node.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    for spec in field_specs(SimNodeConfig):
        (row,) = [row for row in rows if row.startswith(f"| `{spec.name}` |")]
        assert spec.help in row and row.endswith("* |") == spec.live

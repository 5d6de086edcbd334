"""The environment through its public door, over the fake arm and its clock."""

from __future__ import annotations

import gc
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ClosedEnvironmentError
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

import robovalue_envs  # noqa: F401 - registers the ids
from robovalue_envs.real_arm.config import RealArmConfig
from robovalue_envs.real_arm.guard import LIMIT, NOT_FINITE, OUTSIDE, STALE, VELOCITY, WORKSPACE
from robovalue_envs.real_arm.holding import holding
from robovalue_ros.contracts.config import field_specs
from robovalue_ros.contracts.errors import ConfigError, ContractError, RobotError
from robovalue_ros.contracts.fakes import FakeArm, FakeClock

NAMES = ("shoulder", "elbow", "gripper")
CONFIG: dict[str, Any] = {
    "low": [-1.0, -2.0, 0.0], "high": [1.0, 2.0, 0.08], "max_velocity": [1.0, 2.0, 0.4],
    "rate_hz": 20.0, "max_age_s": 0.2, "wait_s": 1.0,
}  # fmt: skip
PERIOD_NS = 50_000_000


def build(arm: FakeArm | None = None, **changes: Any) -> tuple[FakeArm, gymnasium.Env[Any, Any]]:
    arm = arm or FakeArm(NAMES, {"cam_high": (24, 32), "cam_wrist": (12, 16)})
    more = {key: changes.pop(key) for key in ("kinematics", "render_mode") if key in changes}
    env = gymnasium.make(
        "robovalue/RealArm-v0", link=lambda: arm, config={**CONFIG, **changes}, **more
    )
    return arm, env


@pytest.mark.parametrize("actions", ["position", "delta"])
def test_gymnasium_has_nothing_to_say(actions: str) -> None:
    def fresh() -> FakeArm:
        return FakeArm(NAMES)

    env = gymnasium.make(
        "robovalue/RealArm-v0", link=fresh, config={**CONFIG, "actions": actions},
        render_mode="rgb_array",
    )  # fmt: skip
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        check_env(env.unwrapped)
    # A robot may be measured anywhere, and its actions are rad and m.
    known = ("is -infinity", "is infinity", "symmetric and normalized")
    assert [str(w.message) for w in said if not any(k in str(w.message) for k in known)] == []


def test_the_rate_is_kept_and_a_late_caller_is_told_and_not_caught_up() -> None:
    arm, env = build()
    env.reset()
    ticks = []
    for spent_ns in (0, 30_000_000, 49_000_000, 170_000_000, 0, 10_000_000):
        arm.clock.sleep_until(arm.clock.now_ns() + spent_ns)
        info = env.step(np.zeros(3, np.float32))[4]
        ticks.append((info["stamp_ns"], info["late_s"]))
    starts = [at for at, _ in ticks]
    assert np.diff(starts).tolist() == [PERIOD_NS, PERIOD_NS, 170_000_000, PERIOD_NS, PERIOD_NS]
    assert [round(late, 3) for _, late in ticks] == [0, 0, 0, 0.12, 0, 0]
    assert env.metadata["render_fps"] == 20.0 or env.unwrapped.metadata["render_fps"] == 20.0


class ClockThatIsSetBack(FakeClock):
    """Loses an hour once, and remembers how long anybody wanted to sleep."""

    back_ns = 0
    longest_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() - self.back_ns

    def sleep_until(self, stamp_ns: int) -> None:
        self.longest_ns = max(self.longest_ns, stamp_ns - self.now_ns())
        super().sleep_until(stamp_ns + self.back_ns)


def test_a_clock_that_is_set_back_costs_no_more_than_a_period() -> None:
    clock = ClockThatIsSetBack(10**18)
    _, env = build(FakeArm(NAMES, clock=clock))
    env.reset()
    clock.back_ns = 3600 * 10**9
    info = env.step(np.zeros(3))[4]
    assert "ahead" in info["reasons"] and info["held"]
    assert env.step(np.zeros(3))[4]["sent"]
    assert clock.longest_ns <= PERIOD_NS


def test_info_tells_what_was_clamped_and_why() -> None:
    arm, env = build()
    env.reset()
    info = env.step(np.array([5.0, 0.05, -0.01]))[4]
    assert info["reasons"] == {VELOCITY: ("shoulder",), LIMIT: ("gripper",)}
    assert info["command"].tolist() == [0.05, 0.05, 0.0]
    assert info["sent"] and not info["held"]
    assert "shoulder" in info["why"] and "gripper" in info["why"]
    assert np.array_equal(arm.sent[-1], info["command"])
    info = env.step(np.array([0.05, 0.05, 0.0]))[4]
    assert info["reasons"] == {} and info["why"] == ""


def test_a_delta_counts_from_what_is_measured() -> None:
    arm, env = build(actions="delta")
    env.reset()
    for _ in range(3):
        info = env.step(np.array([0.02, -0.5, 0.0]))[4]
    assert np.allclose(arm.sent[-1], [0.06, -0.3, 0.0])
    assert info["reasons"] == {VELOCITY: ("elbow",)}
    assert np.allclose(env.action_space.high, [0.05, 0.1, 0.02])


def test_workspace_of_coordinates_and_of_kinematics() -> None:
    box = {"workspace_names": ("elbow",), "workspace_low": (-1.0,), "workspace_high": (0.04,)}
    arm, env = build(**box)
    env.reset()
    assert env.action_space.high[1] <= 0.04
    assert env.step(np.array([0, 0.09, 0]))[4]["reasons"] == {WORKSPACE: ("elbow",)}
    assert arm.sent[-1] is not None and arm.sent[-1][1] == 0.04
    height = {"workspace_names": ("z",), "workspace_low": (-0.03,), "workspace_high": (9.0,)}
    arm, env = build(**height, kinematics=lambda q: np.array([q[0] + q[1]]))
    env.reset()
    info = env.step(np.array([-0.05, -0.05, 0.0]))[4]
    assert info["reasons"] == {WORKSPACE: ("z",)}
    assert -0.03 <= info["command"][:2].sum() <= -0.0299


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_action_that_is_no_number_holds(bad: float) -> None:
    arm, env = build()
    env.reset()
    info = env.step(np.array([0.0, bad, 0.0]))[4]
    assert arm.sent[-1] is None and info["held"] and not info["sent"] and info["command"] is None
    assert info["reasons"] == {NOT_FINITE: ("elbow",)}
    assert env.step(np.zeros(3))[4]["sent"]


def test_an_arm_far_outside_its_limits_is_left_where_it_is() -> None:
    arm, env = build()
    arm.send(np.array([1.2, 0, 0]))
    env.reset()
    assert env.step(np.zeros(3))[4]["reasons"] == {OUTSIDE: ("shoulder",)}
    assert arm.sent[-1] is None


@settings(max_examples=150, deadline=None, database=None)
@given(
    st.sampled_from(["state", "cam_high", "cam_wrist"]),
    st.lists(st.integers(0, 120_000_000), min_size=12, max_size=40),
    st.integers(0, 30),
    st.integers(1, 12),
)
def test_a_lost_sensor_holds_within_one_period_and_its_return_moves_again(
    sensor: str, thinking_ns: list[int], lost_at: int, lost_for: int
) -> None:
    """Every command is answered by its time: none later than the age after the loss."""
    arm, env = build()
    env.reset()
    age_ns, gone_ns, told = 200_000_000, None, 0
    for number, spent_ns in enumerate(thinking_ns):
        if number == lost_at:
            arm.lost.add(sensor)
            gone_ns = arm.clock.now_ns()
        if number == lost_at + lost_for:
            arm.lost.clear()
            gone_ns = None
        arm.clock.sleep_until(arm.clock.now_ns() + spent_ns)
        asked_ns, told = arm.clock.now_ns(), len(arm.sent)
        info = env.step(np.full(3, 0.01))[4]
        orders = arm.sent[told:]
        if gone_ns is None:
            continue
        if asked_ns - gone_ns > age_ns:
            assert all(order is None for order in orders) and info["held"]
            assert sensor in info["reasons"][STALE] + info["lost"].get(STALE, ())
        if info["stamp_ns"] - gone_ns > age_ns:
            # The step in which the age passed ends with a hold: within one period.
            assert arm.sent[-1] is None and info["held"]
            assert info["lost"] == {STALE: (sensor,)}
            assert info["ages_s"][sensor] > 0.2
    arm.lost.clear()
    env.step(np.zeros(3))
    assert env.step(np.zeros(3))[4]["sent"]


def test_an_action_that_took_too_long_to_find_holds() -> None:
    arm, env = build()
    env.reset()
    arm.clock.sleep_until(arm.clock.now_ns() + 201_000_000)
    info = env.step(np.zeros(3))[4]
    assert set(info["reasons"][STALE]) == {"state", "cam_high", "cam_wrist"}
    assert not info["sent"] and arm.sent[-1] is None and info["lost"] == {}


def test_a_dry_run_sends_nothing_and_tells_everything() -> None:
    arm, env = build(dry_run=True)
    env.reset()
    info = env.step(np.array([5.0, 0.0, 0.0]))[4]
    assert info["command"].tolist() == [0.05, 0.0, 0.0] and not info["sent"] and info["dry_run"]
    assert info["reasons"] == {VELOCITY: ("shoulder",)}
    env.step(np.full(3, np.nan))
    env.close()
    assert arm.sent == [] and arm.closed


def test_reset_and_close_hold_and_a_closed_robot_is_gone() -> None:
    arm, env = build(max_steps=2)
    env.reset()
    assert arm.sent == [None]
    assert [env.step(np.zeros(3))[3] for _ in range(2)] == [False, True]
    env.close()
    env.close()
    assert arm.sent[-1] is None and arm.closed
    for call in (env.reset, lambda: env.step(np.zeros(3))):
        with pytest.raises(ClosedEnvironmentError, match="let go"):
            call()


def test_errors_hold_in_a_step_in_a_block_and_when_forgotten() -> None:
    arm, env = build()
    env.reset()
    env.step(np.zeros(3))
    with pytest.raises(ContractError, match="3 numbers"):
        env.step(np.zeros(4))
    assert arm.sent[-1] is None
    arm, env = build()
    with pytest.raises(ZeroDivisionError):
        with holding(env):
            env.reset()
            env.step(np.zeros(3))
            raise ZeroDivisionError
    assert arm.sent[-1] is None and arm.closed
    arm, env = build()
    env.reset()
    env.step(np.zeros(3))
    assert arm.sent[-1] is not None
    del env
    gc.collect()
    assert arm.sent[-1] is None and arm.closed


def test_a_silent_robot_is_named() -> None:
    arm, env = build()
    arm.lost.add("cam_wrist")
    with pytest.raises(RobotError, match="no word of cam_wrist"):
        env.reset()
    assert arm.sent[-1] is None
    arm.lost.clear()
    env.reset()
    arm.lost.add("state")
    arm.clock.sleep_until(arm.clock.now_ns() + 10**9)
    with pytest.raises(RobotError, match="too old an observation of state"):
        env.reset()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"low": []}, "low has 0 numbers"),
        ({"max_velocity": [1.0, 2.0]}, "max_velocity has 2"),
        ({"high": [-2.0, 2.0, 1.0]}, "low_D"),
        ({"rate_hz": 0.0}, "rate_hz"),
        ({"actions": "torque"}, "actions"),
        ({"max_agee_s": 0.1}, "max_age_s"),
        ({"workspace_names": ["elbw"], "workspace_low": [0.0], "workspace_high": [1.0]}, "elbow"),
        ({"workspace_names": ["elbow"], "workspace_low": [0.0]}, "workspace_high has 0"),
        ({"kinematics": lambda q: q}, "kinematics without a workspace"),
    ],
)
def test_a_wrong_configuration_is_an_error_and_lets_go(changes: dict[str, Any], says: str) -> None:
    arm = FakeArm(NAMES)
    with pytest.raises((ConfigError, ContractError), match=says):
        build(arm, **changes)
    assert all(order is None for order in arm.sent)


def test_a_link_is_asked_for_and_every_option_is_explained() -> None:
    with pytest.raises(ConfigError, match="ArmLink"):
        gymnasium.make("robovalue/RealArm-v0")
    assert all(spec.help for spec in field_specs(RealArmConfig))


def test_the_picture_is_the_first_camera() -> None:
    _, env = build(render_mode="rgb_array")
    seen, _ = env.reset()
    assert np.array_equal(env.render(), seen["cam_high"])

"""Named coordinates: what is asked for is where the hand goes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("mujoco")

from robovalue_envs.sim.control import Targets, checked_actions
from robovalue_envs.sim.coordinates import GRIPPER_OPEN, action_towards
from robovalue_envs.sim.env import TabletopEnv
from robovalue_ros.contracts.errors import ContractError

pytestmark = pytest.mark.sim
ANGLE = st.floats(-0.65, 0.65)


@given(
    st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.floats(0.05, 0.25), st.floats(-2.7, 2.7),
    st.floats(-2.7, 2.7), ANGLE, ANGLE, st.floats(0.0, GRIPPER_OPEN),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_targets_arrive_where_they_are_asked_for(x, y, z, yaw, began, pitch, roll, gripper) -> None:
    targets = Targets((0.0, 0.0, 0.2))
    targets.turn[0] = began
    wanted = (x, y, z, yaw, pitch, roll, gripper)
    for _ in range(30):
        action = action_towards(targets, wanted)
        assert np.abs(action).max() <= 1.0
        # A hand that follows at once.
        targets.move(checked_actions(action, (7,)).tolist(), targets.position)
    reached = (*targets.position, *targets.turn, 2 * targets.finger)
    np.testing.assert_allclose(reached, wanted, atol=1e-4)


def test_the_hand_follows_and_stays() -> None:
    env = TabletopEnv(observation="state", stop_on_success=False)
    env.reset(seed=3)
    wanted = np.array([0.1, 0.15, 0.2, 0.8, 0.1, -0.2, 0.03])
    for _ in range(40):
        env.step(env.action_towards(wanted))
    np.testing.assert_allclose(env.coordinates(), wanted, atol=0.005)
    for _ in range(20):
        env.step(env.still_action())
    np.testing.assert_allclose(env.coordinates(), wanted, atol=0.005)
    assert len(env.coordinate_names) == len(wanted)
    env.close()


@pytest.mark.parametrize("wrong", [[math.nan] * 7, [0.0] * 6, [0.0, math.inf, *[0.0] * 5]])
def test_what_is_no_target_is_refused(wrong) -> None:
    env = TabletopEnv(observation="state")
    env.reset(seed=0)
    with pytest.raises(ContractError, match="7 finite numbers"):
        env.action_towards(wrong)
    env.close()

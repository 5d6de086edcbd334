"""10,000 random cases of the guard: whatever comes in, nothing forbidden comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robovalue_envs.real_arm.guard import (
    AHEAD,
    LIMIT,
    NOT_FINITE,
    OUTSIDE,
    SHAPE,
    STALE,
    UNMEASURED,
    UNREACHABLE,
    VELOCITY,
    WORKSPACE,
    Guard,
    Verdict,
)
from robovalue_envs.real_arm.limits import Limits, Workspace
from robovalue_ros.contracts.errors import ContractError

PERIOD_NS, AGE_NS, AHEAD_NS, NOW = 50_000_000, 200_000_000, 20_000_000, 10**18
MANY = settings(
    max_examples=2500, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
ANY = st.floats(allow_nan=True, allow_infinity=True)
NEAR = st.floats(-4, 4)


def fingertip(positions_D: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A chain of links in a plane, each 0.3 m long."""
    angles = np.cumsum(positions_D)
    return np.array([0.3 * np.cos(angles).sum(), 0.3 * np.sin(angles).sum()])


@st.composite
def limits(draw: st.DrawFn, kinematics: bool | None = None) -> Limits:
    size = draw(st.integers(1, 3))
    names = tuple("abc"[:size])
    pairs = [sorted((draw(NEAR), draw(NEAR))) for _ in names]
    low, high = (np.array([pair[side] for pair in pairs]) for side in (0, 1))
    speed = np.array([draw(st.floats(1e-3, 20)) for _ in names])
    how = draw(st.sampled_from(["none", "names", "kinematics"]))
    space = None
    if kinematics or (kinematics is None and how == "kinematics"):
        lows = [draw(st.floats(-1, 0.5)) for _ in "xy"]
        corners = [(corner, corner + draw(st.floats(0, 2))) for corner in lows]
        space = Workspace(
            ("x", "y"), np.array([c[0] for c in corners]), np.array([c[1] for c in corners]),
            fingertip,
        )  # fmt: skip
    elif how == "names":
        middle = (low[0] + high[0]) / 2
        space = Workspace(("a",), np.array([middle]), np.array([middle + 1]))
    return Limits(names, low, high, speed, space)


@st.composite
def cases(draw: st.DrawFn, wild: bool = True, kinematics: bool | None = None) -> dict[str, Any]:
    """Limits and a question; a wild one may hold anything, of any age."""
    built = draw(limits(kinematics))
    size = len(built.names)
    number = st.one_of(NEAR, ANY) if wild else NEAR
    ages = st.integers(-3 * AHEAD_NS, 2 * AGE_NS) if wild else st.integers(0, AGE_NS)
    near_home = draw(st.integers(0, 4)) < 4  # most robots are, and most commands begin there
    measured = np.array([draw(number) for _ in range(size)])
    if near_home:
        measured = np.clip(measured, built.low_D - 0.01, built.high_D + 0.01)
    return {
        "limits": built,
        "target": np.array([draw(number) for _ in range(size)]),
        "measured": measured,
        "measured_ns": NOW - draw(ages),
        "observed_ns": {"state": NOW - draw(ages), "cam_high": NOW - draw(ages)},
    }


def ask(case: dict[str, Any]) -> tuple[Guard, Verdict]:
    guard = Guard(case["limits"], period_ns=PERIOD_NS, max_age_ns=AGE_NS, max_ahead_ns=AHEAD_NS)
    verdict = guard.check(
        case["target"], case["measured"], now_ns=NOW, measured_ns=case["measured_ns"],
        observed_ns=case["observed_ns"],
    )  # fmt: skip
    return guard, verdict


def assert_safe(case: dict[str, Any], verdict: Verdict) -> None:
    command = verdict.command_D
    assert command is not None
    built: Limits = case["limits"]
    assert np.isfinite(command).all() and command.shape == built.low_D.shape
    assert (command >= built.low_D).all() and (command <= built.high_D).all()
    moved, reach = np.abs(command - case["measured"]), built.max_velocity_D * (PERIOD_NS / 1e9)
    assert (moved <= reach + 1e-12 * (1 + np.abs(case["measured"]))).all()
    space = built.workspace
    if space is not None and space.kinematics is not None:
        point = space.kinematics(command)
        assert (point >= space.low_K).all() and (point <= space.high_K).all()
    elif space is not None:
        assert space.low_K[0] <= command[0] <= space.high_K[0]


@MANY
@given(cases())
def test_whatever_comes_in_nothing_forbidden_comes_out(case: dict[str, Any]) -> None:
    _, verdict = ask(case)
    if verdict.command_D is None:
        assert verdict.reasons and verdict.text
        return
    assert_safe(case, verdict)
    ages = [NOW - at for at in (case["measured_ns"], *case["observed_ns"].values())]
    assert max(ages) <= AGE_NS and min(ages) >= -AHEAD_NS
    assert np.isfinite(case["target"]).all() and np.isfinite(case["measured"]).all()


@MANY
@given(cases(wild=False), st.data())
def test_one_fault_is_enough_to_hold_and_is_named(
    case: dict[str, Any], data: st.DataObject
) -> None:
    fault = data.draw(
        st.sampled_from(["stale", "stale state", "ahead", "nan", "unmeasured", "shape"])
    )
    size = len(case["limits"].names)
    at = data.draw(st.integers(0, size - 1))
    broken = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    over = data.draw(st.integers(1, 10**12))
    kind, subject = {
        "stale": (STALE, "cam_high"), "stale state": (STALE, "state"), "ahead": (AHEAD, "cam_high"),
        "nan": (NOT_FINITE, "abc"[at]), "unmeasured": (UNMEASURED, "abc"[at]), "shape": (SHAPE, ""),
    }[fault]  # fmt: skip
    if fault == "stale":
        case["observed_ns"]["cam_high"] = NOW - AGE_NS - over
    elif fault == "stale state":
        case["measured_ns"] = NOW - AGE_NS - over
    elif fault == "ahead":
        case["observed_ns"]["cam_high"] = NOW + AHEAD_NS + over
    elif fault == "nan":
        case["target"][at] = broken
    elif fault == "unmeasured":
        case["measured"][at] = broken
    else:
        case["target"] = np.zeros(size + 1)
    _, verdict = ask(case)
    assert verdict.command_D is None
    assert list(verdict.reasons) == [kind]
    assert verdict.reasons[kind] == ((subject,) if subject else ())


@MANY
@given(cases(wild=False))
def test_a_sound_request_moves_as_far_as_it_may(case: dict[str, Any]) -> None:
    """Held only outside the limits or the workspace; changed only as told."""
    guard, verdict = ask(case)
    built: Limits = case["limits"]
    low, high = built.box_low_D, built.box_high_D
    if verdict.command_D is None:
        (kind,) = verdict.reasons
        far = (case["measured"] + guard.reach_D < low) | (case["measured"] - guard.reach_D > high)
        assert (kind == OUTSIDE) == bool(far.any())
        assert kind == OUTSIDE or (kind == UNREACHABLE and built.workspace is not None)
        return
    assert_safe(case, verdict)
    assert set(verdict.reasons) <= {VELOCITY, LIMIT, WORKSPACE}
    assert not verdict.reasons or verdict.text
    if not verdict.reasons:
        assert np.array_equal(verdict.command_D, case["target"])
    if WORKSPACE not in verdict.reasons:
        best = np.clip(
            case["target"], case["measured"] - guard.reach_D, case["measured"] + guard.reach_D
        )
        assert np.array_equal(verdict.command_D, np.clip(best, built.low_D, built.high_D))


@MANY
@given(cases(wild=False, kinematics=True))
def test_the_hand_stays_in_the_workspace(case: dict[str, Any]) -> None:
    _, verdict = ask(case)
    space = case["limits"].workspace
    if verdict.command_D is not None:
        assert_safe(case, verdict)
    elif UNREACHABLE in verdict.reasons:
        inside = np.clip(case["measured"], case["limits"].low_D, case["limits"].high_D)
        assert not space.holds(inside)


def test_kinematics_that_know_nothing_hold() -> None:
    space = Workspace(("x",), np.array([0.0]), np.array([1.0]), lambda _: np.array([np.nan]))
    case = {
        "limits": Limits(("a",), np.array([-1.0]), np.array([1.0]), np.ones(1), space),
        "target": np.zeros(1), "measured": np.zeros(1), "measured_ns": NOW,
        "observed_ns": {"state": NOW},
    }  # fmt: skip
    _, verdict = ask(case)
    assert verdict.command_D is None and UNREACHABLE in verdict.reasons


@pytest.mark.parametrize(
    "wrong",
    [
        {"low_D": np.array([2.0])},
        {"low_D": np.array([np.nan])},
        {"high_D": np.zeros(2)},
        {"max_velocity_D": np.zeros(1)},
        {"max_velocity_D": np.array([np.inf])},
        {"names": ()},
        {"workspace": Workspace(("a",), np.array([5.0]), np.array([6.0]))},
    ],
)
def test_limits_that_are_none_are_refused(wrong: dict[str, Any]) -> None:
    right = {
        "names": ("a",),
        "low_D": -np.ones(1),
        "high_D": np.ones(1),
        "max_velocity_D": np.ones(1),
    }
    Limits(**right)
    with pytest.raises(ContractError):
        Limits(**(right | wrong))

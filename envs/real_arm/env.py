"""The Gymnasium environment over a robot's link: keeps time, asks the guard, tells everything."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from numpy.typing import NDArray

from robovalue_envs.real_arm.config import RealArmConfig, build_limits, checked_config
from robovalue_envs.real_arm.guard import Guard, Verdict, tell
from robovalue_envs.real_arm.holding import DryLink, Grip
from robovalue_envs.real_arm.limits import Kinematics
from robovalue_envs.real_arm.senses import Observation, Senses
from robovalue_ros.contracts.errors import ConfigError, RobotError
from robovalue_ros.contracts.ports import ArmLink
from robovalue_ros.contracts.types import Array
from robovalue_ros.contracts.validate import describe, require


class RealArmEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """A robot at a fixed control rate that is held whenever something is not right.

    link: called without arguments, returns the open `ArmLink`; the environment closes it. config:
    a `RealArmConfig` or a mapping of its fields. kinematics: positions (D,) -> the point (K,) that
    the workspace is about; without it the workspace is one of coordinates. A robot does not know
    how well it does: reward is 0 and nothing terminates; `ValueReward` around it tells.
    Raises ConfigError, ContractError; `reset` raises RobotError when a sensor stays silent.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012

    def __init__(
        self,
        link: Callable[[], ArmLink] | None = None,
        *,
        config: RealArmConfig | Mapping[str, Any] | None = None,
        kinematics: Kinematics | None = None,
        render_mode: str | None = None,
    ) -> None:
        if not callable(link):
            raise ConfigError(
                f"real_arm: link is {describe(link)}", "a function that returns an ArmLink"
            )
        if render_mode not in (None, "rgb_array"):
            raise ConfigError(f"render_mode is {render_mode!r}", "None or rgb_array")
        self.render_mode = render_mode
        self.config = checked_config(config)
        # A wrapper that needs the time between two steps reads it here.
        self.metadata = {**self.metadata, "render_fps": self.config.rate_hz}
        with ExitStack() as stack:
            robot = link()
            grip = Grip(DryLink(robot) if self.config.dry_run else robot)
            stack.callback(grip.let_go)
            self.names = tuple(robot.names)
            self.guard = Guard(
                build_limits(self.config, self.names, kinematics),
                period_ns=self.config.period_ns,
                max_age_ns=round(self.config.max_age_s * 1e9),
                max_ahead_ns=round(self.config.max_ahead_s * 1e9),
            )
            self._senses = Senses(len(self.names), robot.cameras)
            self._first_camera = next(iter(robot.cameras), None)
            stack.pop_all()
        self._grip = grip
        self._clock = robot.clock
        # For whoever forgets to close: runs when the environment is collected or Python ends.
        weakref.finalize(self, grip.let_go)
        self.observation_space: spaces.Dict = self._senses.space  # type: ignore[assignment]
        self.action_space: spaces.Box = self._action_space()  # type: ignore[assignment]
        self._seen_ns: dict[str, int] = {}
        self._tick_ns = 0
        self._steps = 0
        self._started = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Hold the robot and start an episode as soon as every sensor is fresh."""
        super().reset(seed=seed)
        self._check_open()
        with self._grip:
            self._grip.hold()
            self._senses.forget()
            self._wait_for_sensors()
            self._tick_ns = self._clock.now_ns()
            self._steps, self._started = 0, True
            return self._observe({"late_s": 0.0})

    def step(self, action: Array) -> tuple[Observation, SupportsFloat, bool, bool, dict[str, Any]]:
        """Send the action or hold, wait for the end of the control period, and look again.

        A NaN or infinite action holds; a wrong shape raises ContractError, after a hold.
        """
        self._check_open()
        if not self._started:
            raise ResetNeeded("call reset() before step()")
        with self._grip:
            asked_D = np.asarray(action)
            require(
                asked_D.shape == (len(self.names),) and asked_D.dtype.kind in "biuf",
                "action", f"{len(self.names)} numbers", describe(action),
            )  # fmt: skip
            verdict = self._act(asked_D)
            told = {"late_s": self._end_period()} | self._told(asked_D, verdict)
            seen, info = self._observe(told)
            self._steps += 1
            ended = 0 < self.config.max_steps <= self._steps
            return seen, 0.0, False, ended, info

    def render(self) -> NDArray[np.uint8] | None:
        """Return the last picture of the first camera, (H, W, 3) uint8, in mode rgb_array."""
        if self.render_mode is None or self._first_camera is None:
            return None
        if not self._started:
            raise ResetNeeded("call reset() before render()")
        return self._senses.observation()[self._first_camera]

    def close(self) -> None:
        """Hold and let go of the robot; allowed any number of times."""
        self._grip.let_go()

    def _act(self, asked_D: Array) -> Verdict:
        """Send what the guard allows, counted from what is measured now."""
        senses = self._senses
        senses.take(self._grip.link.read())
        target_D = np.array(asked_D, np.float64)
        if self.config.actions == "delta" and senses.measured_D is not None:
            target_D = senses.measured_D + target_D
        verdict = self.guard.check(
            target_D,
            senses.measured_D,
            now_ns=self._clock.now_ns(),
            measured_ns=senses.measured_ns,
            observed_ns=self._seen_ns,
        )
        if verdict.command_D is None:
            self._grip.hold()
        else:
            self._grip.send(verdict.command_D)
        return verdict

    def _end_period(self) -> float:
        """Sleep until the next tick; returns by how many seconds it was already over."""
        now, period = self._clock.now_ns(), self.config.period_ns
        # Lost time is not caught up in a burst, and a clock that was set back costs one period.
        due = min(self._tick_ns + period, now + period)
        self._tick_ns = max(due, now)
        if due > now:
            self._clock.sleep_until(due)
        return max(0, now - due) / 1e9

    def _observe(self, told: dict[str, Any]) -> tuple[Observation, dict[str, Any]]:
        """Look; hold at once when a sensor was lost while the command was under way."""
        senses = self._senses
        senses.take(self._grip.link.read())
        now = self._clock.now_ns()
        self._seen_ns = senses.stamps_ns
        lost = self.guard.untimely(now, self._seen_ns)
        if lost:
            self._grip.hold()
        info = told | {
            "stamp_ns": now,
            "ages_s": {name: (now - at) / 1e9 for name, at in self._seen_ns.items()},
            "lost": lost,
            "held": self._grip.held,
            "dry_run": self.config.dry_run,
        }
        return senses.observation(), info

    def _told(self, asked_D: Array, verdict: Verdict) -> dict[str, Any]:
        sent = verdict.command_D is not None and not self.config.dry_run
        return {
            "requested": asked_D.copy(),
            "command": verdict.command_D,
            "sent": sent,
            "reasons": dict(verdict.reasons),
            "why": verdict.text,
        }

    def _wait_for_sensors(self) -> None:
        start = self._clock.now_ns()
        end = start + round(self.config.wait_s * 1e9)
        while True:
            self._senses.take(self._grip.link.read())
            now = self._clock.now_ns()
            missing = self._senses.missing
            late = self.guard.untimely(now, self._senses.stamps_ns)
            if not missing and not late:
                return
            # A clock that was set back must not make the wait endless.
            if now >= end or now < start:
                found = f"no word of {', '.join(missing)}" if missing else tell(late)
                raise RobotError(
                    f"the robot is not ready after {self.config.wait_s:g} s: {found}",
                    f"all of {', '.join(self.observation_space)}, not older than "
                    f"{self.config.max_age_s:g} s",
                )
            self._clock.sleep_until(min(now + self.config.period_ns, end))

    def _action_space(self) -> spaces.Box:
        """Return what can be asked for; rounded inwards, so that float32 is never beyond a limit."""
        limits = self.guard.limits
        low_D, high_D = limits.box_low_D, limits.box_high_D
        if self.config.actions == "delta":
            low_D, high_D = -self.guard.reach_D, self.guard.reach_D
        low, high = low_D.astype(np.float32), high_D.astype(np.float32)
        up, down = np.float32(np.inf), np.float32(-np.inf)
        low = np.where(low < low_D, np.nextafter(low, up), low)
        high = np.where(high > high_D, np.nextafter(high, down), high)
        return spaces.Box(np.minimum(low, high), high, dtype=np.float32)

    def _check_open(self) -> None:
        if not self._grip.open:
            raise ClosedEnvironmentError("the robot was let go of; make a new environment")

"""The settings of the environment, and what they become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from robovalue_envs.real_arm.limits import Kinematics, Limits, Workspace
from robovalue_ros.contracts.config import check_ranges, from_mapping, option
from robovalue_ros.contracts.errors import ConfigError, nearest


@dataclass(frozen=True, slots=True)
class RealArmConfig:
    """How a robot may be moved. Limits have no default: nobody but its owner knows them."""

    low: tuple[float, ...] = option((), "smallest position of each coordinate, rad or m")
    high: tuple[float, ...] = option((), "largest position of each coordinate, rad or m")
    max_velocity: tuple[float, ...] = option(
        (), "largest speed of each coordinate, rad/s or m/s; one number serves all"
    )
    workspace_names: tuple[str, ...] = option(
        (),
        "coordinates of the workspace: names of the robot's own, or of what the kinematics return",
    )
    workspace_low: tuple[float, ...] = option((), "lower corner of the workspace")
    workspace_high: tuple[float, ...] = option((), "upper corner of the workspace")
    rate_hz: float = option(20.0, "control steps per second", low=0.1, high=1000.0)
    actions: Literal["position", "delta"] = option(
        "position", "what an action means: target positions, or changes of the measured ones"
    )
    max_age_s: float = option(
        0.25, "age of the oldest observation that may move the robot, s", low=0.001, high=10.0
    )
    max_ahead_s: float = option(
        0.02, "how far a stamp may lie ahead of the clock, s", low=0.0, high=1.0
    )
    wait_s: float = option(5.0, "how long reset waits for every sensor, s", low=0.0, high=3600.0)
    max_steps: int = option(0, "steps of an episode; 0 for no end", low=0)
    dry_run: bool = option(False, "send nothing to the robot, tell what would have been sent")

    @property
    def period_ns(self) -> int:
        """Length of a control step."""
        return round(1e9 / self.rate_hz)


def checked_config(config: RealArmConfig | Mapping[str, Any] | None) -> RealArmConfig:
    """Return a configuration whose numbers lie in their ranges; raises ConfigError."""
    if config is None or isinstance(config, Mapping):
        return from_mapping(RealArmConfig, config or {}, "real_arm")
    check_ranges(config, "real_arm")
    return config


def build_limits(
    config: RealArmConfig, names: tuple[str, ...], kinematics: Kinematics | None = None
) -> Limits:
    """Fit the configured limits to a robot's coordinates; raises ConfigError, ContractError."""
    sizes = {"low": config.low, "high": config.high, "max_velocity": config.max_velocity}
    for field, values in sizes.items():
        wanted = (1, len(names)) if field == "max_velocity" else (len(names),)
        if len(values) not in wanted:
            raise ConfigError(
                f"real_arm: {field} has {len(values)} numbers",
                f"{len(names)}, one per coordinate",
                f"The robot's coordinates: {', '.join(names)}.",
            )
    speed_D = np.broadcast_to(np.array(config.max_velocity, np.float64), (len(names),))
    return Limits(
        names, np.array(config.low), np.array(config.high), speed_D,
        _workspace(config, names, kinematics),
    )  # fmt: skip


def _workspace(
    config: RealArmConfig, names: tuple[str, ...], kinematics: Kinematics | None
) -> Workspace | None:
    own = config.workspace_names
    for field in ("workspace_low", "workspace_high"):
        count = len(getattr(config, field))
        if count != len(own):
            raise ConfigError(
                f"real_arm: {field} has {count} numbers", f"{len(own)}, one per workspace name"
            )
    if not own:
        if kinematics is not None:
            raise ConfigError(
                "real_arm: kinematics without a workspace",
                "workspace_names, workspace_low and workspace_high",
            )
        return None
    if kinematics is None:
        for name in own:
            if name not in names:
                raise ConfigError(
                    f"real_arm: the robot has no coordinate {name!r}",
                    hint=f"{nearest(name, names)} A point of the hand needs kinematics.",
                )
    return Workspace(
        own, np.array(config.workspace_low), np.array(config.workspace_high), kinematics
    )

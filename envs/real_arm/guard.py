"""What may be sent to a robot: arrays in, a command or a hold out, and the reasons.

Knows no link, no environment and no ROS, remembers nothing between two questions, and is therefore
the same wherever commands come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from robovalue_envs.real_arm.limits import Floats, Limits
from robovalue_ros.contracts.types import Array
from robovalue_ros.contracts.validate import FrozenMapping, require

# Reasons to hold: nothing is sent.
STALE = "stale"
AHEAD = "ahead"
UNMEASURED = "unmeasured"
SHAPE = "shape"
NOT_FINITE = "not_finite"
OUTSIDE = "outside"
UNREACHABLE = "unreachable"
# Reasons to change a command.
VELOCITY = "velocity"
LIMIT = "limit"
WORKSPACE = "workspace"

_TEXTS = {
    STALE: "too old an observation of",
    AHEAD: "a stamp from the future of",
    UNMEASURED: "no usable measurement of",
    SHAPE: "an action of the wrong shape",
    NOT_FINITE: "NaN or infinity for",
    OUTSIDE: "measured outside the limits, further than one step:",
    UNREACHABLE: "measured outside the workspace, and so would the command be:",
    VELOCITY: "slowed down:",
    LIMIT: "kept within the limits:",
    WORKSPACE: "kept within the workspace:",
}
_HALVINGS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """command_D: what may be sent, None to hold. reasons: kind -> coordinates or sensors."""

    command_D: Floats | None
    reasons: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.command_D is not None:
            self.command_D.flags.writeable = False
        object.__setattr__(self, "reasons", FrozenMapping(self.reasons))

    @property
    def text(self) -> str:
        """The reasons as one line; empty when the command went through as it was."""
        return tell(self.reasons)


def tell(reasons: Mapping[str, tuple[str, ...]]) -> str:
    """Say reasons as one line."""
    return "; ".join(
        f"{_TEXTS[kind]} {', '.join(names)}".strip() for kind, names in reasons.items()
    )


class Guard:
    """Decides what becomes of a requested position.

    A command is bounded first by the speed, counted from the measured positions over one control
    period, and then by the limits, so that both hold. Where both cannot hold, because the robot is
    outside its limits by more than one step, it holds: somebody has to look. period_ns: the control
    period. max_age_ns, max_ahead_ns: how old an observation may be, how far ahead of the clock.
    """

    def __init__(
        self, limits: Limits, *, period_ns: int, max_age_ns: int, max_ahead_ns: int = 20_000_000
    ) -> None:
        require(period_ns > 0, "period_ns", "a positive number", period_ns)
        require(max_age_ns > 0, "max_age_ns", "a positive number", max_age_ns)
        require(max_ahead_ns >= 0, "max_ahead_ns", "no negative number", max_ahead_ns)
        self.limits = limits
        self.reach_D: Floats = limits.max_velocity_D * (period_ns / 1e9)
        self._max_age_ns = max_age_ns
        self._max_ahead_ns = max_ahead_ns
        self._box_low_D, self._box_high_D = limits.box_low_D, limits.box_high_D

    def untimely(self, now_ns: int, stamps_ns: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
        """Return the sensors whose stamps forbid to move, by reason; empty when all are fresh."""
        stale = tuple(n for n, at_ns in stamps_ns.items() if now_ns - at_ns > self._max_age_ns)
        ahead = tuple(n for n, at_ns in stamps_ns.items() if at_ns - now_ns > self._max_ahead_ns)
        return _named({STALE: stale, AHEAD: ahead})

    def check(
        self,
        target_D: Array,
        measured_D: Array | None,
        *,
        now_ns: int,
        measured_ns: int,
        observed_ns: Mapping[str, int],
    ) -> Verdict:
        """Decide about one requested position.

        measured_D: where the robot is, None when it never said. observed_ns: stamp of each sensor
        in the observation that the request answers; they and `measured_ns` must be fresh.
        """
        names = self.limits.names
        target_D = np.asarray(target_D)
        faults = self._faults(target_D, measured_D)
        stamps = dict(observed_ns)
        if measured_D is not None:
            stamps["state"] = measured_ns
        timing = [self.untimely(now_ns, observed_ns), self.untimely(now_ns, stamps)]
        for found in timing:
            for kind, subjects in found.items():
                faults[kind] = tuple(dict.fromkeys((*faults.get(kind, ()), *subjects)))
        if faults or measured_D is None:
            return Verdict(None, faults)
        here_D = np.asarray(measured_D, np.float64)
        slow_D, fast_D = here_D - self.reach_D, here_D + self.reach_D
        apart_D = (fast_D < self._box_low_D) | (slow_D > self._box_high_D)
        if apart_D.any():
            return Verdict(None, {OUTSIDE: _where(names, apart_D)})
        wish_D = target_D.astype(np.float64)
        slowed_D = np.clip(wish_D, slow_D, fast_D)
        limited_D = np.clip(slowed_D, self.limits.low_D, self.limits.high_D)
        boxed_D = np.clip(limited_D, self._box_low_D, self._box_high_D)
        reasons = {
            VELOCITY: _where(names, slowed_D != wish_D),
            LIMIT: _where(names, limited_D != slowed_D),
            WORKSPACE: _where(names, boxed_D != limited_D),
        }
        # The nearest allowed place to where the robot is; from there to the command all is allowed.
        stay_D = np.clip(here_D, self._box_low_D, self._box_high_D)
        return self._within_workspace(stay_D, boxed_D, reasons)

    def _faults(self, target_D: Array, measured_D: Array | None) -> dict[str, tuple[str, ...]]:
        names = self.limits.names
        faults: dict[str, tuple[str, ...]] = {}
        if measured_D is None or np.shape(measured_D) != (len(names),):
            faults[UNMEASURED] = names
        elif not np.isfinite(measured_D).all():
            faults[UNMEASURED] = _where(names, ~np.isfinite(measured_D))
        if target_D.shape != (len(names),) or target_D.dtype.kind not in "biuf":
            faults[SHAPE] = ()
        elif not np.isfinite(target_D).all():
            faults[NOT_FINITE] = _where(names, ~np.isfinite(target_D))
        return faults

    def _within_workspace(
        self, stay_D: Floats, command_D: Floats, reasons: dict[str, tuple[str, ...]]
    ) -> Verdict:
        space = self.limits.workspace
        if space is None or space.holds(command_D):
            return Verdict(command_D, _named(reasons))
        if not space.holds(stay_D):
            return Verdict(None, {UNREACHABLE: space.names})
        # Go as far as the workspace reaches; `inside` was asked about, so it needs no assumption
        # about the way between.
        inside_D, share, step = stay_D, 0.0, 0.5
        for _ in range(_HALVINGS):
            tried_D = np.clip(
                stay_D + (share + step) * (command_D - stay_D),
                np.minimum(stay_D, command_D), np.maximum(stay_D, command_D),
            )  # fmt: skip
            if space.holds(tried_D):
                inside_D, share = tried_D, share + step
            step /= 2
        return Verdict(inside_D, _named({**reasons, WORKSPACE: space.names}))


def _where(names: tuple[str, ...], mask_D: Array) -> tuple[str, ...]:
    return tuple(name for name, hit in zip(names, mask_D, strict=True) if hit)


def _named(reasons: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {kind: names for kind, names in reasons.items() if names}

"""From command messages to numbers, and where the newest of them waits."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import nearest
from robovalue_ros.nodes.convert import ConversionError

Floats = NDArray[np.float64]


def numbers_from_array(message: Any, size: int) -> Floats:
    """Return the (size,) numbers of a Float64MultiArray; raises ConversionError."""
    return _checked(message.data, size)


def numbers_from_trajectory(message: Any, names: Sequence[str]) -> Floats:
    """Return where the last point of a JointTrajectory leads, in the order of `names`.

    Raises ConversionError unless the message names all of them and no other.
    """
    given = list(message.joint_names)
    for name in given:
        if name not in names:
            raise ConversionError(
                f"a trajectory names {name[:80]!r}", "names of this robot", nearest(name, names)
            )
    lacking = [name for name in names if name not in given]
    if lacking or len(given) != len(names):
        raise ConversionError(
            f"a trajectory of {len(given)} joints lacks {', '.join(lacking) or 'none'}",
            f"each of the {len(names)} once",
        )
    if not message.points:
        raise ConversionError("a trajectory without points", "at least one")
    values = _checked(message.points[-1].positions, len(names))
    return values[[given.index(name) for name in names]]


def _checked(data: Any, size: int) -> Floats:
    values = np.array(data, np.float64)
    if values.shape != (size,):
        raise ConversionError(f"a command of {values.size} numbers", f"{size}")
    if not np.isfinite(values).all():
        bad = int(np.argwhere(~np.isfinite(values))[0, 0])
        raise ConversionError(f"a command with NaN or infinity at {bad}", "finite numbers")
    return values


@dataclass(frozen=True, slots=True)
class CommandReport:
    """How commands are doing. age_s: of the newest, in simulated seconds; infinite without one."""

    taken: int
    refused: int
    age_s: float
    holding: bool


class CommandBox:
    """Holds the newest command until it is too old; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: Floats | None = None
        self._at_ns: int | None = None
        self._taken = self._refused = 0
        self._holding = True

    def put(self, values: Floats, now_ns: int) -> None:
        """Take a command that came at this moment of simulated time."""
        with self._lock:
            self._values, self._at_ns = values, now_ns
            self._taken += 1

    def refuse(self) -> None:
        """Count a command that cannot be followed."""
        with self._lock:
            self._refused += 1

    def newest(self, now_ns: int, timeout_ns: int) -> Floats | None:
        """Return the newest command; None when there is none, or it is older than the timeout.

        timeout_ns: 0 for never.
        """
        with self._lock:
            age_ns = 0 if self._at_ns is None else now_ns - self._at_ns
            if timeout_ns and age_ns > timeout_ns:
                self._values = None
            self._holding = self._values is None
            return self._values

    def clear(self) -> None:
        """Forget the command: a new episode begins somewhere else."""
        with self._lock:
            self._values, self._holding = None, True

    def report(self, now_ns: int) -> CommandReport:
        with self._lock:
            age_s = float("inf") if self._at_ns is None else (now_ns - self._at_ns) * 1e-9
            return CommandReport(self._taken, self._refused, age_s, self._holding)

"""The last thing that a robot hears is to hold: at the end, after an error, on a signal."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

import gymnasium

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.contracts.ports import ArmLink, ArmReading, Clock
from robovalue_ros.contracts.types import Array

E = TypeVar("E", bound="gymnasium.Env[Any, Any]")


class Grip:
    """Has hold of a robot until it lets go, which it does only after a hold.

    Used as a block it holds the robot when an error, or an order to stop, leaves the block.
    """

    def __init__(self, link: ArmLink) -> None:
        self.link = link
        self.held = False
        self.open = True

    def send(self, command_D: Array) -> None:
        # Before, not after: an error on the way may mean that half of it arrived.
        self.held = False
        self.link.send(command_D)

    def hold(self) -> None:
        """Hold the robot; again at every call, since a hold may have been lost."""
        self.link.stop()
        self.held = True

    def let_go(self) -> None:
        """Hold and let go of the robot, once; a hold that failed is tried again by the next call."""
        if not self.open:
            return
        self.hold()
        self.open = False
        self.link.close()

    def __enter__(self) -> Grip:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is not None:
            self.hold()


class DryLink:
    """A link that listens and does not speak."""

    def __init__(self, link: ArmLink) -> None:
        self._link = link

    @property
    def names(self) -> tuple[str, ...]:
        return self._link.names

    @property
    def cameras(self) -> Mapping[str, tuple[int, int]]:
        return self._link.cameras

    @property
    def clock(self) -> Clock:
        return self._link.clock

    def read(self) -> ArmReading:
        return self._link.read()

    def send(self, action: Array) -> None:
        pass

    def stop(self) -> None:
        pass

    def close(self) -> None:
        self._link.close()


class _FirstSignal:
    """Leaves the running code by SystemExit(0) on the first signal; later ones wait for the hold."""

    def __init__(self) -> None:
        self.deaf = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if not self.deaf:
            self.deaf = True
            sys.exit(0)


@contextmanager
def holding(
    env: E, signals: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM)
) -> Iterator[E]:
    """Close `env` when the block is left in any way; a signal leaves it and exits with 0.

    For scripts, in the main thread: `with holding(gymnasium.make(...)) as env:`. Signals are heard
    between two steps of Python; a long call into a library ends first. Raises ContractError for an
    environment that is no environment.
    """
    if not isinstance(env, gymnasium.Env):
        raise ContractError("env", "a Gymnasium environment", type(env).__name__)
    heard = _FirstSignal()
    before = {number: signal.signal(number, heard) for number in signals}
    try:
        try:
            yield env
        finally:
            heard.deaf = True
    finally:
        try:
            env.close()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

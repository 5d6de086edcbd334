"""From a command line to a running node and to its clean end."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import rclpy
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from robovalue_ros.contracts.errors import ConfigError, RobovalueError
from robovalue_ros.nodes.spine import ManagedNode

SPIN_S = 0.1


class Stopped(BaseException):
    """A signal came while something long was loading."""


def run(make: Callable[[], ManagedNode[Any]], words: Sequence[str] | None = None) -> int:
    """Run a node until SIGINT or SIGTERM and return the exit code of its process.

    0 after a signal, within two seconds; 2 with one line for an error that the user can mend.
    words: the command line; default: that of the process.
    """
    with _signals() as signals:
        try:
            return _run(make, words, signals)
        except Stopped:
            return 0
        except RobovalueError as problem:
            print(f"robovalue: error: {problem}", file=sys.stderr)
            return problem.exit_code


def _run(
    make: Callable[[], ManagedNode[Any]], words: Sequence[str] | None, signals: _Signals
) -> int:
    _init(words)
    executor: Executor | None = None
    node: ManagedNode[Any] | None = None
    try:
        node = signals.node = make()
        executor = make_executor()
        executor.add_node(node)
        node.start()
        while not signals.came and node.state != "finalized":
            executor.spin_once(timeout_sec=SPIN_S)
            node.raise_bug()
        return 0
    finally:
        # A second signal must not disturb the end.
        signals.deaf = True
        close(node, executor)
        # A lifecycle node refers to itself; what it holds in shared memory must go before we do.
        node = signals.node = executor = None
        gc.collect()
        rclpy.try_shutdown()


def make_executor() -> Executor:
    """Return the executor that nodes of this project run in."""
    return SingleThreadedExecutor()


def close(node: ManagedNode[Any] | None, executor: Executor | None) -> None:
    """End a node and let go of everything that it holds."""
    if node is not None:
        node.finish()
    if executor is not None:
        executor.shutdown(timeout_sec=1.0)
    if node is not None:
        node.destroy_node()


def _init(words: Sequence[str] | None) -> None:
    try:
        rclpy.init(
            args=None if words is None else ["robovalue", *words],
            signal_handler_options=SignalHandlerOptions.NO,
        )
    except (RuntimeError, ValueError) as problem:  # what rclpy raises for its arguments
        reason = str(problem).splitlines()[0]
        raise ConfigError(f"the ROS arguments cannot be read: {reason}") from None


class _Signals:
    """Hears SIGINT and SIGTERM in the main thread."""

    def __init__(self) -> None:
        self.came = False
        self.deaf = False
        self.node: ManagedNode[Any] | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        loading = self.node is None or self.node.interruptible
        if loading and not self.deaf:
            raise Stopped


@contextmanager
def _signals() -> Iterator[_Signals]:
    heard = _Signals()
    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

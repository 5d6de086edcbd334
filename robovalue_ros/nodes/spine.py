"""What every node of this project has in common.

A node fills six hooks: `setup` and `teardown`, `begin` and `halt`, `health`, `changed`. It gets
parameters from its configuration dataclass, the managed life cycle with `autostart`, diagnostics
once a second, worker threads that are watched and ended, and an end within two seconds on SIGINT
and SIGTERM.

Threads: callbacks run in the main thread. Work that takes longer than a copy goes to a worker, work
of seconds to `in_background`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.task import Future

from robovalue_ros.contracts.config import option
from robovalue_ros.contracts.errors import ConfigError, RobovalueError
from robovalue_ros.nodes.caught import Caught
from robovalue_ros.nodes.diagnostics import Health, health_to_ros
from robovalue_ros.nodes.parameters import declare_config, follow_changes
from robovalue_ros.nodes.worker import Worker

T = TypeVar("T")
R = TypeVar("R")
HEARTBEAT_S = 1.0
WATCH_S = 0.1
STOP_WORKER_S = 1.0


@dataclass(frozen=True, kw_only=True)
class NodeConfig:
    """What every node can be told; configurations of nodes inherit from it."""

    autostart: bool = option(
        True, "configure and activate at once; else wait for a lifecycle manager"
    )


C = TypeVar("C", bound=NodeConfig)


class ManagedNode(LifecycleNode, Generic[C]):
    """A lifecycle node; subclasses name their `config_type` and fill the hooks.

    further: what rclpy's Node takes, such as context, namespace, parameter_overrides, cli_args.
    Raises ConfigError for a parameter that is unknown or does not fit.
    """

    config_type: ClassVar[type[NodeConfig]] = NodeConfig

    def __init__(self, name: str, **further: Any) -> None:
        super().__init__(name, **further)
        self._workers: list[Worker[Any]] = []
        self._jobs: list[threading.Thread] = []
        self._bug: Exception | None = None
        self._state = "unconfigured"
        self._problem: RobovalueError | None = None
        self.interruptible = False
        self.ended = False
        # Signals, services and the node itself may all want to end it.
        self._ending = threading.RLock()
        self._moving = False
        try:
            self.config: C = declare_config(self, self.config_type)  # type: ignore[assignment]
        except ConfigError:
            self.destroy_node()
            raise
        follow_changes(self, self.config_type, self._take_changes)
        self._heart = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        # Diagnostics keep the time of the wall: they also tell when a simulator's clock stands.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._heartbeat = self.create_timer(HEARTBEAT_S, self.tell_health, clock=steady)
        self._watch = self.create_timer(WATCH_S, self._look_after, clock=steady)

    # Hooks

    def setup(self) -> None:
        """Load what is needed and create publishers; a RobovalueError makes configuring fail."""

    def begin(self) -> None:
        """Subscribe and start to work; called when the node becomes active."""

    def halt(self) -> None:
        """Stop what `begin` started. Workers are ended already."""

    def teardown(self) -> None:
        """Let go of what `setup` made."""

    def health(self) -> Sequence[Health]:
        """Tell how the node is doing; called once a second in every state."""
        return ()

    def changed(self, config: C) -> None:
        """Take changed live parameters; a RobovalueError rejects them. `config` is the old one."""

    def every_tenth(self) -> None:
        """Look after things ten times a second while active, by the clock of the wall."""

    # For subclasses

    @property
    def hardware_id(self) -> str:
        """What diagnostics belong to, such as the id of a model."""
        return ""

    @property
    def state(self) -> str:
        """unconfigured, inactive, active or finalized."""
        return self._state

    def now_ns(self) -> int:
        """Return the time of the node's clock: the simulator's with `use_sim_time`."""
        return int(self.get_clock().now().nanoseconds)

    def add_worker(self, work: Callable[[T], None], name: str) -> Worker[T]:
        """Start a worker thread; it is watched, and ended before `halt`."""
        worker = Worker(work, f"{self.get_name()}-{name}")
        self._workers.append(worker)
        worker.start()
        return worker

    def in_background(self, job: Callable[[], R]) -> Future[R]:
        """Run a job of seconds in a thread; await the future in an `async` service callback.

        A RobovalueError of the job is raised where the future is awaited.
        """
        future: Future[R] = Future(executor=self.executor)

        def run() -> None:
            with Caught() as caught:
                future.set_result(job())
            if caught.error is not None:
                future.set_exception(caught.error)

        thread = threading.Thread(target=run, name=f"{self.get_name()}-job", daemon=True)
        self._jobs = [job for job in self._jobs if job.is_alive()] + [thread]
        thread.start()
        return future

    # Life cycle

    def start(self) -> None:
        """Configure and activate if `autostart` says so; raises the error that prevents it."""
        if not self.config.autostart:
            return
        for trigger, state in (
            (self.trigger_configure, "inactive"), (self.trigger_activate, "active")
        ):  # fmt: skip
            trigger()
            self.raise_bug()
            if self._state != state:
                raise self._problem or ConfigError(
                    f"{self.get_name()} is {self._state}", f"to become {state}"
                )

    def finish(self) -> None:
        """End everything: halt, tear down, finalize. May be called in any state."""
        with self._ending:
            if self.ended:
                return
            self.ended = True
            self.shut_down()
        for timer in (self._heartbeat, self._watch):
            timer.cancel()
        for job in self._jobs:
            job.join(STOP_WORKER_S)

    def shut_down(self) -> None:
        """Go to finalized, from whatever thread and state; a node may end itself with this."""
        with self._ending:
            if self._moving:
                # A signal came in the middle of a transition, and ROS does not leave that any more.
                self._let_go()
                self._state = "finalized"
            elif self._state != "finalized":
                self.trigger_shutdown()

    def raise_bug(self) -> None:
        """Raise what went wrong in a worker or a transition and should not have."""
        if self._bug is not None:
            raise self._bug

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        with self._transition("configure", "inactive") as result:
            self.interruptible = True
            try:
                self.setup()
            finally:
                self.interruptible = False
            super().on_configure(state)
        return result.outcome

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        with self._transition("activate", "active") as result:
            super().on_activate(state)
            self.begin()
        return result.outcome

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        with self._transition("deactivate", "inactive") as result:
            self._halt()
            super().on_deactivate(state)
        return result.outcome

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        with self._transition("clean up", "unconfigured") as result:
            self.teardown()
            super().on_cleanup(state)
        return result.outcome

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        with self._transition("shut down", "finalized") as result:
            if self._state in ("active", "inactive"):
                self._let_go()
            super().on_shutdown(state)
        return result.outcome

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._state = "finalized"
        return TransitionCallbackReturn.FAILURE

    @contextmanager
    def _transition(self, name: str, reached: str) -> Iterator[_Result]:
        """Run a transition: a user's error makes it fail with the reason, a bug is kept."""
        result = _Result()
        self._problem = None
        self._moving = True
        with Caught() as caught:
            yield result
        # Not reached when a signal broke in: see `shut_down`.
        self._moving = False
        if isinstance(caught.error, RobovalueError):
            self._problem = caught.error
            self.get_logger().error(f"cannot {name}: {caught.error}")
            result.outcome = TransitionCallbackReturn.FAILURE
        elif caught.error is not None:
            self._bug = caught.error
            result.outcome = TransitionCallbackReturn.ERROR
        else:
            self._state = reached

    def _let_go(self) -> None:
        if self._state == "active":
            self._halt()
        self.teardown()

    def _halt(self) -> None:
        for worker in self._workers:
            if not worker.stop(STOP_WORKER_S):
                self.get_logger().warning("a worker is still busy and is left alone")
            self._bug = self._bug or worker.failure
        self._workers = []
        self.halt()

    def _take_changes(self, config: NodeConfig) -> None:
        self.changed(config)  # type: ignore[arg-type]
        self.config = config  # type: ignore[assignment]

    def tell_health(self) -> None:
        """Publish diagnostics now."""
        level = {"active": "ok", "inactive": "ok"}.get(self._state, "stale")
        message = self._state if self._problem is None else f"{self._state}: {self._problem}"
        own = Health("life", "error" if self._problem else level, message)  # type: ignore[arg-type]
        stamp = self.get_clock().now().to_msg()
        parts = [own, *self.health()]
        self._heart.publish(health_to_ros(parts, stamp, self.get_name(), self.hardware_id))

    def _look_after(self) -> None:
        if self.ended:
            return
        for worker in self._workers:
            self._bug = self._bug or worker.failure
        self.raise_bug()
        if self._state == "active":
            self.every_tenth()


@dataclass(slots=True)
class _Result:
    outcome: TransitionCallbackReturn = TransitionCallbackReturn.SUCCESS


def elapsed_s() -> float:
    """Return seconds of a clock that never goes back, for ages and rates."""
    return time.monotonic()

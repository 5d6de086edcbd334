"""The node that is a robot: any Gymnasium environment, with cameras, joints, commands and a clock.

The simulation runs in a thread of its own (`sim_loop.py`), which makes, steps, renders and closes
the environment and publishes what it shows. Callbacks only look at commands and store the newest.
A wrong command is refused, counted and told in diagnostics; it never ends the node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.ports import EpisodeRecord
from robovalue_ros.contracts.tools import WriteOptions
from robovalue_ros.nodes.convert import ConversionError
from robovalue_ros.nodes.diagnostics import Health
from robovalue_ros.nodes.notes import Notes
from robovalue_ros.nodes.sim_commands import (
    CommandBox,
    Floats,
    numbers_from_array,
    numbers_from_trajectory,
)
from robovalue_ros.nodes.sim_config import SimNodeConfig, env_arguments
from robovalue_ros.nodes.sim_episode import EpisodeLog
from robovalue_ros.nodes.sim_health import command_health, simulation_health
from robovalue_ros.nodes.sim_loop import SimLoop
from robovalue_ros.nodes.sim_recorder import SimRecorder
from robovalue_ros.nodes.sim_robot import About, Moment, SimRobot
from robovalue_ros.nodes.sim_topics import SimTopics
from robovalue_ros.nodes.spine import STOP_WORKER_S, ManagedNode, elapsed_s
from robovalue_ros.wiring import make_writer

NAME = "sim_node"
COMMAND_DEPTH = 10
STEP_OVER_S = 1.0


class SimNode(ManagedNode[SimNodeConfig]):
    """Publishes cameras, joint_states, task, ~/episode, ~/progress and /clock; takes commands."""

    config_type = SimNodeConfig

    def __init__(self, name: str = NAME, **further: Any) -> None:
        self._box = CommandBox()
        self._notes = Notes()
        self._loop: SimLoop | None = None
        self._topics: SimTopics | None = None
        self._recorder: SimRecorder | None = None
        self._about: About | None = None
        self._recorded = self._not_recorded = 0
        self._heard: list[Any] = []
        self._offered: list[Any] = []
        super().__init__(name, **further)

    # Hooks of the spine

    def setup(self) -> None:
        config = self.config
        env_arguments(config.env_options)  # what is wrong with them is told before anything loads
        with ExitStack() as stack:
            loop = SimLoop(
                lambda: SimRobot(config), lambda: self.config, self, self._box,
                f"{self.get_name()}-simulation",
            )  # fmt: skip
            stack.callback(loop.close, STOP_WORKER_S)
            self._about = loop.open()
            stack.pop_all()
        self._loop = loop
        self._topics = SimTopics(self, config, self._about, self._stamp_ns)
        if config.record_dir is not None:
            self._recorder = SimRecorder(
                config.record_dir, make_writer(WriteOptions()), self._written
            )
        self._offered = [
            self.create_service(Trigger, "~/reset", self._reset),
            self.create_service(SetBool, "~/pause", self._pause),
        ]
        cameras = ", ".join(self._about.cameras) or "none"
        self.get_logger().info(
            f"{config.env}: cameras {cameras}; coordinates {', '.join(self._about.names)}; "
            f"{self._about.rate_hz:g} steps per second; moved by "
            + ("commands" if config.policy == "none" else f"the policy {config.policy}")
        )

    def begin(self) -> None:
        assert self._loop is not None
        self._heard = [
            self.create_subscription(Float64MultiArray, "command", self._array, COMMAND_DEPTH),
            self.create_subscription(
                JointTrajectory, "joint_trajectory", self._trajectory, COMMAND_DEPTH
            ),
        ]
        self._loop.go()

    def halt(self) -> None:
        if self._loop is not None and not self._loop.rest(STEP_OVER_S):
            self.get_logger().warning("the simulation is still in a step and is left alone")
        for subscription in self._heard:
            self.destroy_subscription(subscription)
        self._heard = []
        if self._topics is not None and self._loop is not None and self._loop.finished.is_set():
            self._topics.flush()

    def teardown(self) -> None:
        if self._loop is not None and not self._loop.close(STOP_WORKER_S):
            self.get_logger().warning("the environment does not end and is left alone")
        if self._recorder is not None and not self._recorder.close(STOP_WORKER_S):
            self.get_logger().warning("an episode was still being written and is not kept")
        for service in self._offered:
            self.destroy_service(service)
        if self._topics is not None:
            self._topics.destroy()
        self._offered, self._loop, self._topics, self._recorder = [], None, None, None

    def every_tenth(self) -> None:
        """Raise what ended the simulation; end the node after the last episode."""
        loop, recorder = self._loop, self._recorder
        if loop is None:
            return
        for failure in (loop.failure, None if recorder is None else recorder.failure):
            if failure is not None:
                self.get_logger().error(f"the simulation has ended: {failure}")
                raise failure
        if loop.finished.is_set() and not (recorder is not None and recorder.busy):
            self.get_logger().info(f"{self.config.episodes} episodes are over")
            self.shut_down()

    def health(self) -> Sequence[Health]:
        if self.state != "active" or self._loop is None or self._about is None:
            return ()
        now = elapsed_s()
        notes = self._notes.recent(now)
        recorded = {"recorded": self._recorded, "not_recorded": self._not_recorded}
        return [
            simulation_health(
                self._loop.report(now), self._about, self.config.speed, notes, recorded
            ),
            command_health(self._box.report(self._loop.now_ns), self.config.policy, notes),
        ]

    @property
    def hardware_id(self) -> str:
        return self.config.env

    # What the loop tells, in its thread

    def ready(self) -> bool:
        return self._topics is None or self._topics.ready

    def tell_time(self, now_ns: int) -> None:
        if self._topics is not None:
            self._topics.time(now_ns)

    def tell_seen(self, now_ns: int, moment: Moment) -> None:
        if self._topics is not None:
            self._topics.seen(now_ns, moment)

    def tell_begun(self, log: EpisodeLog, instruction: str) -> None:
        if self._topics is not None:
            self._topics.task(instruction)
            self._topics.episode(log.begin_note())

    def tell_ended(self, log: EpisodeLog) -> None:
        note = log.end_note()
        if self._topics is not None:
            self._topics.episode(note)
        self.get_logger().info(
            f"episode {note['number']}: {note['why']} after {note['steps']} steps, "
            f"success {note['success']}"
        )
        episode = log.episode()
        if episode is not None and self._recorder is not None:
            self._recorder.put(episode)

    def _stamp_ns(self, now_ns: int) -> int:
        return now_ns if self.config.publish_clock else self.now_ns()

    def _written(self, result: EpisodeRecord | DataError) -> None:
        """Tell what became of an episode; the recorder's thread."""
        if isinstance(result, DataError):
            self._not_recorded += 1
            self._notes.add("recording", str(result), elapsed_s())
            self.get_logger().error(f"an episode is not recorded: {result}")
        else:
            self._recorded += 1
            self.get_logger().info(f"recorded {self.config.record_dir}/{result.files[0]}")

    # Commands and services: the main thread

    def _array(self, message: Any) -> None:
        self._take(lambda about: numbers_from_array(message, about.commanded))

    def _trajectory(self, message: Any) -> None:
        self._take(lambda about: numbers_from_trajectory(message, _positions(about)))

    def _take(self, read: Callable[[About], Floats]) -> None:
        loop, about = self._loop, self._about
        if loop is None or about is None:
            return
        try:
            if self.config.policy != "none":
                raise ConversionError(f"a command while the policy is {self.config.policy}", "none")
            self._box.put(read(about), loop.now_ns)
        except ConversionError as problem:
            self._box.refuse()
            self._notes.add("commands", str(problem), elapsed_s())
            self.get_logger().warning(f"refused: {problem}", throttle_duration_sec=5.0)

    def _reset(self, request: Any, response: Any) -> Any:
        if self._loop is None:
            response.success, response.message = False, "not configured"
            return response
        self._loop.reset()
        response.success, response.message = True, "a new episode begins with the next step"
        return response

    def _pause(self, request: Any, response: Any) -> Any:
        if self._loop is None:
            response.success, response.message = False, "not configured"
            return response
        self._loop.pause(request.data)
        response.success = True
        response.message = "time stands" if request.data else "time goes on"
        return response


def _positions(about: About) -> tuple[str, ...]:
    if not about.by_name:
        raise ConversionError("a trajectory", "an array, since commands are actions")
    return about.names

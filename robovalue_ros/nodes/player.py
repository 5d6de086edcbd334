"""Plays a bag through ROS 2: the recorded bytes as they are, at the recorded times or faster."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rosgraph_msgs.msg import Clock

from robovalue_ros.contracts.config import option
from robovalue_ros.contracts.errors import DataError, nearest
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.rosbag.bags import Bag
from robovalue_ros.data.rosbag.stream import BagStream, RawMessage, StreamTopic
from robovalue_ros.pipelines.bag.playback import Lateness, Quality, Timetable, quality_of

Say = Callable[[str], None]
POLL_S = 0.02
ACKNOWLEDGED_S = 2.0
NAME = "bag_player"


@dataclass(frozen=True)
class BagPlayConfig:
    """`robovalue bag play`."""

    bag: Path = option(..., "bag folder, .mcap or .db3 file", positional=True)
    rate: float = option(1.0, "how many times faster than recorded", low=0.001, high=1000.0)
    clock: bool = option(False, "publish /clock, for nodes with use_sim_time")
    clock_hz: float = option(100.0, "how often /clock is published", low=1.0, high=10_000.0)
    loop: bool = option(False, "begin again at the end, until Ctrl-C")
    topics: tuple[str, ...] | None = option(None, "play only these topics")
    wait_s: float = option(
        0.0, "seconds to wait for a subscriber of every topic before the first message", low=0.0,
        high=3600.0,
    )  # fmt: skip


@dataclass
class Played:
    """What was played. rate: reached, over all rounds; skipped: messages of unknown types."""

    messages: int = 0
    rounds: int = 0
    wall_s: float = 0.0
    bag_s: float = 0.0
    skipped: int = 0
    lateness: Lateness = field(default_factory=Lateness)
    findings: list[Finding] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.bag_s / self.wall_s if self.wall_s > 0 else 0.0


def play(config: BagPlayConfig, bag: Bag, say: Say) -> Played:
    """Play a bag in a node of its own, until its end or SIGINT or SIGTERM.

    Raises DataError for a bag that cannot be read, or has none of the topics asked for.
    """
    stream = BagStream(bag)
    for name in config.topics or ():
        if name not in stream.topics:
            raise DataError(bag.path, f"has no topic {name!r}", hint=nearest(name, stream.topics))
    with _until_signal() as stop:
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        try:
            node = Node(NAME, enable_rosout=False)
            try:
                return Player(node, stream, config, stop, say).play()
            finally:
                node.destroy_node()
        finally:
            rclpy.try_shutdown()


class Player:
    """Publishes the messages of one bag; needs no executor, since it hears nothing."""

    def __init__(
        self, node: Node, stream: BagStream, config: BagPlayConfig, stop: Event, say: Say
    ) -> None:
        self._node, self._stream, self._config = node, stream, config
        self._stop, self._say = stop, say
        self._played = Played()
        self._publishers: dict[tuple[str, str, str], Publisher[Any]] = {}
        for entry in stream.topics.values():
            if config.topics is None or entry.topic.name in config.topics:
                self._advertise(entry.topic)
        self._clock = node.create_publisher(Clock, "/clock", 10) if config.clock else None
        self._clock_step_ns = int(1e9 / config.clock_hz)
        self._clock_ns: int | None = None
        self._clock_due_ns = 0

    def play(self) -> Played:
        """Play all rounds; returns early when told to stop."""
        if not self._publishers:
            raise DataError(
                self._stream.bag.path, "has no topic that can be played",
                "topics whose message packages are installed",
                "; ".join(note.found for note in self._played.findings),
            )  # fmt: skip
        self._wait_for_subscribers()
        played = self._played
        begun = time.monotonic_ns()
        while not self._stop.is_set():
            self._round()
            played.rounds += 1
            if not self._config.loop:
                break
        played.wall_s = (time.monotonic_ns() - begun) / 1e9
        played.findings += dict.fromkeys(self._stream.findings)
        for publisher in self._publishers.values():
            if not self._stop.is_set():
                publisher.wait_for_all_acked(Duration(seconds=ACKNOWLEDGED_S))
        return played

    def _round(self) -> None:
        timetable: Timetable | None = None
        first_ns = last_ns = 0
        self._clock_ns = None
        for message in self._stream.messages():
            publisher = self._publishers.get(message.topic.key)
            if publisher is None:
                self._played.skipped += 1
                continue
            if timetable is None:
                first_ns = last_ns = message.log_ns
                timetable = Timetable(self._config.rate, first_ns, time.monotonic_ns())
            if not self._until(timetable, message.log_ns):
                break
            last_ns = max(last_ns, message.log_ns)
            self._publish(publisher, message)
            late = time.monotonic_ns() - timetable.due_ns(message.log_ns)
            self._played.lateness.add(late)
        self._played.bag_s += (last_ns - first_ns) / 1e9

    def _until(self, timetable: Timetable, log_ns: int) -> bool:
        """Wait until a message is due, with /clock running; False when told to stop."""
        due = timetable.due_ns(log_ns)
        while True:
            now = time.monotonic_ns()
            self._tick(min(timetable.bag_ns(now), log_ns), now)
            if self._stop.is_set():
                return False
            if now >= due:
                return True
            until = min(due, self._clock_due_ns) if self._clock is not None else due
            self._stop.wait(max(0.0, min((until - now) / 1e9, POLL_S)))

    def _tick(self, bag_ns: int, now_ns: int) -> None:
        """Publish /clock when it is due; it never goes back within a round."""
        if self._clock is None or (self._clock_ns is not None and now_ns < self._clock_due_ns):
            return
        bag_ns = bag_ns if self._clock_ns is None else max(bag_ns, self._clock_ns)
        message = Clock()
        message.clock.sec, message.clock.nanosec = divmod(bag_ns, 1_000_000_000)
        self._clock.publish(message)
        self._clock_ns, self._clock_due_ns = bag_ns, now_ns + self._clock_step_ns

    def _publish(self, publisher: Publisher[Any], message: RawMessage) -> None:
        # Bytes go out as they are; rclpy takes them for an already serialised message.
        publisher.publish(bytes(message.data))
        self._played.messages += 1

    def _advertise(self, topic: StreamTopic) -> None:
        kind = _message_type(topic.type) if topic.encoding == "cdr" else None
        if kind is None:
            self._played.findings.append(
                Finding(
                    "warning", topic.name,
                    f"{topic.type} ({topic.encoding}) is not installed here and is not played",
                    "Source the workspace that holds its package.",
                )
            )  # fmt: skip
            return
        quality = _profile(quality_of(topic.qos))
        self._publishers[topic.key] = self._node.create_publisher(kind, topic.name, quality)

    def _wait_for_subscribers(self) -> None:
        end = time.monotonic() + self._config.wait_s
        publishers = list(self._publishers.values())
        if self._clock is not None:
            publishers.append(self._clock)
        while not self._stop.is_set() and time.monotonic() < end:
            if all(publisher.get_subscription_count() for publisher in publishers):
                return
            self._stop.wait(POLL_S)
        lonely = [one.topic_name for one in publishers if not one.get_subscription_count()]
        if self._config.wait_s and lonely:
            self._say(f"nobody listens to {', '.join(lonely[:5])}")


def _message_type(kind: str) -> Any:
    """Return the class of a message type such as std_msgs/msg/String, None when not installed."""
    package, _, name = kind.partition("/msg/")
    if not (package.isidentifier() and name.isidentifier()):
        return None
    try:
        return getattr(import_module(f"{package}.msg"), name, None)
    except ImportError:
        return None


def _profile(quality: Quality) -> QoSProfile:
    return QoSProfile(
        depth=quality.depth,
        reliability=ReliabilityPolicy.RELIABLE if quality.reliable
        else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if quality.transient_local
        else DurabilityPolicy.VOLATILE,
    )  # fmt: skip


@contextmanager
def _until_signal() -> Iterator[Event]:
    """Yield what SIGINT and SIGTERM set; the handlers before are put back."""
    stop = Event()

    def ended(number: int, frame: FrameType | None) -> None:
        stop.set()

    numbers: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, ended) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

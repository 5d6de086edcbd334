"""`bag play` over real DDS: every message, in order, with the recorded bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bag_maker import MS, write_bag
from toy_bags import serialised, toy_messages

from robovalue_ros.pipelines.bag.playback import DEPTH, Lateness, Quality, Timetable, quality_of

rclpy = pytest.importorskip("rclpy")
pytestmark = pytest.mark.ros
DEEP = 5000
# Subscriptions and player must meet nobody else on this machine.
WORLD = str(1 + (os.getpid() + 7 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])) % 101)
ENVIRONMENT = {"ROS_DOMAIN_ID": WORLD, "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}


class Listener:
    """Subscribes to topics and keeps the bytes of what comes, in order."""

    def __init__(self, context: Any, topics: dict[str, Any]) -> None:
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.node import Node
        from rclpy.qos import QoSProfile

        self.heard: list[tuple[str, bytes]] = []
        self.when: list[float] = []
        self._node = Node("listener", context=context, enable_rosout=False)
        for name, kind in topics.items():
            self._node.create_subscription(
                kind, name, lambda raw, name=name: self._take(name, raw),
                QoSProfile(depth=DEEP), raw=True,
            )  # fmt: skip
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self._node)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def of(self, topic: str) -> list[bytes]:
        return [raw for name, raw in self.heard if name == topic]

    def settle(self, count: int, timeout_s: float = 5.0) -> None:
        end = time.monotonic() + timeout_s
        while len(self.heard) < count and time.monotonic() < end:
            time.sleep(0.02)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._executor.shutdown()
        self._node.destroy_node()

    def _spin(self) -> None:
        while not self._stop.is_set():
            self._executor.spin_once(timeout_sec=0.05)

    def _take(self, name: str, raw: bytes) -> None:
        self.heard.append((name, raw))
        self.when.append(time.monotonic())


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    made: list[Listener] = []

    def listen(**topics: Any) -> Listener:
        names = {name.replace("__", "/"): kind for name, kind in topics.items()}
        made.append(Listener(context, {f"/{name}": kind for name, kind in names.items()}))
        return made[-1]

    yield listen
    for one in made:
        one.close()
    context.try_shutdown()


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "robovalue_ros.cli.main", "bag", "play", *words]


def messages_kinds() -> dict[str, Any]:
    from sensor_msgs.msg import CompressedImage, JointState
    from std_msgs.msg import String

    return {
        "joint_states": JointState, "task": String,
        "cam_high__image_raw__compressed": CompressedImage,
        "cam_left_wrist__image_raw__compressed": CompressedImage,
    }  # fmt: skip


@pytest.mark.parametrize("rate", [1.0, 5.0])
def test_every_message_arrives_in_order_with_its_bytes(
    listening: Any, tmp_path: Path, rate: float
) -> None:
    from rclpy.serialization import deserialize_message
    from rosgraph_msgs.msg import Clock

    messages = toy_messages(length=60)
    bag = write_bag(tmp_path / "run", messages)
    listener = listening(clock=Clock, **messages_kinds())
    begun = time.monotonic()
    ran = subprocess.run(
        command(str(bag), "--rate", str(rate), "--clock", "--wait-s", "20"),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    wanted = serialised(messages)
    listener.settle(len(wanted) + len(listener.of("/clock")))
    for topic in sorted({topic for topic, _, _ in wanted}):
        expected = [raw for name, _, raw in wanted if name == topic]
        assert len(listener.of(topic)) == len(expected), topic
        for heard, sent in zip(listener.of(topic), expected, strict=True):
            # DDS pads to whole words; what was recorded comes first, untouched.
            assert heard[: len(sent)] == sent and heard[len(sent) :] in (
                b"",
                b"\0",
                b"\0\0",
                b"\0\0\0",
            )
    assert f"{len(wanted)} messages in " in ran.stdout and "late by" in ran.stdout
    span_s = (messages[-1][2] - messages[0][2]) / 1e9
    assert time.monotonic() - begun > span_s / rate
    clocks = [deserialize_message(raw, Clock).clock for raw in listener.of("/clock")]
    stamps = [clock.sec * 10**9 + clock.nanosec for clock in clocks]
    assert stamps == sorted(stamps) and len(stamps) > 10
    assert messages[0][2] <= stamps[0] and stamps[-1] <= messages[-1][2]
    assert messages[-1][2] - stamps[-1] < 100 * MS * rate


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_loop_ends_with_a_signal(listening: Any, tmp_path: Path, number: signal.Signals) -> None:
    from std_msgs.msg import String

    bag = write_bag(tmp_path / "run", toy_messages(length=5))
    listener = listening(task=String)
    process = subprocess.Popen(
        command(str(bag), "--loop", "--topics", "/task", "--wait-s", "20"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    listener.settle(3, 20.0)
    assert len(listener.of("/task")) >= 3, "it begins again"
    sent = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 0 and "messages in" in out and err == ""
    assert time.monotonic() - sent < 5.0


def test_what_cannot_be_played_is_told(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "run", toy_messages(length=3))
    environment = os.environ | ENVIRONMENT
    ran = subprocess.run(command(str(bag), "--topics", "/tusk"), capture_output=True, text=True,
                         env=environment, timeout=60, check=False)  # fmt: skip
    assert ran.returncode == 2 and "Did you mean '/task'" in ran.stderr
    ran = subprocess.run(command(str(tmp_path / "no.mcap")), capture_output=True, text=True,
                         env=environment, timeout=60, check=False)  # fmt: skip
    assert ran.returncode == 2 and "no such file" in ran.stderr


def test_the_timetable() -> None:
    table = Timetable(5.0, 1_000, 70)
    assert table.due_ns(1_000) == 70 and table.due_ns(6_000) == 1_070
    assert table.bag_ns(1_070) == 6_000
    late = Lateness()
    for value in range(1, 101):
        late.add(value * MS)
    late.add(-5)
    assert late.count == 101 and late.worst_ns == 100 * MS
    assert abs(late.quantile_ms(0.5) - 50) <= 1 and abs(late.quantile_ms(0.95) - 95) <= 1


def test_quality_of_service_is_taken_from_the_bag() -> None:
    assert quality_of("") == quality_of("[]") == quality_of(": no yaml [") == Quality()
    humble = "- history: 1\n  depth: 5\n  reliability: 2\n  durability: 2\n"
    assert quality_of(humble) == Quality(reliable=False, depth=DEPTH)
    jazzy = "- history: keep_last\n  depth: 500\n  reliability: reliable\n"
    jazzy += "  durability: transient_local\n"
    assert quality_of(jazzy) == Quality(transient_local=True, depth=500)
    assert quality_of(humble + jazzy) == Quality(depth=500)

"""A robot that shows a toy task to a node, and ears for what the node says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ros_world import World, wait_for

CAMERAS = ("cam_high", "cam_left_wrist")
STEP_NS = 50_000_000
START_NS = 1_700_000_000_000_000_000


def play(seed: int, length: int = 24, size: int = 48) -> dict[str, np.ndarray]:
    """Draw one try, a dark hand that crosses a bright table: (T, size, size, 3) by camera."""
    row = 14 + 7 * seed % 20
    high = np.full((length, size, size, 3), (210, 200, 180), np.uint8)
    wrist = np.full_like(high, 120)
    for step in range(length):
        at = 4 + step * (size - 12) // length
        high[step, row - 4 : row + 4, at : at + 6] = (40, 40, 60)
        wrist[step, :, : max(1, at)] = (200, 60, 60)
    return dict(zip(CAMERAS, (high, wrist), strict=True))


@dataclass(frozen=True)
class State:
    """One message of ~/state."""

    stamp_ns: int
    level: bytes
    message: str
    values: Mapping[str, str]

    @property
    def value(self) -> float:
        return float(self.values["value"])


class Ears:
    """Hears what a value node publishes."""

    def __init__(self, world: World, name: str = "value_node") -> None:
        from diagnostic_msgs.msg import DiagnosticArray
        from std_msgs.msg import Float32, String

        self.node = world.node("ears")
        self.values: list[float] = []
        self.states: list[State] = []
        self.events: list[dict[str, Any]] = []
        self.diagnostics: list[dict[str, Any]] = []
        listen = self.node.create_subscription
        listen(Float32, f"/{name}/value", lambda m: self.values.append(m.data), 100)
        listen(DiagnosticArray, f"/{name}/state", self._state, 100)
        listen(String, f"/{name}/event", lambda m: self.events.append(json.loads(m.data)), 100)
        listen(DiagnosticArray, "/diagnostics", self._diagnostic, 100)

    def _state(self, message: Any) -> None:
        from robovalue_ros.nodes.convert import stamp_from_ros
        from robovalue_ros.nodes.diagnostics import values_from_ros

        (status,) = message.status
        stamp = stamp_from_ros(message.header.stamp)
        self.states.append(State(stamp, status.level, status.message, values_from_ros(status)))

    def _diagnostic(self, message: Any) -> None:
        from robovalue_ros.nodes.diagnostics import values_from_ros

        self.diagnostics.append(
            {
                status.name.partition(": ")[2]: (
                    status.level[0], status.message, values_from_ros(status)
                )
                for status in message.status
            }
        )  # fmt: skip

    def next_restart(self) -> None:
        """Wait until diagnostics tell the first try that was begun from outside."""
        wait_for(
            lambda: any(
                parts["stream"][2].get("restarts") == "1"
                for parts in self.diagnostics
                if "stream" in parts
            ),
            "a new try",
        )

    def next_diagnostic(
        self,
        part: str,
        text: str = "",
        level: int | None = None,
        meanwhile: Callable[[], None] = lambda: None,
        earlier: bool = False,
    ) -> Any:
        """Wait for a diagnostic of a part that says something; return its values.

        earlier: one that was heard already counts too.
        """
        begun = 0 if earlier else len(self.diagnostics)

        def found() -> list[Any]:
            meanwhile()
            return [
                parts[part]
                for parts in self.diagnostics[begun:]
                if part in parts
                and text in parts[part][1]
                and (level is None or parts[part][0] == level)
            ]

        wait_for(found, f"{part} says {text!r}", 20.0)
        return found()[0][2]


class Robot:
    """Publishes pictures on camera topics."""

    def __init__(
        self, world: World, *topics: str, kind: Any = None, reliable: bool = False
    ) -> None:
        from rclpy.qos import QoSProfile, ReliabilityPolicy
        from sensor_msgs.msg import Image

        self.node = world.node("robot")
        quality = QoSProfile(
            depth=10,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        )
        self._out = {
            topic: self.node.create_publisher(kind or Image, topic, quality)
            for topic in topics or ("image", "image_2")
        }

    def wait_for_listeners(self) -> None:
        for topic, out in self._out.items():
            wait_for(lambda out=out: out.get_subscription_count() > 0, f"a listener on {topic}")

    def show(self, ears: Ears, stamp_ns: int, **pictures: Any) -> None:
        """Send a message by topic and wait for the state of that stamp."""
        self.send(stamp_ns, **pictures)
        wait_for(lambda: any(s.stamp_ns == stamp_ns for s in ears.states[-3:]), "a state")

    def send(self, stamp_ns: int, **pictures: Any) -> None:
        """Send a picture (H, W, 3) or a message by topic."""
        from robovalue_ros.nodes.convert import image_to_ros

        for topic, picture in pictures.items():
            message = image_to_ros(picture, stamp_ns) if hasattr(picture, "shape") else picture
            self._out[topic].publish(message)

    def hear(self, ears: Ears, ready: Mapping[str, Any]) -> None:
        """Wait until node and ears have found each other; `ready` are pictures to try with."""
        self.wait_for_listeners()
        wait_for(lambda: ears.node.count_publishers("/value_node/state") > 0, "the node's topics")
        time.sleep(0.3)  # the other direction of discovery

"""What nodes that watch cameras have in common: topics, stamps, new tries, what they publish."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import String
from std_srvs.srv import Trigger

from robovalue_ros.nodes.cameras import CameraTopic, Reliability
from robovalue_ros.nodes.convert import stamp_from_ros
from robovalue_ros.nodes.notes import Notes
from robovalue_ros.nodes.spine import C, ManagedNode, elapsed_s
from robovalue_ros.nodes.vitals import Vitals

RESULTS_DEPTH = 50


class Listening(Protocol):
    """How the topics of cameras are heard, and the one that begins tries, if any."""

    @property
    def reliability(self) -> Reliability: ...

    @property
    def depth(self) -> int: ...

    @property
    def episode_topic(self) -> str: ...


class CameraNode(ManagedNode[C]):
    """A node that watches cameras; it offers ~/reset, and subclasses fill `begin_try` too."""

    def __init__(self, name: str, **further: Any) -> None:
        self._vitals = Vitals(())
        self._notes = Notes()
        self._heard: list[Any] = []
        self._made: list[tuple[Any, Any]] = []
        super().__init__(name, **further)

    # Hook

    def begin_try(self) -> None:
        """End the try and begin another with the next picture: somebody asked for it."""

    # For subclasses

    def publisher(self, kind: Any, topic: str) -> Any:
        """Return a publisher of results; `unmake` destroys it."""
        made = self.create_lifecycle_publisher(kind, topic, QoSProfile(depth=RESULTS_DEPTH))
        self._made.append((self.destroy_lifecycle_publisher, made))
        return made

    def offer(self, name: str, answer: Callable[[Any, Any], Any]) -> None:
        """Offer a service that needs no words; `unmake` ends it."""
        self._made.append((self.destroy_service, self.create_service(Trigger, name, answer)))

    def offer_reset(self) -> None:
        """Offer ~/reset."""
        self.offer("~/reset", self._reset)

    def unmake(self) -> None:
        """Destroy what was made to publish and to answer."""
        for destroy, made in self._made:
            destroy(made)
        self._made = []

    def listen(
        self, cameras: Sequence[CameraTopic], how: Listening, arrived: Callable[[str, Any], None]
    ) -> None:
        """Hear cameras until `silence`. arrived: takes a camera's name and its message."""
        quality = QoSProfile(
            depth=how.depth,
            reliability=ReliabilityPolicy.RELIABLE
            if how.reliability == "reliable"
            else ReliabilityPolicy.BEST_EFFORT,
        )
        for one in cameras:
            kind = CompressedImage if one.compressed else ImageMessage
            call = partial(arrived, one.camera)
            self._heard.append(self.create_subscription(kind, one.topic, call, quality))
        if how.episode_topic:
            self._heard.append(
                self.create_subscription(String, how.episode_topic, self._episode, RESULTS_DEPTH)
            )

    def silence(self) -> None:
        """Hear nothing any more."""
        for subscription in self._heard:
            self.destroy_subscription(subscription)
        self._heard = []

    def stamp_of(self, camera: str, message: Any, now_s: float) -> int:
        """Return the stamp of a picture (ns), and note that it came."""
        stamp_ns = stamp_from_ros(message.header.stamp)
        if stamp_ns == 0:
            # As when a bag is read: a driver that does not stamp is taken at its arrival.
            stamp_ns = self.now_ns()
            self._vitals.count("unstamped")
        self._vitals.arrived(camera, now_s)
        return stamp_ns

    def note(self, where: str, what: str) -> None:
        """Tell what is unusual, in diagnostics for a while and in the log."""
        self._notes.add(where, what, elapsed_s())
        self.get_logger().warning(f"{where}: {what}", throttle_duration_sec=5.0)

    # Callbacks

    def _reset(self, request: Any, response: Any) -> Any:
        self.begin_try()
        response.success, response.message = True, "a new try begins with the next picture"
        return response

    def _episode(self, message: Any) -> None:
        self.begin_try()

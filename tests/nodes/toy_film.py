"""A film of moves and rests, who shows it to a segmenter node, and ears for what that node says."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.parameter import Parameter
from ros_world import World, wait_for
from scipy.ndimage import gaussian_filter
from toy_robot import START_NS, STEP_NS, Ears, Robot

from robovalue_ros.backends.imaging import fast_imaging
from robovalue_ros.contracts.types import Frame
from robovalue_ros.nodes.segmenter_config import CAMERA, SegmenterNodeConfig
from robovalue_ros.nodes.segmenter_node import SegmenterNode
from robovalue_ros.nodes.segmenter_options import command_config, node_options
from robovalue_ros.segment.events import FramesAppended, Update
from robovalue_ros.segment.streamer import SegmentStream
from robovalue_ros.segment.telling import told_closed, told_opened
from robovalue_ros.segment.warm_up import WarmUp
from robovalue_ros.wiring import make_tracker

SIZE = (72, 96)
NAME = "/segmenter_node"
Pictures = NDArray[np.uint8]


def film(moves: Sequence[int], seed: int = 0, size: tuple[int, int] = SIZE) -> Pictures:
    """Draw a bright patch that goes so many pixels from each picture to the next: (T, H, W, 3)."""
    rng = np.random.default_rng(seed)
    height, width = size
    ground = 90 + 300 * gaussian_filter(rng.normal(0, 1, size), 2.0)
    patch = 170 + 300 * gaussian_filter(rng.normal(0, 1, (height // 2, height // 2)), 2.0)
    pictures = np.empty((len(moves), *size, 3), np.uint8)
    for t, place in enumerate(np.cumsum(moves)):
        picture = ground.copy()
        columns = (np.arange(height // 2) + place) % width
        picture[height // 4 : height // 4 + height // 2, columns] = patch
        pictures[t] = np.clip(picture, 0, 255)[..., None]
    return pictures


def moves(*spans: tuple[int, int]) -> list[int]:
    """Return (speed, how many pictures) spans as the moves of a film."""
    return [speed for speed, count in spans for _ in range(count)]


# Two actions with a rest between and behind them, as 20 pictures per second show them.
WAY = moves((0, 18), (2, 26), (0, 20), (3, 24), (0, 18))


def frames_of(pictures: Pictures, start_ns: int = START_NS, step_ns: int = STEP_NS) -> list[Frame]:
    return [Frame(start_ns + i * step_ns, {CAMERA: one}) for i, one in enumerate(pictures)]


def offline(
    frames: Iterable[Frame], config: SegmenterNodeConfig, number: int = 0
) -> tuple[list[Update], list[dict[str, Any]]]:
    """Return what a stream says about frames that nobody waits for: windows, and what is told."""
    options = node_options(config, command_config(config))
    warm_up = None
    if config.threshold_mode == "auto":
        warm_up = WarmUp(options, config.warmup_seconds)
        options = warm_up.applied(options)
    stream = SegmentStream(options, make_tracker(), imaging=fast_imaging())
    updates = []
    for frame in frames:
        update = stream.push(frame)
        if update is None:
            continue
        updates.append(update)
        if warm_up is not None and warm_up.push(update.reading.energy):
            stream.tune(warm_up.applied(options))
    events = [event for update in updates for event in update.events]
    last = stream.finish()
    told = [
        told_closed(event) if hasattr(event, "why") else told_opened(event)
        for event in [*events, *([last] if last is not None else [])]
        if not isinstance(event, FramesAppended)
    ]
    return updates, [{"try": number, **one} for one in told]


class Listener(Ears):
    """Hears what a segmenter node publishes."""

    def __init__(self, world: World) -> None:
        from std_msgs.msg import Float32, String

        super().__init__(world, "segmenter_node")
        self.energies: list[float] = []
        self.told: list[dict[str, Any]] = []
        listen = self.node.create_subscription
        listen(Float32, f"{NAME}/energy", lambda m: self.energies.append(m.data), 100)
        listen(String, f"{NAME}/segment", lambda m: self.told.append(json.loads(m.data)), 100)

    def of_stream(self) -> list[tuple[int, int, float, bool]]:
        """Return stamp, window, energy and whether it is in an action, of every state."""
        return [
            (
                state.stamp_ns, int(state.values["window"]), float(state.values["energy"]),
                state.values["active"] == "true",
            )
            for state in self.states
        ]  # fmt: skip


def as_heard(updates: Sequence[Update]) -> list[tuple[int, int, float, bool]]:
    return [
        (int(u.reading.frames.stamps_ns[-1]), u.reading.window, float(u.reading.energy or 0.0), u.active)
        for u in updates
    ]  # fmt: skip


class Shower:
    """Shows pictures to a node and waits, so that a busy machine leaves nothing out."""

    def __init__(self, world: World, node: SegmenterNode, *topics: str, **how: Any) -> None:
        self.node = node
        self.robot = Robot(world, *(topics or ("image",)), **how)
        self.ears = Listener(world)
        self.sent = 0
        self.robot.wait_for_listeners()
        ears = self.ears.node
        wait_for(lambda: ears.count_publishers(f"{NAME}/segment") > 0, "the node's topics")
        time.sleep(0.3)  # the other direction of discovery

    def show(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            self.send(frame.stamp_ns, frame.images[CAMERA])

    def send(self, stamp_ns: int, picture: Any, topic: str = "image") -> None:
        """Send a picture or a message and wait until the node has nothing to do."""
        self.robot.send(stamp_ns, **{topic: picture})
        self.sent += 1
        wait_for(self._settled, f"picture {self.sent}")

    def count(self, name: str) -> int:
        return self.node._vitals.report(0.0).counts.get(name, 0)

    def heard(self) -> None:
        """Wait until everything that was published has arrived."""
        wait_for(lambda: len(self.ears.states) == self.count("published"), "all states")
        wait_for(lambda: len(self.ears.energies) == self.count("published"), "all energies")

    def _settled(self) -> bool:
        done = self.count("published") + self.count("refused_windows")
        desk = self.node._desk
        return self.count("received") == self.sent and desk.idle and done == desk.put - desk.skipped


def segmenter(world: World, **values: Any) -> SegmenterNode:
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    return world.spin(SegmenterNode(context=world.context, parameter_overrides=overrides))


def begun(world: World, *topics: str, kind: Any = None, **values: Any) -> Shower:
    node = segmenter(world, reliability="reliable", **values)
    node.start()
    return Shower(world, node, *topics, kind=kind, reliable=True)

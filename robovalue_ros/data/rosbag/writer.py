"""Episodes as rosbag2 recordings in mcap format, one bag folder each (see `layout`).

The metadata has version 5, the one that Humble writes: Jazzy and Kilted read it too, while Humble
cannot parse the one that they write. The messages used have not changed since. Chunks carry
checksums and are not compressed unless asked for: JPEG does not shrink, and raw images read three
times faster.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mcap.writer import CompressionType, Writer

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.ports import EpisodeRecord
from robovalue_ros.contracts.progress import Tick
from robovalue_ros.contracts.tools import Packing, WriteOptions
from robovalue_ros.contracts.types import Array, Episode
from robovalue_ros.data.atomic import write_text
from robovalue_ros.data.rosbag.bags import METADATA
from robovalue_ros.data.rosbag.folders import whole_folder
from robovalue_ros.data.rosbag.layout import (
    ACTION,
    DTYPES,
    EPISODE,
    FLOATS,
    STATE,
    TASK,
    describe,
    message_type,
)
from robovalue_ros.data.rosbag.messages import COMPRESSED, IMAGE, JOINTS, TEXT, typestore
from robovalue_ros.data.rosbag.metadata import metadata_text
from robovalue_ros.data.stills import encode_jpeg

# Headers hold seconds as a signed 32 bit number.
STAMP_LIMIT_NS = 2**31 * 1_000_000_000


class RosbagWriter:
    """Fills the `EpisodeWriter` port: `episode_000000/` with one mcap and its metadata.yaml.

    packing: zstd packs every chunk; smaller, and slower to read.
    """

    format = "rosbag"

    def __init__(self, options: WriteOptions | None = None, packing: Packing = "none") -> None:
        self._options = options or WriteOptions(format="rosbag")
        self._packing = CompressionType.ZSTD if packing == "zstd" else CompressionType.NONE

    def write(self, root: Path, index: int, episode: Episode, tick: Tick) -> EpisodeRecord:
        """Write one bag folder whole; raises DataError for what a bag cannot hold."""
        name = f"episode_{index:06d}"
        _check(root / name, episode)
        with whole_folder(root / name) as folder:
            mcap = folder / f"{name}_0.mcap"
            with mcap.open("wb") as stream:
                bag = _Bag(Writer(stream, compression=self._packing), episode, self._options)
                try:
                    bag.fill(tick)
                except (ValueError, cv2.error) as problem:
                    raise DataError(root / name, f"a frame cannot be written: {problem}") from None
            text = metadata_text(mcap.name, episode, bag.counts)
            write_text(folder / METADATA, text)
        files = (f"{name}/{name}_0.mcap", f"{name}/{METADATA}")
        return EpisodeRecord(index, episode.id, episode.task, len(episode), episode.success, files)

    def assemble(self, root: Path, records: Sequence[EpisodeRecord], tick: Tick) -> None:
        """Nothing is left to do: every bag stands for itself."""


class _Bag:
    """The open mcap of one episode. counts: topic -> (message type, number of messages)."""

    def __init__(self, writer: Writer, episode: Episode, options: WriteOptions) -> None:
        self.counts: dict[str, tuple[str, int]] = {}
        self._writer = writer
        self._episode = episode
        self._options = options
        self._lossy = options.frames == "lossy"
        self._description = describe(episode, compressed=self._lossy)
        self._channels: dict[str, int] = {}
        self._schemas: dict[str, int] = {}

    def fill(self, tick: Tick) -> None:
        """Write the description and then, frame by frame, every topic.

        The first camera comes last in each frame: it is the reader's timeline, so a cut file
        loses whole frames and keeps no half ones.
        """
        episode = self._episode
        signals = {topic["topic"]: name for name, topic in self._description["signals"]}
        cameras = dict(reversed([(topic, name) for name, topic in self._description["cameras"]]))
        self._writer.start(profile="ros2", library="robovalue_ros")
        for topic, kind in (
            (EPISODE, TEXT), (TASK, TEXT),
            *((topic, message_type(episode.signals[name])) for topic, name in signals.items()),
            (ACTION, FLOATS), (STATE, JOINTS),
            *((topic, COMPRESSED if self._lossy else IMAGE) for topic in cameras),
        ):  # fmt: skip
            self._declare(topic, kind)
        first = int(episode.stamps_ns[0])
        # ASCII on the wire: any text survives, also one that UTF-8 cannot hold.
        self._send(EPISODE, first, 0, _text(json.dumps(self._description, allow_nan=False)))
        self._send(TASK, first, 0, _text(episode.task.encode("utf-8", "replace").decode()))
        sources = {topic: episode.cameras[name].iterate() for topic, name in cameras.items()}
        names = episode.state_names or tuple(f"state_{i}" for i in range(episode.states.shape[1]))
        for i, stamp in enumerate(episode.stamps_ns.tolist()):
            for topic, name in signals.items():
                self._send(topic, stamp, i, _array(episode.signals[name][i], name))
            self._send(ACTION, stamp, i, _array(episode.actions[i], "action"))
            self._send(STATE, stamp, i, _joints(stamp, names, episode.states[i]))
            for topic, source in sources.items():
                self._send(topic, stamp, i, self._picture(stamp, topic, next(source)))
            tick(1)
        self._writer.finish()

    def _declare(self, topic: str, kind: str) -> None:
        if kind not in self._schemas:
            definition, _ = typestore().generate_msgdef(kind, ros_version=2)
            self._schemas[kind] = self._writer.register_schema(
                kind, "ros2msg", definition.encode("utf-8")
            )
        self._channels[topic] = self._writer.register_channel(
            topic, "cdr", self._schemas[kind], {"offered_qos_profiles": ""}
        )
        self.counts[topic] = (kind, 0)

    def _send(self, topic: str, stamp: int, sequence: int, message: Any) -> None:
        kind, count = self.counts[topic]
        data = bytes(typestore().serialize_cdr(message, kind, little_endian=True))
        self._writer.add_message(self._channels[topic], stamp, data, stamp, sequence)
        self.counts[topic] = (kind, count + 1)

    def _picture(self, stamp: int, topic: str, rgb: Image) -> Any:
        types = typestore().types
        header = _header(stamp, topic.split("/")[1])
        if self._lossy:
            coded = encode_jpeg(rgb, self._options.jpeg_quality)
            # The format says what image_transport says: BGR went into OpenCV's encoder.
            return types[COMPRESSED](
                header, "rgb8; jpeg compressed bgr8", np.frombuffer(coded, np.uint8)
            )
        height, width = rgb.shape[:2]
        return types[IMAGE](
            header, height, width, "rgb8", 0, 3 * width, np.ascontiguousarray(rgb).reshape(-1)
        )


def _check(path: Path, episode: Episode) -> None:
    first, last = int(episode.stamps_ns[0]), int(episode.stamps_ns[-1])
    if first < 0 or last >= STAMP_LIMIT_NS:
        raise DataError(
            path, f"stamps from {first} to {last} ns", f"stamps in 0..{STAMP_LIMIT_NS} ns",
            "A ROS header holds non-negative seconds below 2**31.",
        )  # fmt: skip
    arrays = {"states": episode.states, "actions": episode.actions, **episode.signals}
    for name, array in arrays.items():
        if array.dtype.name not in DTYPES:
            raise DataError(path, f"{name} are {array.dtype}", "a dtype of at most 64 bits")


def _header(stamp: int, frame: str) -> Any:
    types = typestore().types
    seconds, nanoseconds = divmod(stamp, 1_000_000_000)
    return types["std_msgs/msg/Header"](
        types["builtin_interfaces/msg/Time"](seconds, nanoseconds), frame
    )


def _text(value: str) -> Any:
    return typestore().types[TEXT](value)


def _joints(stamp: int, names: tuple[str, ...], state: Array) -> Any:
    nothing = np.empty(0, np.float64)
    return typestore().types[JOINTS](
        _header(stamp, ""), list(names), state.astype(np.float64), nothing, nothing
    )


def _array(values: Array, label: str) -> Any:
    """Build a MultiArray with one dimension, widened to 64 bits."""
    types = typestore().types
    values = np.atleast_1d(values)
    kind = message_type(values)
    wide = values.astype({"f": np.float64, "u": np.uint64}.get(values.dtype.kind, np.int64))
    size = len(values)
    dimension = types["std_msgs/msg/MultiArrayDimension"](
        label.encode("utf-8", "replace").decode(), size, size
    )
    layout = types["std_msgs/msg/MultiArrayLayout"]([dimension], 0)
    return types[kind](layout, wide)

"""Write a bag message by message: those of another bag byte for byte, and some of our own.

Both storages have the layout that Humble reads, as every later version does. Memory does not grow
with the bag.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from mcap.writer import CompressionType, Writer

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.tools import BagStorage, Packing
from robovalue_ros.data.atomic import write_text
from robovalue_ros.data.rosbag.bags import METADATA
from robovalue_ros.data.rosbag.folders import whole_folder
from robovalue_ros.data.rosbag.messages import typestore
from robovalue_ros.data.rosbag.metadata import TopicLine, bag_metadata
from robovalue_ros.data.rosbag.stream import RawMessage, StreamTopic

SUFFIX: dict[BagStorage, str] = {"mcap": "mcap", "sqlite3": "db3"}
_TABLES = """
CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);
CREATE TABLE metadata(id INTEGER PRIMARY KEY, metadata_version INTEGER NOT NULL,
    metadata TEXT NOT NULL);
CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
    serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);
CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL,
    timestamp INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX timestamp_idx ON messages (timestamp ASC);
INSERT INTO schema(schema_version, ros_distro) VALUES (3, 'humble');
"""


def known_topic(name: str, kind: str) -> StreamTopic:
    """Return a topic of our own, with the text of its message type."""
    definition, _ = typestore().generate_msgdef(kind, ros_version=2)
    return StreamTopic(name, kind, "cdr", "ros2msg", definition.encode("utf-8"))


class _Target(Protocol):
    """An open storage file."""

    def declare(self, topic: StreamTopic) -> int:
        """Enter a topic and return its number."""
        ...

    def add(self, number: int, message: RawMessage) -> None:
        """Append a message."""
        ...

    def finish(self) -> None:
        """Write what closes the file."""
        ...


class BagCopy:
    """An open bag. Topics are entered with their first message, or by `declare`."""

    def __init__(self, target: _Target) -> None:
        self._target = target
        self._numbers: dict[tuple[str, str, str], int] = {}
        self._topics: list[StreamTopic] = []
        self._counts: list[int] = []
        self._span: tuple[int, int] | None = None

    def declare(self, topic: StreamTopic) -> int:
        """Enter a topic, so that the bag has it even without a message."""
        number = self._numbers.get(topic.key)
        if number is None:
            number = self._numbers[topic.key] = len(self._topics)
            self._target.declare(topic)
            self._topics.append(topic)
            self._counts.append(0)
        return number

    def write(self, message: RawMessage) -> None:
        """Append a message."""
        number = self.declare(message.topic)
        self._target.add(number + 1, message)
        self._counts[number] += 1
        low, high = self._span or (message.log_ns, message.log_ns)
        self._span = min(low, message.log_ns), max(high, message.log_ns)

    @property
    def span_ns(self) -> tuple[int, int]:
        """First and last log time so far."""
        return self._span or (0, 0)

    @property
    def lines(self) -> list[TopicLine]:
        """The topics with their numbers of messages so far."""
        return [
            TopicLine(topic.name, topic.type, count, topic.encoding, topic.qos)
            for topic, count in zip(self._topics, self._counts, strict=True)
        ]


@contextmanager
def copied_bag(
    folder: Path, storage: BagStorage, packing: Packing, custom: Mapping[str, str]
) -> Iterator[BagCopy]:
    """Yield an open bag that takes the place of `folder` when the body ends without an error.

    custom: texts for metadata.yaml. Raises DataError when it cannot be written.
    """
    try:
        with whole_folder(folder) as hidden:
            name = f"{folder.name}_0.{SUFFIX[storage]}"
            with _opened(hidden / name, storage, packing) as target:
                bag = BagCopy(target)
                yield bag
                target.finish()
            text = bag_metadata(storage, name, bag.span_ns, bag.lines, custom)
            write_text(hidden / METADATA, text)
    except (OSError, sqlite3.Error) as problem:
        raise DataError(folder, f"cannot be written: {problem}", "room on the disk") from problem


@contextmanager
def _opened(path: Path, storage: BagStorage, packing: Packing) -> Iterator[_Target]:
    if storage == "mcap":
        with path.open("wb") as stream:
            yield _McapTarget(stream, packing)
        return
    with closing(sqlite3.connect(path, isolation_level=None)) as base:
        yield _SqliteTarget(base)


class _McapTarget:
    def __init__(self, stream: BinaryIO, packing: Packing) -> None:
        codec = CompressionType.ZSTD if packing == "zstd" else CompressionType.NONE
        self._writer = Writer(stream, compression=codec)
        self._writer.start(profile="ros2", library="robovalue_ros")
        self._schemas: dict[tuple[str, str, bytes], int] = {}

    def declare(self, topic: StreamTopic) -> int:
        kind = topic.type, topic.definition_encoding, topic.definition
        if not topic.definition and topic.type in typestore().fielddefs:
            # A sqlite3 bag need not hold the text, and viewers of mcap files want it.
            kind = topic.type, "ros2msg", known_topic("", topic.type).definition
        if kind not in self._schemas:
            self._schemas[kind] = self._writer.register_schema(*kind)
        metadata = {"offered_qos_profiles": topic.qos}
        if topic.type_hash:
            metadata["topic_type_hash"] = topic.type_hash
        number: int = self._writer.register_channel(
            topic.name, topic.encoding, self._schemas[kind], metadata
        )
        return number

    def add(self, number: int, message: RawMessage) -> None:
        self._writer.add_message(
            number, max(0, message.log_ns), message.data,  # type: ignore[arg-type, unused-ignore]
            max(0, message.publish_ns), message.sequence,
        )  # fmt: skip

    def finish(self) -> None:
        self._writer.finish()


class _SqliteTarget:
    def __init__(self, base: sqlite3.Connection) -> None:
        self._base = base
        # The file is new and hidden until it is whole, so a journal protects nothing.
        base.execute("PRAGMA journal_mode = OFF")
        base.execute("PRAGMA synchronous = OFF")
        base.executescript(_TABLES)
        base.execute("BEGIN")

    def declare(self, topic: StreamTopic) -> int:
        found = self._base.execute(
            "INSERT INTO topics(name, type, serialization_format, offered_qos_profiles) "
            "VALUES (?, ?, ?, ?)",
            (topic.name, topic.type, topic.encoding, topic.qos),
        )
        return int(found.lastrowid or 0)

    def add(self, number: int, message: RawMessage) -> None:
        self._base.execute(
            "INSERT INTO messages(topic_id, timestamp, data) VALUES (?, ?, ?)",
            (number, message.log_ns, message.data),
        )

    def finish(self) -> None:
        self._base.execute("COMMIT")

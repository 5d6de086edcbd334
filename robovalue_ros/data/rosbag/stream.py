"""A bag as one stream of serialised messages in the order in which they were recorded.

Memory does not grow with the bag: a storage hands out a few blocks at a time, and what is kept
about the whole bag is one line per topic and per block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.rosbag.bags import Bag, bag_storages


@dataclass(frozen=True, eq=False)
class StreamTopic:
    """What a storage says about a topic. definition: text of the message type, empty if untold.

    qos: the publishers' quality of service as YAML, empty if untold.
    """

    name: str
    type: str
    encoding: str
    definition_encoding: str = ""
    definition: bytes = b""
    qos: str = ""
    type_hash: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """Two topics with one key are one topic."""
        return self.name, self.type, self.encoding


@dataclass(slots=True, eq=False)
class RawMessage:
    """One message as it lies in the bag. log_ns: when it was received."""

    topic: StreamTopic
    log_ns: int
    publish_ns: int
    sequence: int
    data: memoryview


@dataclass
class TopicCount:
    """A topic of a whole bag and how many messages of it there are."""

    topic: StreamTopic
    count: int = 0

    @property
    def type(self) -> str:
        return self.topic.type

    @property
    def encoding(self) -> str:
        return self.topic.encoding


@dataclass
class Survey:
    """What a storage holds. notes: damage that was seen on the way."""

    topics: dict[tuple[str, str, str], TopicCount] = field(default_factory=dict)
    notes: list[Finding] = field(default_factory=list)

    def add(self, topic: StreamTopic, count: int) -> None:
        """Count messages of a topic."""
        self.topics.setdefault(topic.key, TopicCount(topic)).count += count


class MessageStream(Protocol):
    """One storage file, read from its first message to its last."""

    @property
    def path(self) -> Path: ...

    def survey(self) -> Survey:
        """Tell topics and counts; reads the whole file only where it is damaged."""
        ...

    def messages(self, notes: list[Finding]) -> Iterator[RawMessage]:
        """Yield the messages by log time; damage that is passed over is told in `notes`."""
        ...


class BagStream:
    """All storage files of one bag, one after the other.

    findings: what is odd about the bag; complete when `messages` has come to its end. Raises
    DataError when no file of it can be read.
    """

    def __init__(self, bag: Bag) -> None:
        self.bag = bag
        storages, self.findings = bag_storages(bag)
        self.storages: list[MessageStream] = []
        self.topics: dict[str, TopicCount] = {}
        failures: list[DataError] = []
        for storage in storages:
            opened = _open(storage.path)
            try:
                survey = opened.survey()
            except DataError as problem:
                failures.append(problem)
                continue
            self.storages.append(opened)
            self._enter(survey)
        if not self.storages:
            raise failures[0]
        self.findings += [
            Finding("error", Path(failure.path).name, f"{failure.reason}; the file is left out")
            for failure in failures
        ]

    @property
    def count(self) -> int:
        """How many messages there are, as far as is known before reading."""
        return sum(topic.count for topic in self.topics.values())

    def messages(self) -> Iterator[RawMessage]:
        """Yield every message, file by file, each in the order of its log times."""
        for storage in self.storages:
            yield from storage.messages(self.findings)

    def _enter(self, survey: Survey) -> None:
        self.findings += survey.notes
        for found in survey.topics.values():
            known = self.topics.get(found.topic.name)
            if known is None or (not known.count and known.topic.key != found.topic.key):
                self.topics[found.topic.name] = TopicCount(found.topic, found.count)
            elif known.topic.key == found.topic.key:
                known.count += found.count
            elif found.count:
                self.findings.append(
                    Finding(
                        "warning", found.topic.name,
                        f"{found.count} messages are of type {found.type}, others {known.type}",
                        "They are copied, and not used.",
                    )
                )  # fmt: skip


def _open(path: Path) -> MessageStream:
    if path.suffix.lower() == ".mcap":
        from robovalue_ros.data.rosbag.mcap_stream import McapStream

        return McapStream(path)
    from robovalue_ros.data.rosbag.sqlite_stream import SqliteStream

    return SqliteStream(path)


def qos_text(metadata: Mapping[str, str]) -> str:
    """Return the quality of service from an mcap channel's metadata."""
    return metadata.get("offered_qos_profiles", "")

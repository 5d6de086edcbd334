"""One sqlite3 storage file as a stream of messages by the time at which they were received."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.rosbag.sqlite_file import (
    SQL_ERRORS,
    check_tables,
    check_whole,
    damaged,
    open_base,
)
from robovalue_ros.data.rosbag.storage import FAR
from robovalue_ros.data.rosbag.stream import RawMessage, StreamTopic, Survey

MOST_TOPICS = 65536


class SqliteStream:
    """Fills `MessageStream` for one .db3 file, opened read-only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._topics: dict[int, StreamTopic] = {}

    def survey(self) -> Survey:
        survey = Survey()
        check_whole(self.path)
        try:
            with closing(open_base(self.path)) as base:
                check_tables(self.path, base)
                self._topics = _topics(self.path, base)
                counts = dict(
                    base.execute("SELECT topic_id, count(*) FROM messages GROUP BY topic_id")
                )
        except SQL_ERRORS as problem:
            raise damaged(self.path, problem) from problem
        for key, topic in self._topics.items():
            survey.add(topic, counts.get(key, 0))
        if not any(topic.count for topic in survey.topics.values()):
            raise DataError(self.path, "holds no messages", "at least one")
        beside = self.path.with_name(self.path.name + "-wal")
        if beside.is_file() and beside.stat().st_size:
            survey.notes.append(
                Finding(
                    "warning", self.path.name,
                    f"{beside.name} holds messages that were never merged and are not read",
                    "Open and close the file once with sqlite3 to merge them.",
                )
            )  # fmt: skip
        return survey

    def messages(self, notes: list[Finding]) -> Iterator[RawMessage]:
        count = broken = last = 0
        try:
            with closing(open_base(self.path)) as base:
                rows = base.execute(
                    "SELECT topic_id, timestamp, data FROM messages ORDER BY timestamp, id"
                )
                for key, log, data in rows:
                    topic = self._topics.get(key)
                    if topic is None or not isinstance(log, int) or not isinstance(data, bytes):
                        broken += 1
                        continue
                    count, last = count + 1, max(-FAR, min(log, FAR))
                    yield RawMessage(topic, last, last, 0, memoryview(data))
        except SQL_ERRORS as problem:
            if not count:
                raise damaged(self.path, problem) from problem
            notes.append(
                Finding(
                    "warning", self.path.name,
                    f"the database is damaged ({problem}); salvaged {count} messages up to "
                    f"{last / 1e9:.3f} s",
                    "Copy it again, or try: sqlite3 damaged.db3 .recover | sqlite3 repaired.db3",
                )
            )  # fmt: skip
        if broken:
            notes.append(
                Finding("warning", self.path.name, f"{broken} damaged messages are left out")
            )


def _topics(path: Path, base: sqlite3.Connection) -> dict[int, StreamTopic]:
    columns = {str(row[1]) for row in base.execute("PRAGMA table_info(topics)")}
    qos = "offered_qos_profiles" if "offered_qos_profiles" in columns else "''"
    digest = "type_description_hash" if "type_description_hash" in columns else "''"
    definitions = _definitions(base)
    topics: dict[int, StreamTopic] = {}
    for key, *texts in base.execute(
        f"SELECT id, name, type, serialization_format, {qos}, {digest} FROM topics "
        f"LIMIT {MOST_TOPICS}"
    ):
        if not isinstance(key, int) or not all(isinstance(text, str) for text in texts[:3]):
            raise DataError(path, "its table of topics is damaged")
        name, kind, encoding, profiles, hashed = texts
        form, definition = definitions.get(kind, ("", b""))
        topics[key] = StreamTopic(
            name, kind, encoding, form, definition, str(profiles or ""), str(hashed or "")
        )
    return topics


def _definitions(base: sqlite3.Connection) -> dict[str, tuple[str, bytes]]:
    """Read the texts of message types, which newer recorders store."""
    columns = {str(row[1]) for row in base.execute("PRAGMA table_info(message_definitions)")}
    if not {"topic_type", "encoding", "encoded_message_definition"} <= columns:
        return {}
    rows = base.execute(
        "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions "
        f"LIMIT {MOST_TOPICS}"
    )
    return {
        kind: (form, text.encode("utf-8", "replace"))
        for kind, form, text in rows
        if isinstance(kind, str) and isinstance(form, str) and isinstance(text, str)
    }

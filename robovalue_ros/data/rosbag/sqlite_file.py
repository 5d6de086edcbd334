"""Random access to the messages of one sqlite3 storage file (.db3)."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import quote

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.rosbag.storage import Scan, Topic, header_stamp

MAGIC = b"SQLite format 3\0"
# A message takes at least its rowid and three short fields, so a file cannot hold more than this.
MIN_ROW_BYTES = 4
SQL_ERRORS = (sqlite3.Error, OverflowError, MemoryError)
HEAD_BYTES = 16
SMALL_BYTES = 4096


class SqliteFile:
    """One .db3 file, opened read-only and treated as finished: nobody may be writing it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._base: sqlite3.Connection | None = None
        self._lock = Lock()

    def scan(self) -> Scan:
        size = check_whole(self.path)
        scan = Scan()
        with self._lock:
            base = self._open()
            try:
                check_tables(self.path, base)
                topics = _topics(self.path, base, scan)
                self._messages(base, topics, size)
            except SQL_ERRORS as problem:
                raise damaged(self.path, problem) from problem
        if not any(len(topic.columns) for topic in scan.topics.values()):
            raise DataError(self.path, "holds no messages", "at least one")
        beside = self.path.with_name(self.path.name + "-wal")
        if beside.is_file() and beside.stat().st_size:
            scan.notes.append(
                Finding(
                    "warning", self.path.name,
                    f"{beside.name} holds messages that were never merged and are not read",
                    "Open and close the file once with sqlite3 to merge them.",
                )
            )  # fmt: skip
        return scan

    def payload(self, place: int, offset: int, size: int) -> memoryview:
        with self._lock:
            try:
                row = (
                    self._open()
                    .execute("SELECT data FROM messages WHERE rowid = ?", (place,))
                    .fetchone()
                )
            except SQL_ERRORS as problem:
                raise damaged(self.path, problem) from problem
        if row is None or not isinstance(row[0], bytes) or len(row[0]) != size:
            raise DataError(self.path, f"message {place} changed since the file was opened")
        return memoryview(row[0])

    def close(self) -> None:
        with self._lock:
            if self._base is not None:
                self._base.close()
                self._base = None

    def _open(self) -> sqlite3.Connection:
        if self._base is None:
            self._base = open_base(self.path)
        return self._base

    def _messages(self, base: sqlite3.Connection, topics: dict[int, Topic], size: int) -> None:
        limit = size // MIN_ROW_BYTES
        # length() reads no pixels; substr() of a large value would read all of them.
        rows = base.execute(
            "SELECT rowid, topic_id, timestamp, length(data), typeof(data), CASE WHEN "
            f"length(data) <= {SMALL_BYTES} THEN substr(data, 1, {HEAD_BYTES}) END FROM messages"
        )
        for count, (row, key, log, length, kind, head) in enumerate(rows):
            if count > limit or kind != "blob" or not isinstance(log, int):
                raise DataError(self.path, f"row {row} of its messages is damaged")
            topic = topics.get(key)
            if topic is None:
                raise DataError(self.path, f"row {row} belongs to topic {key}, which is unknown")
            start = memoryview(_head(base, row) if head is None else head)
            topic.columns.add(header_stamp(start, 0, len(start)), log, row, 0, length)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"])  # type: ignore[misc]


def open_base(path: Path) -> sqlite3.Connection:
    """Open a database read-only, as one that nobody writes; raises DataError."""
    address = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    try:
        base = sqlite3.connect(address, uri=True, check_same_thread=False)
        base.text_factory = lambda raw: raw.decode("utf-8", "replace")
        base.execute("PRAGMA trusted_schema = OFF")
        base.execute("PRAGMA cell_size_check = ON")
    except SQL_ERRORS as problem:
        raise damaged(path, problem) from problem
    return base


def damaged(path: Path, problem: BaseException) -> DataError:
    """Return the error of a database that cannot be read."""
    return DataError(
        path, f"the database cannot be read ({problem})", "an intact sqlite3 recording",
        "Copy it again, or try: sqlite3 damaged.db3 .recover | sqlite3 repaired.db3",
    )  # fmt: skip


def check_whole(path: Path) -> int:
    """Return the file's size after comparing it with what its first page says."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(100)
    except OSError as problem:
        raise DataError(path, problem.strerror or str(problem), "a readable file") from problem
    if not head.startswith(MAGIC) or len(head) < 100:
        found = "does not begin like a sqlite3 file" if size else "is empty"
        raise DataError(path, found, "a rosbag2 recording in sqlite3 format")
    page = int.from_bytes(head[16:18], "big")
    wanted = (65536 if page == 1 else page) * int.from_bytes(head[28:32], "big")
    if size < wanted:
        raise DataError(
            path, f"is cut off: {size} bytes", f"{wanted} bytes, as its first page says",
            "Copy it again, or try: sqlite3 damaged.db3 .recover | sqlite3 repaired.db3",
        )  # fmt: skip
    return size


def check_tables(path: Path, base: sqlite3.Connection) -> None:
    """Raise DataError unless the database has the two plain tables of a recording."""
    # A view or a virtual table under these names could run anything, and for any time.
    rows = base.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' "
        "AND name IN ('topics', 'messages') LIMIT 3"
    ).fetchall()
    plain = {
        name for name, sql in rows
        if isinstance(sql, str) and sql.lstrip().upper().startswith("CREATE TABLE")
        and " AS (" not in sql.upper() and "AS(" not in sql.upper()
    }  # fmt: skip
    if plain != {"topics", "messages"}:
        raise DataError(path, "has no tables of topics and messages", "a rosbag2 recording")


def _head(base: sqlite3.Connection, row: int) -> bytes:
    """Read the first bytes of a large message."""
    if hasattr(base, "blobopen"):  # from Python 3.11
        with base.blobopen("messages", "data", row, readonly=True) as blob:
            return blob.read(HEAD_BYTES)
    (head,) = base.execute(
        f"SELECT substr(data, 1, {HEAD_BYTES}) FROM messages WHERE rowid = ?", (row,)
    ).fetchone()
    return bytes(head)


def _topics(path: Path, base: sqlite3.Connection, scan: Scan) -> dict[int, Topic]:
    topics: dict[int, Topic] = {}
    for key, name, kind, encoding in base.execute(
        "SELECT id, name, type, serialization_format FROM topics LIMIT 65536"
    ):
        if not (isinstance(key, int) and all(isinstance(t, str) for t in (name, kind, encoding))):
            raise DataError(path, "its table of topics is damaged")
        topic = scan.topic(name, kind, encoding)
        # Two publishers of one name and type are one topic; of another type, they stay apart.
        topics[key] = topic if topic.type == kind else Topic(name, kind, encoding)
    return topics

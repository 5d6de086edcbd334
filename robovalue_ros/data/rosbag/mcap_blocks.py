"""Where the blocks of an mcap file lie: from its closing summary, else from the records' heads.

A block is a chunk, or a run of messages that stand outside of chunks. Layout: https://mcap.dev/spec
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import BinaryIO

from robovalue_ros.data.rosbag.mcap_walk import (
    CHANNEL,
    CHUNK,
    FIRST_PRIVATE,
    FOOTER,
    HEAD,
    LAST_KNOWN,
    MAGIC,
    MESSAGE,
    MESSAGE_HEAD,
    MESSAGE_HEAD_SIZE,
    SCHEMA,
    text_at,
)
from robovalue_ros.data.rosbag.stream import StreamTopic, qos_text

CHUNK_INDEX, STATISTICS = 0x08, 0x0B
FOOTER_SIZE = HEAD.size + 20
MAX_SUMMARY = 1 << 30
# Messages outside of chunks are read in runs of about this many bytes.
RUN_BYTES = 1 << 22
_INDEX = struct.Struct("<QQQQ")
_CHUNK_TIMES = struct.Struct("<QQ")


@dataclass(frozen=True, slots=True)
class Block:
    """start_ns: log time of its earliest message. body, length: of the record, or of the run."""

    start_ns: int
    body: int
    length: int
    chunk: bool
    cut: bool = False


@dataclass
class Definitions:
    """Schemas and channels by their numbers in the file; the first of a number counts."""

    schemas: dict[int, tuple[str, str, bytes]] = field(default_factory=dict)
    channels: dict[int, StreamTopic] = field(default_factory=dict)

    def enter(self, code: int, data: memoryview) -> None:
        """Enter a schema or channel record; a damaged one is passed over."""
        try:
            (key,) = struct.unpack_from("<H", data, 0)
            if code == SCHEMA and key not in self.schemas:
                name, at = text_at(data, 2)
                encoding, at = text_at(data, at)
                (size,) = struct.unpack_from("<I", data, at)
                self.schemas[key] = (name, encoding, bytes(data[at + 4 : at + 4 + size]))
            elif code == CHANNEL and key not in self.channels:
                (schema,) = struct.unpack_from("<H", data, 2)
                topic, at = text_at(data, 4)
                encoding, at = text_at(data, at)
                metadata = _texts(data, at)
                kind, form, definition = self.schemas.get(schema, ("", "", b""))
                self.channels[key] = StreamTopic(
                    topic, kind, encoding, form, definition, qos_text(metadata),
                    metadata.get("topic_type_hash", ""),
                )  # fmt: skip
        except (struct.error, UnicodeDecodeError):
            return


@dataclass
class Layout:
    """Every block of a file in the order of the file.

    counts: messages by channel, None where no summary tells. stopped: why reading ends early.
    end: how far the file was understood.
    """

    blocks: list[Block] = field(default_factory=list)
    definitions: Definitions = field(default_factory=Definitions)
    counts: dict[int, int] | None = None
    stopped: str = ""
    end: int = 0
    total: int = 0


def read_layout(stream: BinaryIO) -> Layout:
    """Return the layout of an mcap file whose magic bytes were seen."""
    total = os.fstat(stream.fileno()).st_size
    return _from_summary(stream, total) or _from_heads(stream, total)


def _from_summary(stream: BinaryIO, total: int) -> Layout | None:
    """Read the summary; None when there is none, or any part of it does not fit together."""
    foot = total - len(MAGIC) - FOOTER_SIZE
    if foot < len(MAGIC):
        return None
    stream.seek(foot)
    tail = stream.read(FOOTER_SIZE + len(MAGIC))
    code, length = HEAD.unpack_from(tail, 0)
    if code != FOOTER or length != 20 or not tail.endswith(MAGIC):
        return None
    start, _, crc = struct.unpack_from("<QQI", tail, HEAD.size)
    if not len(MAGIC) < start < foot or foot - start > MAX_SUMMARY:
        return None
    stream.seek(start)
    data = memoryview(stream.read(foot - start))
    if crc and zlib.crc32(tail[: HEAD.size + 16], zlib.crc32(data)) != crc:
        return None
    layout = Layout(end=total, total=total)
    chunks, at = -1, 0
    try:
        while at + HEAD.size <= len(data):
            code, length = HEAD.unpack_from(data, at)
            record = data[at + HEAD.size : at + HEAD.size + length]
            at += HEAD.size + length
            if code in (SCHEMA, CHANNEL):
                layout.definitions.enter(code, record)
            elif code == CHUNK_INDEX:
                first, _, place, size = _INDEX.unpack_from(record, 0)
                if not len(MAGIC) <= place < start or place + size > start or size < HEAD.size:
                    return None
                layout.blocks.append(
                    Block(_clipped(first), place + HEAD.size, size - HEAD.size, chunk=True)
                )
            elif code == STATISTICS:
                chunks, layout.counts = _statistics(record)
    except struct.error:
        return None
    known = layout.counts is not None and set(layout.counts) <= set(layout.definitions.channels)
    if at != len(data) or not known or not layout.blocks or chunks != len(layout.blocks):
        return None
    layout.blocks.sort(key=lambda block: block.body)
    return layout


def _statistics(record: memoryview) -> tuple[int, dict[int, int]]:
    """Return the number of chunks, and messages by channel."""
    (chunks,) = struct.unpack_from("<I", record, 8 + 2 + 4 + 4 + 4)
    at = 8 + 2 + 4 * 4 + 16
    (size,) = struct.unpack_from("<I", record, at)
    counts = {}
    for place in range(at + 4, at + 4 + size, 10):
        key, count = struct.unpack_from("<HQ", record, place)
        counts[key] = count
    return chunks, counts


def _from_heads(stream: BinaryIO, total: int) -> Layout:
    """Step from record to record, reading heads only; what a killed recorder left has no more."""
    layout = Layout(total=total)
    run = _Run(layout)
    at = len(MAGIC)
    while True:
        stream.seek(at)
        head = stream.read(HEAD.size + MESSAGE_HEAD_SIZE)
        layout.end = at
        if len(head) < HEAD.size:
            layout.stopped = "the file ends without its closing records"
            break
        code, length = HEAD.unpack_from(head, 0)
        body, end = at + HEAD.size, at + HEAD.size + length
        if code == FOOTER and end + len(MAGIC) <= total:
            layout.end = total
            break
        if code == 0 or LAST_KNOWN < code < FIRST_PRIVATE:
            layout.stopped = f"unreadable bytes at {at}"
            break
        cut = end > total
        if code == CHUNK and len(head) >= HEAD.size + _CHUNK_TIMES.size:
            run.close()
            first, _ = _CHUNK_TIMES.unpack_from(head, HEAD.size)
            block = Block(_clipped(first), body, min(length, total - body), chunk=True, cut=cut)
            layout.blocks.append(block)
        if cut:
            layout.stopped = "a record reaches beyond the end of the file"
            break
        if code == MESSAGE and length >= MESSAGE_HEAD_SIZE:
            run.add(at, end, _clipped(MESSAGE_HEAD.unpack_from(head, HEAD.size)[2]))
        elif code in (SCHEMA, CHANNEL) and length <= RUN_BYTES:
            stream.seek(body)
            layout.definitions.enter(code, memoryview(stream.read(length)))
        at = end
    run.close()
    return layout


class _Run:
    """Messages outside of chunks that follow each other."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._begin = self._end = -1
        self._first_ns = 0

    def add(self, begin: int, end: int, log_ns: int) -> None:
        """Lengthen the run by a message record, or begin the next."""
        if self._begin >= 0 and (begin != self._end or end - self._begin > RUN_BYTES):
            self.close()
        if self._begin < 0:
            self._begin, self._first_ns = begin, log_ns
        self._first_ns = min(self._first_ns, log_ns)
        self._end = end

    def close(self) -> None:
        """Enter what there is as a block."""
        if self._begin >= 0:
            length = self._end - self._begin
            self._layout.blocks.append(Block(self._first_ns, self._begin, length, chunk=False))
        self._begin = -1


def _clipped(stamp: int) -> int:
    return min(stamp, 2**62)


def _texts(data: memoryview, at: int) -> dict[str, str]:
    """Read a map of texts."""
    (size,) = struct.unpack_from("<I", data, at)
    at, end = at + 4, at + 4 + size
    found: defaultdict[str, str] = defaultdict(str)
    while at < end:
        key, at = text_at(data, at)
        found[key], at = text_at(data, at)
    return dict(found)

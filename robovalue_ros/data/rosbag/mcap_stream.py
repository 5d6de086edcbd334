"""One mcap file as a stream of messages by log time, intact, cut or damaged.

Blocks are read in the order of their earliest messages. A block's messages wait until no later
block can hold an earlier one, so memory holds the blocks that overlap in time, and never more than
`MOST_HELD` bytes of them.
"""

from __future__ import annotations

import os
import zlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from struct import Struct

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.rosbag.chunks import MAX_CHUNK_BYTES, ChunkDamage, unpack_chunk
from robovalue_ros.data.rosbag.mcap_blocks import Block, Layout, read_layout
from robovalue_ros.data.rosbag.mcap_walk import (
    CHANNEL,
    FIRST_PRIVATE,
    HEAD,
    MAGIC,
    MESSAGE,
    MESSAGE_HEAD_SIZE,
    SCHEMA,
    chunk_head,
)
from robovalue_ros.data.rosbag.storage import FAR
from robovalue_ros.data.rosbag.stream import RawMessage, Survey

_FIELDS = Struct("<HIQQ")
MOST_HELD = 1 << 28


class McapStream:
    """Fills `MessageStream` for one .mcap file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._layout: Layout | None = None

    def survey(self) -> Survey:
        survey = Survey()
        layout = self._known()
        if layout.counts is None:
            counts: Counter[int] = Counter()
            for block in layout.blocks:
                counts.update(key for key, *_ in self._records(block, [], []))
            layout.counts = dict(counts)
        for key, topic in layout.definitions.channels.items():
            survey.add(topic, layout.counts.get(key, 0))
        if not any(topic.count for topic in survey.topics.values()):
            raise DataError(
                self.path, layout.stopped or "holds no messages",
                "a recording with at least one message",
            )  # fmt: skip
        return survey

    def messages(self, notes: list[Finding]) -> Iterator[RawMessage]:
        layout = self._known()
        bad: list[str] = []
        unknown: list[int] = []
        count, last, held = 0, 0, 0
        waiting: list[RawMessage] = []
        for block in sorted(layout.blocks, key=lambda one: one.start_ns):
            ready = bisect_left(waiting, block.start_ns, key=lambda one: one.log_ns)
            if held > MOST_HELD:
                ready = max(ready, len(waiting) // 2)
            for message in waiting[:ready]:
                count, last = count + 1, max(last, message.log_ns)
                yield message
            held = sum(len(message.data) for message in waiting[ready:])
            waiting = waiting[ready:] + list(self._block(block, bad, unknown))
            waiting.sort(key=lambda one: one.log_ns)
        for message in waiting:
            count, last = count + 1, max(last, message.log_ns)
            yield message
        notes += self._told(layout, count, last, bad, len(unknown))

    def _known(self) -> Layout:
        if self._layout is None:
            try:
                with self.path.open("rb") as stream:
                    if stream.read(len(MAGIC)) != MAGIC:
                        empty = self.path.stat().st_size == 0
                        raise DataError(
                            self.path,
                            "is empty" if empty else "does not begin like an mcap file",
                            "a rosbag2 recording in mcap format",
                        )  # fmt: skip
                    self._layout = read_layout(stream)
            except OSError as problem:
                raise self._unreadable(problem) from problem
        return self._layout

    def _block(self, block: Block, bad: list[str], unknown: list[int]) -> Iterator[RawMessage]:
        channels = self._known().definitions.channels
        for key, sequence, log, publish, data in self._records(block, bad, unknown):
            yield RawMessage(channels[key], min(log, FAR), min(publish, FAR), sequence, data)

    def _records(
        self, block: Block, bad: list[str], unknown: list[int]
    ) -> Iterator[tuple[int, int, int, int, memoryview]]:
        """Yield channel, sequence, log time, publish time and bytes of a block's messages."""
        definitions = self._known().definitions
        try:
            raw = self._unpacked(block)
        except ChunkDamage as problem:
            if not block.cut:
                bad.append(str(problem))
            return
        at, total = 0, len(raw)
        while at + HEAD.size <= total:
            code, length = HEAD.unpack_from(raw, at)
            body, end = at + HEAD.size, at + HEAD.size + length
            if end > total:
                break
            if code == MESSAGE:
                if length < MESSAGE_HEAD_SIZE:
                    break
                key, sequence, log, publish = _FIELDS.unpack_from(raw, body)
                if key in definitions.channels:
                    yield key, sequence, log, publish, raw[body + MESSAGE_HEAD_SIZE : end]
                else:
                    unknown.append(key)
            elif code in (SCHEMA, CHANNEL):
                definitions.enter(code, raw[body:end])
            elif code < FIRST_PRIVATE:
                break
            at = end
        if at < total and not block.cut:
            bad.append("its records do not fit into it")

    def _unpacked(self, block: Block) -> memoryview:
        """Return the records of a block; raises ChunkDamage."""
        if block.length > MAX_CHUNK_BYTES:
            raise ChunkDamage(f"claims {block.length} bytes")
        try:
            with self.path.open("rb", buffering=0) as stream:
                data = memoryview(os.pread(stream.fileno(), block.length, block.body))
        except OSError as problem:
            raise self._unreadable(problem) from problem
        if len(data) != block.length:
            raise ChunkDamage("the file became shorter while it was read")
        if not block.chunk:
            return data
        codec, size, crc, start = chunk_head(data, block.length, block.cut)
        raw = unpack_chunk(data[start:], codec, size, cut=block.cut)
        # The checksum covers the whole chunk, so of a cut one only the structure can be checked.
        if crc and not block.cut and zlib.crc32(raw) != crc:
            raise ChunkDamage("its checksum does not match")
        return raw

    def _told(
        self, layout: Layout, count: int, last_ns: int, bad: list[str], unknown: int
    ) -> Iterator[Finding]:
        name = self.path.name
        if layout.stopped:
            yield Finding(
                "warning", name,
                f"{layout.stopped}; salvaged {count} messages up to {last_ns / 1e9:.3f} s, "
                f"{max(0, layout.total - layout.end)} bytes lost",
                "The recorder was probably killed; check whether the episode is whole.",
            )  # fmt: skip
        if bad:
            yield Finding(
                "warning", name,
                f"{len(bad)} damaged chunks left out; the first: {bad[0]}; salvaged "
                f"{count} messages",
                "Copy the file again from where it was recorded if you can.",
            )  # fmt: skip
        if unknown:
            yield Finding(
                "warning", name, f"{unknown} messages belong to no known topic and are left out"
            )

    def _unreadable(self, problem: OSError) -> DataError:
        return DataError(self.path, problem.strerror or str(problem), "a readable file")

"""One forward pass over the records of an mcap file, intact, cut or damaged.

The index at the end of a file is not used: a recorder that was killed never wrote one, and a walk
gives the same answer for both. Chunks are unpacked and their checksums compared on the way; a
chunk that fails is passed over, a record that reaches beyond the file ends the walk, and what lies
complete inside a cut chunk is kept. Layout: https://mcap.dev/spec
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.rosbag.chunks import MAX_CHUNK_BYTES, ChunkDamage, unpack_chunk
from robovalue_ros.data.rosbag.storage import NO_STAMP, Columns, header_stamp

MAGIC = b"\x89MCAP0\r\n"
FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, DATA_END = 0x02, 0x03, 0x04, 0x05, 0x06, 0x0F
LAST_KNOWN, FIRST_PRIVATE = 0x0F, 0x80
DIRECT = -1
MAX_TEXT_RECORD = 1 << 24
MAX_MESSAGE = 1 << 31
HEAD = struct.Struct("<BQ")
MESSAGE_HEAD = struct.Struct("<HIQ")
MESSAGE_HEAD_SIZE = 22
CHUNK_HEAD = struct.Struct("<QQQII")


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """Where a packed chunk's stored bytes lie, and how to unpack them."""

    offset: int
    stored: int
    size: int
    codec: str
    cut: bool


@dataclass
class Walk:
    """What the pass found: columns by channel, packed chunks, and every kind of damage."""

    schemas: dict[int, str] = field(default_factory=dict)
    channels: dict[int, tuple[int, str, str]] = field(default_factory=dict)
    columns: dict[int, Columns] = field(default_factory=dict)
    chunks: list[ChunkPlace] = field(default_factory=list)
    bad_chunks: list[tuple[str, int, int, int]] = field(default_factory=list)
    complete: bool = False
    stopped: str = ""
    lost_bytes: int = 0
    last_log: int = NO_STAMP
    count: int = 0


def walk_mcap(path: Path) -> Walk:
    """Walk a file from its first record to its end or to where it is cut.

    Raises DataError when the file cannot be read or is no mcap at all.
    """
    walk = Walk()
    try:
        with path.open("rb") as stream:
            total = os.fstat(stream.fileno()).st_size
            if stream.read(len(MAGIC)) != MAGIC:
                raise DataError(
                    path, "does not begin like an mcap file" if total else "is empty",
                    "a rosbag2 recording in mcap format",
                )  # fmt: skip
            end = _records(stream, total, walk)
    except OSError as problem:
        raise DataError(path, problem.strerror or str(problem), "a readable file") from problem
    walk.lost_bytes += max(0, total - end)
    return walk


def _records(stream: BinaryIO, total: int, walk: Walk) -> int:
    """Walk the top-level records; return the position up to which the file was understood."""
    at = len(MAGIC)
    while True:
        stream.seek(at)
        head = stream.read(HEAD.size)
        if len(head) < HEAD.size:
            walk.stopped = walk.stopped or "the file ends without its closing records"
            return at
        code, length = HEAD.unpack(head)
        body, end = at + HEAD.size, at + HEAD.size + length
        if code == FOOTER and end + len(MAGIC) <= total:
            return total
        if code == 0 or LAST_KNOWN < code < FIRST_PRIVATE:
            walk.stopped = f"unreadable bytes at {at}"
            return at
        if end > total:
            walk.stopped = "a record reaches beyond the end of the file"
            return _chunk(stream, body, length, total, walk) if code == CHUNK else at
        if code == CHUNK:
            _chunk(stream, body, length, total, walk)
        elif code == MESSAGE:
            _direct_message(stream, body, length, walk)
        elif code in (SCHEMA, CHANNEL) and length <= MAX_TEXT_RECORD:
            _definition(code, memoryview(stream.read(length)), walk)
        elif code == DATA_END:
            walk.complete = True
        at = end


def _direct_message(stream: BinaryIO, body: int, length: int, walk: Walk) -> None:
    if MESSAGE_HEAD_SIZE <= length <= MAX_MESSAGE:
        head = memoryview(stream.read(min(length, MESSAGE_HEAD_SIZE + 12)))
        _note_message(head, 0, length, body, DIRECT, walk)


def _note_message(
    data: memoryview, at: int, length: int, base: int, place: int, walk: Walk
) -> None:
    """Enter one message; `base` plus `at` is the position of its record's body."""
    channel, _, log = MESSAGE_HEAD.unpack_from(data, at)
    size = length - MESSAGE_HEAD_SIZE
    columns = walk.columns.get(channel)
    if columns is None:
        columns = walk.columns[channel] = Columns()
    start = at + MESSAGE_HEAD_SIZE
    columns.add(header_stamp(data, start, size), log, place, base + start, size)
    walk.count += 1
    walk.last_log = max(walk.last_log, log)


def _chunk(stream: BinaryIO, body: int, length: int, total: int, walk: Walk) -> int:
    """Walk the records inside one chunk; return the position up to which it was understood.

    An unpacked chunk's messages are addressed by their position in the file.
    """
    cut = body + length > total
    stored_here = min(length, total - body)
    try:
        if stored_here > MAX_CHUNK_BYTES:
            raise ChunkDamage(f"claims {length} bytes")
        data = memoryview(stream.read(stored_here))
        codec, size, crc, start = chunk_head(data, length, cut)
        stored = data[start:]
        raw = unpack_chunk(stored, codec, size, cut=cut)
        # The checksum covers the whole chunk, so of a cut one only the structure can be checked.
        if crc and not cut and zlib.crc32(raw) != crc:
            raise ChunkDamage("its checksum does not match")
    except ChunkDamage as problem:
        if not cut:
            _note_bad_chunk(str(problem), data if stored_here <= MAX_CHUNK_BYTES else None, walk)
            walk.lost_bytes += length
        return body
    if codec:
        place, base = len(walk.chunks), 0
        walk.chunks.append(ChunkPlace(body + start, len(stored), size, codec, cut))
    else:
        place, base = DIRECT, body + start
    understood = _inside(raw, base, place, walk)
    if understood < len(raw) and not cut:
        _note_bad_chunk("its records do not fit into it", data, walk)
        walk.lost_bytes += len(raw) - understood
    return body + start + understood if not codec else body


def chunk_head(data: memoryview, length: int, cut: bool) -> tuple[str, int, int, int]:
    """Return codec, unpacked size, checksum and where the stored bytes begin.

    Raises ChunkDamage.
    """
    if len(data) < CHUNK_HEAD.size + 8:
        raise ChunkDamage("its head is cut")
    _, _, size, crc, letters = CHUNK_HEAD.unpack_from(data, 0)
    start = CHUNK_HEAD.size + letters + 8
    if letters > 16 or start > len(data):
        raise ChunkDamage("its compression has no readable name")
    codec = bytes(data[CHUNK_HEAD.size : CHUNK_HEAD.size + letters]).decode("ascii", "replace")
    (stored,) = struct.unpack_from("<Q", data, start - 8)
    if start + stored != length and not cut:
        raise ChunkDamage(f"claims {stored} stored bytes in a record of {length}")
    return codec, size, crc, start


def _note_bad_chunk(reason: str, data: memoryview | None, walk: Walk) -> None:
    first, last = (0, 0) if data is None or len(data) < 16 else struct.unpack_from("<QQ", data, 0)
    walk.bad_chunks.append((reason, first, last, 0 if data is None else len(data)))


def _inside(raw: memoryview, base: int, place: int, walk: Walk) -> int:
    """Walk the records of an unpacked chunk; return where the last complete one ends."""
    at, total = 0, len(raw)
    while at + HEAD.size <= total:
        code, length = HEAD.unpack_from(raw, at)
        body, end = at + HEAD.size, at + HEAD.size + length
        if end > total:
            break
        if code == MESSAGE:
            if length < MESSAGE_HEAD_SIZE:
                break
            _note_message(raw, body, length, base, place, walk)
        elif code in (SCHEMA, CHANNEL):
            _definition(code, raw[body:end], walk)
        elif code < FIRST_PRIVATE:
            break
        at = end
    return at


def _definition(code: int, data: memoryview, walk: Walk) -> None:
    """Enter a schema or channel; the first of an id counts, a damaged one is passed over."""
    try:
        (key,) = struct.unpack_from("<H", data, 0)
        if code == SCHEMA:
            walk.schemas.setdefault(key, text_at(data, 2)[0])
        else:
            (schema,) = struct.unpack_from("<H", data, 2)
            topic, at = text_at(data, 4)
            encoding, _ = text_at(data, at)
            walk.channels.setdefault(key, (schema, topic, encoding))
    except (struct.error, UnicodeDecodeError):
        return


def text_at(data: memoryview, at: int) -> tuple[str, int]:
    """Read a text and return where it ends; raises struct.error, UnicodeDecodeError."""
    (length,) = struct.unpack_from("<I", data, at)
    if at + 4 + length > len(data):
        raise struct.error("a text reaches beyond its record")
    return bytes(data[at + 4 : at + 4 + length]).decode("utf-8"), at + 4 + length

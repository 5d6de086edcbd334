"""A text that names the frames of a camera for certain, without decoding them.

It is made of everything that decides a pixel: the SHA-256 of the bytes, and what the frame source
does with them (which rows, which camera, colours, turning). Frame sources of other kinds, and
known ones with a setting this table has not heard of, have no such text: their frames are hashed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.frames import FrameSource
from robovalue_ros.contracts.ports import EpisodeReader

VERSION = "frames v1"
KEPT_FILES = 4096
_DATA = "robovalue_ros.data."

_PARQUET = f"{_DATA}lerobot.pictures.ParquetImages"
# Class of a frame source -> attributes that decide its pixels, and those that do not (caches, and
# what follows from the others). Together they must be all it has: see `source_identity`.
_KNOWN = {
    "robovalue_ros.contracts.frames.SlicedFrames": ("_source _indices", ""),
    f"{_DATA}select.TurnedFrames": ("_source _rotation _swap", ""),
    f"{_DATA}hdf5.frames.Hdf5Frames": (
        "_file _key _layout _length _color _turn", "_crc _dataset _rows _shape",
    ),
    f"{_DATA}video.frames.VideoFrames": ("_index _start _length", "_cursor"),
    f"{_DATA}rosbag.frames.BagFrames": (
        "_storages _topic _kind _messages _shape _unnamed_bgr", "",
    ),
    f"{_DATA}media.images.ImageFiles": ("_files", "_shape"),
}  # fmt: skip


def content_identity(reader: EpisodeReader, episode_id: str, camera: str) -> str | None:
    """Return the text for one camera of one episode, or None where the frames must be hashed.

    camera: the name that the episode gives it. Raises DataError when the episode is damaged.
    """
    episode = reader.open(episode_id)
    try:
        if camera not in episode.cameras:
            raise DataError(reader.path, f"{episode_id} has no camera {camera!r}")
        return source_identity(episode.cameras[camera])
    finally:
        episode.close()


def source_identity(source: FrameSource) -> str | None:
    """Return the text for the frames of a source, or None where they must be hashed.

    Hashes each file once per process, again when it changed. Raises DataError when a file cannot
    be read.
    """
    described = _describe(source)
    return None if described is None else f"{VERSION} {described!r}"


def _describe(source: FrameSource) -> tuple[Any, ...] | None:
    name = _class_name(source)
    if name == _PARQUET:
        return _stored_images(source)
    if name not in _KNOWN:
        return None
    deciding, other = (set(names.split()) for names in _KNOWN[name])
    # An attribute that is not in the table may decide pixels too: then nothing is certain.
    if set(vars(source)) != deciding | other:
        return None
    parts = [(key, _plain(vars(source)[key])) for key in sorted(deciding)]
    return None if any(part is None for _, part in parts) else (name, *parts)


def _stored_images(source: Any) -> tuple[Any, ...]:
    """Name images in a Parquet file by their stored bytes.

    The file may be shared by a thousand episodes, and may name files outside instead of holding
    images, so its own checksum would say both too much and too little.
    """
    digest = hashlib.sha256()
    for row in range(source._start, source._start + len(source)):
        content = source._content(row)
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return (_PARQUET, len(source), digest.hexdigest())


def _plain(value: Any) -> tuple[Any, ...] | None:
    """Turn an attribute into plain values that are equal only when it decides the same pixels."""
    if value is None or isinstance(value, str | bool | int | float):
        return (type(value).__name__, value)
    if isinstance(value, FrameSource):
        return _describe(value)
    if isinstance(value, Path):
        return ("file", file_digest(value))
    if isinstance(value, np.ndarray):
        content = np.ascontiguousarray(value)
        return ("array", content.dtype.str, content.shape, hashlib.sha256(content.data).hexdigest())
    if isinstance(value, tuple):
        parts = [_plain(part) for part in value]
        return None if any(part is None for part in parts) else ("tuple", *parts)
    read = _READ.get(_class_name(value))
    return None if read is None else _plain(read(value))


def _class_name(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


_READ: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    # What these hold beside the path is read from the file.
    f"{_DATA}hdf5.file.EpisodeFile": lambda file: (file.path,),
    f"{_DATA}video.index.FrameIndex": lambda index: (index.path,),
    f"{_DATA}rosbag.mcap_file.McapFile": lambda file: (file.path,),
    f"{_DATA}rosbag.sqlite_file.SqliteFile": lambda file: (file.path,),
    f"{_DATA}rosbag.index.Messages": lambda at: (at.file, at.place, at.offset, at.size),
    f"{_DATA}hdf5.images.ImageLayout": lambda layout: (
        layout.storage, layout.frames, layout.size, layout.row_bytes,
    ),
}  # fmt: skip


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, from memory while the file stays as it is.

    Raises DataError when it cannot be read or changes meanwhile.
    """
    try:
        before = _state(path)
        digest = _digest(*before)
        if _state(path) != before:
            raise DataError(path, "changed while it was read", hint="Wait until it is written.")
    except OSError as problem:
        raise DataError(path, problem.strerror or str(problem), "a readable file") from problem
    return digest


def forget() -> None:
    """Forget every checksum, as a new process would."""
    _digest.cache_clear()


def _state(path: Path) -> tuple[str, int, int, int, int, int]:
    status = path.stat()
    return (
        str(path.resolve()), status.st_dev, status.st_ino, status.st_size,
        status.st_mtime_ns, status.st_ctime_ns,
    )  # fmt: skip


@lru_cache(maxsize=KEPT_FILES)
def _digest(path: str, *_state_of_the_file: int) -> str:
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(1 << 20))
    with Path(path).open("rb", buffering=0) as stream:
        while count := stream.readinto(buffer):
            digest.update(buffer[:count])
    return digest.hexdigest()

"""Archives of plain arrays: the same content gives the same bytes, and no claim is believed.

They are ordinary numpy archives, and `numpy.load` reads what is written here. Reading goes through a
parser of our own: every claim of a file is checked before memory is given to it, how large a member
says it is against how large it can be, what an array's header says against its member; a checksum is
always read to its end; and an array of objects is recognised without being unpickled.
"""

from __future__ import annotations

import errno
import io
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.atomic import write_bytes

Array = NDArray[Any]

DEFLATE_LIMIT = 1100
"""No more bytes than this come out of one deflated byte (the format's own limit is 1032)."""
MEMBER_LIMIT = 1 << 16
PLAIN_KINDS = "biufUS"
WRITTEN_KINDS = "biufU"
# The earliest date that the format can hold: a clock has no place in a result.
NO_DATE = (1980, 1, 1, 0, 0, 0)
UNIX = 3
# What the standard library raises for archives it cannot make sense of.
UNREADABLE = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, EOFError, ValueError,
    TypeError, KeyError, IndexError, OverflowError, SyntaxError, RuntimeError, NotImplementedError,
    tokenize.TokenError, MemoryError,
)  # fmt: skip


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays, numbers and texts atomically as a compressed archive, in the order given."""
    write_bytes(path, packed_arrays(arrays))


def packed_arrays(arrays: Mapping[str, Any]) -> bytes:
    """Return arrays, numbers and texts as the bytes of a compressed archive, in the order given."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in arrays.items():
            array = np.asarray(value)
            if array.dtype.kind not in WRITTEN_KINDS:
                raise TypeError(f"{name} is a {array.dtype} array; only plain arrays are stored")
            packed = io.BytesIO()
            np.lib.format.write_array(packed, array, version=(1, 0), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", NO_DATE)
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, UNIX
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, packed.getvalue())
    return content.getvalue()


def read_arrays(path: Path, wanted: Callable[[str], bool], *, max_bytes: int) -> dict[str, Array]:
    """Return the arrays whose names are wanted, read-only; others are never unpacked.

    max_bytes: no more than this is unpacked in total. Raises DataError for anything that is not
    an intact file of plain arrays, OSError when the disk does not let us read.
    """
    with path.open("rb") as stream:
        return _guarded(path, lambda: _plain(members(stream, wanted, max_bytes)))


def parse_arrays(
    path: Path, content: bytes, wanted: Callable[[str], bool], *, max_bytes: int
) -> dict[str, Array]:
    """Return the arrays in the bytes of a file, as `read_arrays` does."""
    return _guarded(path, lambda: _plain(members(io.BytesIO(content), wanted, max_bytes)))


def _guarded(path: Path, read: Callable[[], dict[str, Array]]) -> dict[str, Array]:
    try:
        return read()
    except OSError as error:
        # A seek to a nonsense place is the file's fault; the rest is the disk's.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise DataError(path, f"damaged ({error})") from error
    except UNREADABLE as error:
        raise DataError(path, f"damaged ({type(error).__name__}: {error})") from error


def _plain(found: Iterator[Member]) -> dict[str, Array]:
    return {member.name: member.array() for member in found}


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One member of an archive, proven complete. payload: what follows its header."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    payload: bytes

    @property
    def is_pickled(self) -> bool:
        """Whether the payload is a pickle, which is never opened here."""
        return self.dtype.hasobject

    def array(self) -> Array:
        """Return the member as a read-only array; raises ValueError for a pickled one."""
        if self.is_pickled:
            raise ValueError(f"{self.name} holds {self.dtype}, not plain numbers or text")
        if not self.payload:
            empty: Array = np.zeros(self.shape, self.dtype)
            empty.flags.writeable = False
            return empty
        flat = np.frombuffer(self.payload, self.dtype)
        return flat.reshape(self.shape, order="F" if self.fortran else "C")


def members(stream: IO[bytes], wanted: Callable[[str], bool], max_bytes: int) -> Iterator[Member]:
    """Yield the wanted members of an archive; raises one of `UNREADABLE` for a damaged one."""
    with zipfile.ZipFile(stream) as archive:
        listed = archive.infolist()
        if len(listed) > MEMBER_LIMIT:
            raise ValueError(f"{len(listed)} members, more than {MEMBER_LIMIT}")
        if len({_name(info) for info in listed}) != len(listed):
            raise ValueError("a member occurs twice")
        chosen = [info for info in listed if info.filename.endswith(".npy") and wanted(_name(info))]
        for info in chosen:
            _check_member(info)
        total = sum(info.file_size for info in chosen)
        if total > max_bytes:
            raise ValueError(f"unpacks to {total} bytes, more than the {max_bytes} allowed")
        for info in chosen:
            yield _member(archive, info)


def _name(info: zipfile.ZipInfo) -> str:
    return info.filename.removesuffix(".npy")


def _check_member(info: zipfile.ZipInfo) -> None:
    if info.flag_bits & 1:
        raise ValueError(f"{info.filename} is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{info.filename} is compressed in a way numpy does not write")
    if info.file_size > DEFLATE_LIMIT * info.compress_size + 1024:
        raise ValueError(f"{info.filename} claims more bytes than it can hold")


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise ValueError(f"{info.filename} has array format {version}")
        if not dtype.hasobject and (dtype.kind not in PLAIN_KINDS or dtype.subdtype is not None):
            raise ValueError(f"{info.filename} holds {dtype}, not plain numbers or text")
        size = info.file_size - stream.tell()
        fits = min(shape, default=0) >= 0 and math.prod(shape) * dtype.itemsize == size
        if not dtype.hasobject and not fits:
            raise ValueError(f"{info.filename} claims shape {shape} of {dtype}, which does not fit")
        content = stream.read(size)
        # The checksum of a member is looked at only when its end is reached.
        if len(content) != size or stream.read(1):
            raise ValueError(f"{info.filename} does not end where it says")
    return Member(_name(info), dtype, shape, fortran, content)

"""A clip that grows frame by frame, and takes its name only when it is whole."""

from __future__ import annotations

import os
import uuid
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from robovalue_ros.contracts.errors import ConfigError, DataError, nearest
from robovalue_ros.contracts.frames import Image
from robovalue_ros.data.atomic import sync_file, sync_folder
from robovalue_ros.data.video.encode import exact_rate
from robovalue_ros.data.video.opening import AV_ERRORS

# Names that people know, those of four letters too, and what encodes them.
CODECS = {
    "mp4v": "mpeg4", "mpeg4": "mpeg4", "xvid": "mpeg4", "fmp4": "mpeg4",
    "h264": "libx264", "avc1": "libx264", "x264": "libx264",
}  # fmt: skip
# A fixed quality for each: MPEG-4 at a fixed rate would smear fast scenes.
OPTIONS = {
    "mpeg4": {"flags": "+qscale", "global_quality": str(118 * 4), "threads": "1"},
    "libx264": {"crf": "23", "preset": "veryfast", "threads": "1", "bf": "0"},
}
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".avi": "avi"}


def check_codec(codec: str, ext: str) -> None:
    """Raise ConfigError for a codec or a kind of file that cannot be written."""
    if codec.lower() not in CODECS:
        raise ConfigError(f"unknown codec {codec!r}", hint=nearest(codec.lower(), CODECS))
    if ext.lower() not in CONTAINERS:
        raise ConfigError(f"clips cannot end in {ext!r}", hint=nearest(ext.lower(), CONTAINERS))


class ClipWriter:
    """Writes frames (H, W, 3) uint8 RGB of one size into `path`; nothing is there before `keep`.

    Odd sides are made even by repeating the last row or column. Raises DataError when the disk or the
    encoder refuses.
    """

    def __init__(self, path: Path, fps: float, codec: str = "mp4v") -> None:
        check_codec(codec, path.suffix)
        self.path = path
        self.frames = 0
        self._codec = CODECS[codec.lower()]
        self._rate = exact_rate(fps)
        self._temporary = path.with_name(f".tmp-{uuid.uuid4().hex[:12]}-{path.name}")
        self._container: Any = None
        self._stream: Any = None

    def write(self, image: Image) -> None:
        """Add a frame."""
        try:
            if self._container is None:
                self._open(image)
            frame = av.VideoFrame.from_ndarray(_even(image), format="rgb24")
            frame.pts, frame.time_base = self.frames, 1 / self._rate
            self._container.mux(self._stream.encode(frame))
        except AV_ERRORS as problem:
            raise DataError(self.path, f"cannot be written: {problem}") from problem
        self.frames += 1

    def close(self) -> None:
        """Finish the file, still without its name; calling it twice does nothing."""
        if self._container is None:
            return
        container, self._container = self._container, None
        try:
            container.mux(self._stream.encode())
        except AV_ERRORS as problem:
            raise DataError(self.path, f"cannot be written: {problem}") from problem
        finally:
            container.close()
        sync_file(self._temporary)

    def keep(self) -> None:
        """Give the finished file its name."""
        self.close()
        os.replace(self._temporary, self.path)
        sync_folder(self.path.parent)

    def drop(self) -> None:
        """Throw the file away."""
        if self._container is not None:
            self._container.close()
            self._container = None
        self._temporary.unlink(missing_ok=True)

    def _open(self, image: Image) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        kind = CONTAINERS[self.path.suffix.lower()]
        self._container = av.open(
            str(self._temporary), "w", format=kind, options={"fflags": "+bitexact"}
        )
        stream = self._container.add_stream(self._codec, rate=self._rate)
        stream.height, stream.width = _even(image).shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1) / self._rate
        stream.codec_context.thread_count = 1
        stream.codec_context.options = OPTIONS[self._codec]
        self._stream = stream


def _even(image: Image) -> Image:
    rows, columns = image.shape[0] % 2, image.shape[1] % 2
    if rows or columns:
        return np.pad(image, ((0, rows), (0, columns), (0, 0)), mode="edge")
    return np.ascontiguousarray(image)

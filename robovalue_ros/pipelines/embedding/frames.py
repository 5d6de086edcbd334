"""Frames of a recording, decoded once, prepared once and held only while clips wait for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.backends.encoders.preprocess import Crop
from robovalue_ros.contracts.frames import FrameSource, Image
from robovalue_ros.contracts.ports import FrameEncoder
from robovalue_ros.pipelines.embedding.camera import CameraClips, Rows

NEAR = 2
"""Frames at most so far apart are decoded in one pass; others are looked up one by one."""
LONG_RUN = 16
"""Opening a decoder for a pass pays off from so many frames on."""


@dataclass(frozen=True, eq=False)
class Piece:
    """Clips of one camera whose frames are held together.

    rows: which distinct clips of `camera`. frames: (n,) ascending raw frame indices they use.
    """

    camera: CameraClips
    rows: Rows
    frames: Rows

    @property
    def nbytes(self) -> int:
        return len(self.frames) * frame_bytes(self.camera)

    def places(self) -> Rows:
        """Return where the frames of each clip lie among `frames`: (clips, clip_frames)."""
        return np.searchsorted(self.frames, self.camera.clips_MF[self.rows])


def crop_of(encoder: FrameEncoder) -> Crop | None:
    """Return how an encoder prepares one frame, None when it takes frames as they are.

    Not by isinstance: that may ask for every property, and an id costs a hash over the weights.
    """
    return getattr(encoder, "crop", None) if hasattr(encoder, "encode_crops") else None


def frame_shape(encoder: FrameEncoder, source: FrameSource) -> tuple[int, int]:
    """Return height and width of what is kept of a frame."""
    crop = crop_of(encoder)
    return source.shape if crop is None else (crop.height, crop.width)


def frame_bytes(camera: CameraClips) -> int:
    """Return how many bytes a kept frame has."""
    height, width = frame_shape(camera.encoder, camera.source)
    return height * width * 3


def cut(camera: CameraClips, capacity: int) -> Iterator[Piece]:
    """Cut the missing clips into pieces whose frames fit into `capacity` bytes.

    A single clip may need more; nothing can be cut off it.
    """
    most = max(1, capacity // frame_bytes(camera))
    rows = camera.missing
    if not len(rows):
        return
    frames = np.unique(camera.clips_MF[rows])
    if len(frames) <= most:
        yield Piece(camera, rows, frames)
        return
    start = 0
    while start < len(rows):
        held: set[int] = set()
        stop = start
        while stop < len(rows):
            fresh = set(camera.clips_MF[rows[stop]].tolist()) - held
            if stop > start and len(held) + len(fresh) > most:
                break
            held |= fresh
            stop += 1
        yield Piece(camera, rows[start:stop], np.array(sorted(held), np.int64))
        start = stop


def prepare(piece: Piece) -> Image:
    """Decode and prepare the frames of a piece: (n, height, width, 3); raises DataError."""
    camera = piece.camera
    encoder, source = camera.encoder, camera.source
    crop = crop_of(encoder)
    out = np.empty((len(piece.frames), *frame_shape(encoder, source), 3), np.uint8)
    for place, frame in enumerate(_read(source, piece.frames)):
        out[place] = frame if crop is None else crop(frame)
    return out


def _read(source: FrameSource, indices: NDArray[np.int64]) -> Iterator[Image]:
    """Yield frames of ascending indices: close ones in one pass, far ones each for itself."""
    cuts = np.flatnonzero(np.diff(indices) > NEAR) + 1
    for run in np.split(indices, cuts):
        wanted: Sequence[int] = run.tolist()
        if len(wanted) < LONG_RUN:
            for index in wanted:
                yield source.read(index)
            continue
        keep = set(wanted)
        passed = source.iterate(wanted[0], wanted[-1] + 1)
        for index, frame in enumerate(passed, wanted[0]):
            if index in keep:
                yield frame

"""Clips of many recordings, handed to the network in full batches.

Networks that look at frames one by one get each frame of a piece once instead, however many clips
share it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np

from robovalue_ros.backends.encoders.preprocess import CropEncoder
from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.ports import FrameEncoder
from robovalue_ros.pipelines.embedding.camera import Rows, Vectors
from robovalue_ros.pipelines.embedding.frames import Piece, crop_of

CALL_BYTES = 64 << 20
"""How many bytes of clips an encoder gets at once when it does not say what fills its devices."""

FRAMES_AT_ONCE = 64
"""How many frames an encoder of single frames gets at once."""

Done = Callable[[Piece, Rows, Vectors], None]
"""Called with a piece, places (k,) in its `rows`, and their vectors (k, dim)."""


class PerFrame(Protocol):
    """An encoder whose vectors are made of one feature per frame, such as `ImageEncoder`."""

    def encode_frames(self, frames: Image) -> Vectors:
        """Turn prepared frames (N, height, width, 3) into features (N, dim)."""
        ...

    def pool(self, features_BTD: Vectors) -> Vectors:
        """Turn the features of B clips into vectors (B, dim), as `encode_crops` would."""
        ...


def clips_per_call(encoder: FrameEncoder, clip_bytes: int) -> int:
    """Return how many clips to hand to an encoder at once."""
    told = getattr(encoder, "clips_per_pass", None)
    if isinstance(told, int):
        return max(1, told)
    return max(1, CALL_BYTES // max(1, clip_bytes))


def encode(encoder: FrameEncoder, clips: Image) -> Vectors:
    """Turn clips of kept frames (B, clip_frames, height, width, 3) into (B, dim)."""
    if crop_of(encoder) is None:
        return encoder.encode(clips)
    return cast(CropEncoder, encoder).encode_crops(clips)


@dataclass(eq=False)
class _Waiting:
    """Clips of a piece that have not gone out: places into `frames` from `start` on."""

    piece: Piece
    frames: Image
    places_NF: Rows
    start: int = 0


class Batches:
    """Collects clips per encoder and frame size, and runs whenever a batch is full."""

    def __init__(self, done: Done) -> None:
        self._done = done
        self._lanes: dict[tuple[int, tuple[int, ...]], deque[_Waiting]] = {}

    @property
    def waiting(self) -> bool:
        """Tell whether clips wait for company."""
        return any(self._lanes.values())

    def add(self, piece: Piece, frames: Image) -> None:
        """Queue the clips of a piece; runs every batch that is full."""
        encoder = piece.camera.encoder
        if hasattr(encoder, "encode_frames"):
            self._by_frame(cast(PerFrame, encoder), piece, frames)
            return
        # Cameras that share an encoder share its batches.
        lane = self._lanes.setdefault((id(encoder), frames.shape[1:]), deque())
        lane.append(_Waiting(piece, frames, piece.places()))
        self._run(lane, only_full=True)

    def flush(self) -> None:
        """Run what waits, also batches that are not full."""
        for lane in self._lanes.values():
            self._run(lane, only_full=False)

    def _by_frame(self, encoder: PerFrame, piece: Piece, frames: Image) -> None:
        """Run the frames in order, and finish each clip with its last frame."""
        places = piece.places()
        last = places.max(axis=1)
        features: list[Vectors] = []
        for start in range(0, len(frames), FRAMES_AT_ONCE):
            stop = start + FRAMES_AT_ONCE
            features.append(encoder.encode_frames(frames[start:stop]))
            complete = np.flatnonzero((last >= start) & (last < stop)).astype(np.int64)
            if len(complete):
                so_far = np.concatenate(features)
                features = [so_far]
                self._done(piece, complete, encoder.pool(so_far[places[complete]]))

    def _run(self, lane: deque[_Waiting], *, only_full: bool) -> None:
        while lane:
            encoder = lane[0].piece.camera.encoder
            clip_bytes = encoder.clip_frames * lane[0].frames[0].nbytes
            size = clips_per_call(encoder, clip_bytes)
            there = sum(len(part.places_NF) - part.start for part in lane)
            if there < size and only_full:
                return
            taken = _take(lane, min(size, there))
            clips = np.empty(
                (sum(len(rows) for _, rows in taken), encoder.clip_frames, *_shape(taken)),
                np.uint8,
            )
            start = 0
            for part, rows in taken:
                stop = start + len(rows)
                np.take(part.frames, part.places_NF[rows], axis=0, out=clips[start:stop])
                start = stop
            vectors = encode(encoder, clips)
            start = 0
            for part, rows in taken:
                self._done(part.piece, rows, vectors[start : start + len(rows)])
                start += len(rows)


def _shape(taken: list[tuple[_Waiting, Rows]]) -> tuple[int, ...]:
    """Return the shape that all frames of a batch have."""
    return taken[0][0].frames.shape[1:]


def _take(lane: deque[_Waiting], count: int) -> list[tuple[_Waiting, Rows]]:
    """Take `count` clips from the front of a lane."""
    taken = []
    while count:
        part = lane[0]
        rows = np.arange(part.start, min(part.start + count, len(part.places_NF)), dtype=np.int64)
        part.start += len(rows)
        count -= len(rows)
        taken.append((part, rows))
        if part.start == len(part.places_NF):
            lane.popleft()
    return taken

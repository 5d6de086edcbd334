"""Clips of a stream with constant memory: which frames are kept, and when it is time to look."""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

import numpy as np

from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.ports import FrameEncoder
from robovalue_ros.contracts.validate import require
from robovalue_ros.value.embed import spread

Sampling = Literal["recent", "since_start"]
SINCE_START_FRAMES = 2


class Pace:
    """Picks the frames nearest to a grid of `period_s`, so that the frame rate is free.

    After a gap the grid begins anew.
    """

    def __init__(self, period_s: float) -> None:
        self._period = period_s
        self._due = -math.inf

    def __call__(self, now_s: float) -> bool:
        """Tell whether the frame at `now_s` is one of them."""
        half = 0.5 * self._period
        # A millionth of slack: stamps of 1/30 s do not add up exactly.
        if now_s < self._due - half - 1e-6 * self._period:
            return False
        late = now_s > self._due + half
        self._due = (now_s if late else self._due) + self._period
        return True


class ClipRing:
    """The frames of one camera from which its next clip is made, at most as many as a clip holds.

    sampling: `recent` gives the last frames (repeating some while there are few), `since_start`
    the first and the last, for encoders of two frames.
    """

    def __init__(self, encoder: FrameEncoder, sampling: Sampling) -> None:
        self._encoder = encoder
        self._crop = getattr(encoder, "crop", None)
        count = encoder.clip_frames
        if sampling == "since_start":
            require(
                count <= SINCE_START_FRAMES, "clip_frames",
                f"at most {SINCE_START_FRAMES} for clips since the start", count,
            )  # fmt: skip
        self._since_start = sampling == "since_start" and count == SINCE_START_FRAMES
        self._first: Image | None = None
        self._kept: deque[Image] = deque(maxlen=count)

    def push(self, image: Image) -> None:
        """Take the next frame; it is prepared for the encoder now and never again."""
        kept = image.copy() if self._crop is None else self._crop(image)
        if self._first is None:
            self._first = kept
        self._kept.append(kept)

    def clip(self) -> Image:
        """Return the present clip (clip_frames, H, W, 3); raises ContractError for mixed sizes."""
        kept = list(self._kept)
        if self._since_start and self._first is not None:
            kept = [self._first, kept[-1]]
        sizes = {image.shape for image in kept}
        require(len(sizes) == 1, "frames", "one size throughout a try", sorted(sizes))
        chosen = spread(0, len(kept) - 1, self._encoder.clip_frames)
        return np.stack([kept[index] for index in chosen])

    def vectors(self, clips: Image) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Return the encoder's vectors (B, dim) of clips that came from here."""
        if self._crop is None:
            return self._encoder.encode(clips)
        return self._encoder.encode_crops(clips)  # type: ignore[attr-defined, no-any-return]

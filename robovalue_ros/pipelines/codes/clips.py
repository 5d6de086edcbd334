"""A small film of a clip: a few stills, and a video that every browser plays."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.frames import Image
from robovalue_ros.data.stills import encode_jpeg
from robovalue_ros.data.video import VideoFrames, encode_video

SIDE, STILLS, QUALITY, CRF = 320, 4, 80, 28
# Enough to see what happens; more would only make the page heavy.
SHOWN_RATE = 15.0
UNKNOWN_RATE = 10.0


@dataclass(frozen=True, slots=True)
class Film:
    """frames: JPEGs, in time order. video: an MP4. seconds: of the whole clip."""

    frames: tuple[bytes, ...]
    video: Path
    seconds: float


def film_of(path: Path, target: Path, most_seconds: float) -> Film:
    """Write a small video of a clip's beginning and return it with its stills.

    Raises DataError when the clip is damaged.
    """
    source = VideoFrames(path)
    try:
        count = len(source)
        rate = _rate(source)
        step = max(1, round(rate / SHOWN_RATE))
        most = max(2, int(most_seconds * rate / step))
        frames = [_small(image) for image in islice(source.iterate(0, None, step), most)]
    finally:
        source.close()
    if not frames:
        raise DataError(path, "holds no frame", "at least one")
    encode_video(target, frames, rate / step, CRF, gop=25, pixel_format="yuv420p")
    places = np.linspace(0, len(frames) - 1, min(STILLS, len(frames))).round().astype(int)
    stills = tuple(encode_jpeg(frames[place], QUALITY) for place in places)
    return Film(stills, target, count / rate)


def _rate(source: VideoFrames) -> float:
    """Return frames per second, from the stamps; a video of one frame has none of its own."""
    stamps = source.index.stamps_ns()
    length = float(stamps[-1] - stamps[0]) / 1e9
    return (len(stamps) - 1) / length if len(stamps) > 1 and length > 0 else UNKNOWN_RATE


def _small(image: Image) -> Image:
    height, width = image.shape[:2]
    scale = SIDE / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return small

"""Films whose every point has a known way: a textured ground, and a disc that goes over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
HEIGHT, WIDTH = 96, 128


@dataclass(frozen=True)
class Film:
    """frames (T, H, W, 3). shift (T, 2): where the ground stands; place (T, 2): the disc's centre."""

    frames: Image
    shift: NDArray[np.float64]
    place: NDArray[np.float64]
    radius: int


def film(
    speeds: Sequence[float], *, seed: int = 0, camera: float = 0.0, noise: float = 1.0,
    size: tuple[int, int] = (HEIGHT, WIDTH),
) -> Film:  # fmt: skip
    """Film one frame per speed, the pixels by which the disc moves on; camera: those of the ground."""
    rng = np.random.default_rng(seed)
    height, width = size
    wide = (height + 64, width + 64 + int(abs(camera) * len(speeds)))
    ground = _texture(rng, *wide, 3.0)
    skin = _texture(rng, height, height, 2.0)
    radius = height // 5
    way = np.cumsum(np.asarray(speeds, float))
    turn = width - 2.0 * radius - 8.0  # to and fro
    along = radius + 4.0 + np.abs((way + turn) % (2.0 * turn) - turn)
    place = np.stack([along, np.full(len(way), height / 2.0)], axis=1)
    shift = np.stack([-camera * np.arange(len(way)), np.zeros(len(way))], axis=1)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    frames = np.empty((len(way), height, width, 3), np.uint8)
    for t in range(len(way)):
        ground_x, ground_y = columns - np.float32(shift[t, 0]) + 32, rows + 32
        image = cv2.remap(ground, ground_x, ground_y, cv2.INTER_LINEAR)
        dx, dy = columns - np.float32(place[t, 0]), rows - np.float32(place[t, 1])
        disc = cv2.remap(skin, dx + height / 2, dy + height / 2, cv2.INTER_LINEAR)
        image = np.where((dx * dx + dy * dy < radius**2)[..., None], disc, image)
        noisy = image + rng.normal(0.0, noise, image.shape)
        frames[t] = np.clip(np.rint(noisy), 0, 255)
    return Film(frames, shift, place, radius)


def write_film(path: Path, frames: Image, fps: int = 20) -> Path:
    """Encode frames without visible loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "12", "preset": "veryfast"}
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode())
    return path


def _texture(
    rng: np.random.Generator, height: int, width: int, grain: float
) -> NDArray[np.float32]:
    rough = rng.normal(0.0, 1.0, (height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(rough, (0, 0), grain)
    scaled: NDArray[np.float32] = 128.0 + 45.0 * smooth / smooth.std()
    return scaled.clip(0.0, 255.0).astype(np.float32)

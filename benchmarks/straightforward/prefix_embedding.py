"""Embed every prefix of an episode for itself: decode its frames, resize them, run the network."""

from __future__ import annotations

from pathlib import Path

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

from robovalue_ros.backends.encoders.vjepa2 import VJepa2Encoder
from robovalue_ros.contracts.frames import Image
from robovalue_ros.value.preprocess import resize_and_crop


def embed_prefixes(
    path: Path, camera: str, encoder: VJepa2Encoder, clips_NF: NDArray[np.int64], size: int
) -> NDArray[np.float32]:
    """Return (N, dim) for N clips of raw frame indices of one camera."""
    vectors = []
    with h5py.File(path) as file:
        rows = file[f"observations/images/{camera}"]
        for clip in clips_NF:
            frames = np.stack([_decoded(rows[index]) for index in clip])
            crops = resize_and_crop(frames.transpose(0, 3, 1, 2), size)
            ready = np.ascontiguousarray(crops.transpose(0, 2, 3, 1))
            vectors.append(encoder.encode_crops(ready[None])[0])
    return np.stack(vectors)


def _decoded(content: NDArray[np.uint8]) -> Image:
    image = cv2.imdecode(content, cv2.IMREAD_COLOR)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]

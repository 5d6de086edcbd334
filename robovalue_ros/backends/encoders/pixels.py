"""The weights-free encoder: the small network of a value model that was fitted on pixels.

A clip has two frames, the episode's first and the present one, because the network looks at a
picture against the beginning. A prefix sampled with two frames is exactly that pair.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robovalue_ros.backends.encoders.identity import encoder_id, weights_digest
from robovalue_ros.backends.encoders.preprocess import crop_clips, require_clips, require_crops
from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.validate import require
from robovalue_ros.value.one_thread import one_thread_products
from robovalue_ros.value.pixels.network import CAMERA_PARTS, HIDDEN, PixelNetwork
from robovalue_ros.value.pixels.shrink import SIDE, shrunk

CLIP_FRAMES = 2
UNIT = np.float32(1 / 255)
HIDDEN_PARTS = ("h1", "c1", "h2", "c2")


class ShrinkCrop:
    """The preparation of the pixels network: the whole picture averaged to SIDE x SIDE."""

    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    height = width = SIDE

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"crop": "area-average-uint8", "size": SIDE}

    def __call__(self, frame: Image) -> Image:
        return shrunk(frame)


class PixelsEncoder:
    """Clips of two frames of one camera to what the network makes of the second.

    That is its last hidden layer with all other cameras dark, which training has shown it. What
    tells progress is spread evenly there, so distances fall steadily on the way to the end; among
    the features of the picture itself most dimensions have nothing to do with the task.

    camera_index: which of the network's cameras the clips come from; each looks with weights of
    its own. Raises ContractError for a camera that the network does not have.
    """

    def __init__(self, network: PixelNetwork, camera_index: int) -> None:
        require(
            0 <= camera_index < len(network.cameras),
            "camera_index", f"a number in 0..{len(network.cameras) - 1}", camera_index,
        )  # fmt: skip
        self._network, self._index = network, camera_index
        self.crop = ShrinkCrop()

    @cached_property
    def encoder_id(self) -> str:
        """A label and a hash over the network's weights, the camera and the preparation."""
        names = [f"camera{self._index}.{name}" for name in CAMERA_PARTS]
        names += [f"head.{name}" for name in HIDDEN_PARTS]
        own = {name: torch.from_numpy(np.array(self._network.arrays[name])) for name in names}
        settings = {
            "network": "pixels", "camera": self.camera, "frames": CLIP_FRAMES, "layer": "hidden",
            **self.crop.settings,
        }  # fmt: skip
        name = hashlib.sha256(self.camera.encode()).hexdigest()[:6]
        return encoder_id(f"pixels-{name}-{SIDE}px", settings, weights_digest(own))

    @property
    def camera(self) -> str:
        return self._network.cameras[self._index]

    @property
    def dim(self) -> int:
        return HIDDEN

    @property
    def clip_frames(self) -> int:
        return CLIP_FRAMES

    def encode(self, clips: Image) -> NDArray[np.float32]:
        """Turn clips (B, 2, H, W, 3) uint8 RGB, the first and the present frame, into (B, dim)."""
        require_clips(clips, CLIP_FRAMES)
        return self.encode_crops(crop_clips(clips, self.crop))

    @one_thread_products()
    def encode_crops(self, crops: Image) -> NDArray[np.float32]:
        """Turn prepared clips (B, 2, SIDE, SIDE, 3) uint8 into (B, dim).

        One picture after the other: its working memory fits the processor's cache and that of
        several does not, which was measured to be slower. A first frame that follows itself is
        looked at once.
        """
        require_crops(crops, CLIP_FRAMES, self.crop)
        out = np.empty((len(crops), HIDDEN), np.float32)
        seen: list[NDArray[np.float32] | None] = [None] * len(self._network.cameras)
        begun: NDArray[np.float32] | None = None
        for row, (first, now) in enumerate(crops):
            if begun is None or not np.array_equal(first, crops[row - 1, 0]):
                begun = self._network.begin(self._index, first * UNIT)
            seen[self._index] = self._network.look(self._index, now * UNIT, begun)
            out[row] = self._network.answer(seen).hidden
        return out

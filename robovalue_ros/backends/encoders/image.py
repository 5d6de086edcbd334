"""Image networks as encoders of clips: features of each frame, averaged over the clip.

The unit of work is a frame, so a frame that many clips of one call share goes through the network
once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robovalue_ros.backends.checkpoints import Tensors
from robovalue_ros.backends.encoders.batching import Forward, run_batches, spread
from robovalue_ros.backends.encoders.config import RunConfig
from robovalue_ros.backends.encoders.devices import autocast, resolve_devices, resolve_precision
from robovalue_ros.backends.encoders.identity import encoder_id, weights_digest
from robovalue_ros.backends.encoders.packages import UNUSABLE
from robovalue_ros.backends.encoders.picture_crop import PictureCrop
from robovalue_ros.backends.encoders.preprocess import (
    crop_clips,
    frame_digest,
    require_clips,
    require_crops,
    scale_pixels,
)
from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.frames import Image

FRAMES_PER_GPU_PASS = 16


@dataclass(frozen=True)
class ImageModel:
    """A published image model that was found on disk and not yet loaded.

    settings: what changes its features besides weights and preparation. read: its tensors, for
    the id. load: the network, from pixels (N, 3, S, S) to features (N, dim).
    """

    name: str
    folder: Path
    dim: int
    crop: PictureCrop
    settings: Mapping[str, Any]
    read: Callable[[], Tensors]
    load: Callable[[], torch.nn.Module]


class ImageEncoder:
    """Clips of `clip_frames` frames to the mean of their frames' features."""

    def __init__(self, model: ImageModel, clip_frames: int, run: RunConfig) -> None:
        self._model = model
        self._clip_frames = clip_frames
        self._runner = FrameRunner(model, run)

    @cached_property
    def encoder_id(self) -> str:
        """A label and a hash over weights, network, preparation, frames, precision and pooling."""
        model, precision = self._model, self._runner.precision
        label = f"{model.name}-{model.dim}-{model.crop.height}px{self._clip_frames}f-{precision}"
        settings = {
            "network": model.name, **model.settings, **model.crop.settings,
            "frames": self._clip_frames, "precision": precision, "over frames": "mean",
        }  # fmt: skip
        return encoder_id(label, settings, weights_digest(model.read()))

    @property
    def dim(self) -> int:
        return self._model.dim

    @property
    def clip_frames(self) -> int:
        return self._clip_frames

    @property
    def crop(self) -> PictureCrop:
        """How one frame is prepared; for a `FrameBank`."""
        return self._model.crop

    def load(self) -> None:
        """Bring the network to its devices now instead of at the first clip."""
        _ = self._forwards

    def encode(self, clips: Image) -> NDArray[np.float32]:
        """Turn clips (B, T, H, W, 3) uint8 RGB into (B, dim); row i depends on clip i only."""
        require_clips(clips, self._clip_frames)
        return self.encode_crops(crop_clips(clips, self.crop))

    def encode_crops(self, crops: Image) -> NDArray[np.float32]:
        """Turn clips of prepared frames (B, T, S, S, 3) uint8 into (B, dim)."""
        require_crops(crops, self._clip_frames, self.crop)
        frames = crops.reshape(-1, *crops.shape[2:])
        numbers: dict[bytes, int] = {}
        places = [numbers.setdefault(frame_digest(frame), len(numbers)) for frame in frames]
        first = np.unique(np.asarray(places, np.int64), return_index=True)[1]
        features = self.encode_frames(frames[first])
        return self.pool(features[places].reshape(*crops.shape[:2], self.dim))

    def encode_frames(self, frames: Image) -> NDArray[np.float32]:
        """Turn prepared frames (N, S, S, 3) uint8 into features (N, dim), each for itself."""
        return self._runner.run(self._forwards, frames)

    def pool(self, features_BTD: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn the features of the frames of B clips into their vectors (B, dim)."""
        mean: NDArray[np.float64] = features_BTD.mean(axis=1, dtype=np.float64)
        return mean.astype(np.float32)

    @cached_property
    def _forwards(self) -> tuple[Forward, ...]:
        return self._runner.place(self._model.load())


class FrameRunner:
    """Runs an image network over prepared frames on the devices that were asked for."""

    def __init__(self, model: ImageModel, run: RunConfig) -> None:
        self._model, self._run = model, run
        self.devices = resolve_devices(run.devices)
        self.precision = resolve_precision(run, self.devices)
        on_gpu = self.devices[0].type == "cuda"
        self._batch = run.batch_size or (FRAMES_PER_GPU_PASS if on_gpu else 1)

    def place(self, network: torch.nn.Module) -> tuple[Forward, ...]:
        """Put the network on every device; raises DataError when it cannot run.

        One black frame goes through it first: settings that fit the weights and not each other
        show here, and not in the middle of a run.
        """
        crop, dim = self._model.crop, self._model.dim
        frame = torch.zeros(1, crop.height, crop.width, 3, dtype=torch.uint8)
        try:
            with torch.inference_mode():
                shape = tuple(network.eval()(scale_pixels(frame, crop)).shape)
        except UNUSABLE as problem:
            raise DataError(
                self._model.folder, f"does not run ({problem})", "settings that fit the weights"
            ) from problem
        if shape != (1, dim):
            raise DataError(self._model.folder, f"gives features of shape {shape}", f"(1, {dim})")
        return spread(network, self.devices, self._forward_on)

    def run(self, forwards: tuple[Forward, ...], frames: Image) -> NDArray[np.float32]:
        """Turn prepared frames (N, S, S, 3) into features (N, dim)."""
        return run_batches(forwards, frames, self._batch, self._model.dim)

    def _forward_on(self, device: torch.device, network: torch.nn.Module) -> Forward:
        ready: Any = torch.compile(network) if self._run.compile else network

        def forward(crops: torch.Tensor) -> torch.Tensor:
            pixels = scale_pixels(crops.to(device), self._model.crop)
            with autocast(device, self.precision):
                features: torch.Tensor = ready(pixels)
            return features

        return forward

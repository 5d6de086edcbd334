"""V-JEPA 2: the mean over all output tokens of a clip, after the final norm.

The network itself is that of transformers; only its encoder is built, the predictor never is.
Weights are mapped at construction and checked against the network's names and shapes; they reach a
device on the first clip, so that a run whose clips are all in the cache loads no network.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robovalue_ros.backends.checkpoints import check_names
from robovalue_ros.backends.encoders.batching import Forward, run_batches, spread
from robovalue_ros.backends.encoders.config import VJepa2EncoderConfig
from robovalue_ros.backends.encoders.devices import autocast, resolve_devices, resolve_precision
from robovalue_ros.backends.encoders.identity import encoder_id, weights_digest
from robovalue_ros.backends.encoders.packages import transformers_package
from robovalue_ros.backends.encoders.preprocess import (
    SquareCrop,
    crop_clips,
    require_clips,
    require_crops,
    scale_pixels,
)
from robovalue_ros.backends.encoders.vjepa2_weights import Architecture, read_vjepa2
from robovalue_ros.contracts.frames import Image


def build_vjepa2(config: VJepa2EncoderConfig) -> VJepa2Encoder:
    """Build the encoder that `config` describes; raises DataError, ConfigError, MissingExtra."""
    return VJepa2Encoder(config)


class VJepa2Encoder:
    """Clips of `clip_frames` frames to vectors of the network's width."""

    def __init__(self, config: VJepa2EncoderConfig) -> None:
        self._run = config.run
        self._devices = resolve_devices(config.run.devices)
        self._precision = resolve_precision(config.run, self._devices)
        # A clip has thousands of tokens, so one at a time fills a device.
        self._batch = config.run.batch_size or 1
        self._shape, self._tensors = read_vjepa2(
            config.weights, config.img_size, config.num_frames, config.heads
        )
        self._skeleton = build_network(self._shape)
        check_names(config.weights, self._tensors, self._skeleton.state_dict())
        self.crop = SquareCrop(self._shape.img_size)

    @cached_property
    def encoder_id(self) -> str:
        """A label and a hash over weights, shape, preparation, frames, precision and pooling."""
        shape = self._shape
        label = (
            f"vjepa2-{shape.width}x{shape.depth}-{shape.img_size}px{shape.num_frames}f"
            f"-{self._precision}"
        )
        settings = {
            "network": "vjepa2", **asdict(shape), **self.crop.settings,
            "precision": self._precision, "pooling": "mean",
        }  # fmt: skip
        return encoder_id(label, settings, weights_digest(self._tensors))

    @property
    def dim(self) -> int:
        return self._shape.width

    @property
    def clip_frames(self) -> int:
        return self._shape.num_frames

    @property
    def clips_per_pass(self) -> int:
        """How many clips fill every device once."""
        return self._batch * len(self._devices)

    def encode(self, clips: Image) -> NDArray[np.float32]:
        """Turn clips (B, T, H, W, 3) uint8 RGB into (B, dim); row i depends on clip i only."""
        require_clips(clips, self.clip_frames)
        return self.encode_crops(crop_clips(clips, self.crop))

    def encode_crops(self, crops: Image) -> NDArray[np.float32]:
        """Turn clips of prepared frames (B, T, S, S, 3) uint8 into (B, dim).

        The frames come from `crop`, for instance through a `FrameBank`; the result equals `encode`.
        """
        require_crops(crops, self.clip_frames, self.crop)
        return run_batches(self._forwards, crops, self._batch, self.dim)

    def load(self) -> None:
        """Bring the network to its devices now instead of at the first clip."""
        _ = self._forwards

    @cached_property
    def _forwards(self) -> tuple[Forward, ...]:
        network = self._skeleton
        network.load_state_dict({k: v.float() for k, v in self._tensors.items()}, assign=True)
        return spread(network, self._devices, self._forward_on)

    def _forward_on(self, device: torch.device, network: torch.nn.Module) -> Forward:
        ready: Any = torch.compile(network) if self._run.compile else network

        def forward(crops: torch.Tensor) -> torch.Tensor:
            pixels = scale_pixels(crops.to(device), self.crop)
            with autocast(device, self._precision):
                tokens: torch.Tensor = ready(pixels).last_hidden_state
            return tokens.float().mean(dim=1)

        return forward


def build_network(shape: Architecture) -> torch.nn.Module:
    """Build the encoder without memory for its weights; raises MissingExtra."""
    transformers = transformers_package("the V-JEPA 2 encoder")
    config = transformers.VJEPA2Config(
        patch_size=shape.patch, crop_size=shape.img_size, frames_per_clip=shape.num_frames,
        tubelet_size=shape.tubelet, hidden_size=shape.width, num_attention_heads=shape.heads,
        num_hidden_layers=shape.depth, mlp_ratio=shape.mlp_ratio, layer_norm_eps=shape.norm_eps,
        attn_implementation="sdpa",
    )  # fmt: skip
    with torch.device("meta"):
        encoder: torch.nn.Module = transformers.VJEPA2Model(config).encoder
    return encoder

"""Encoders that can be built again in another process, each on its share of the devices."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from robovalue_ros.backends.encoders.registry import ENCODERS
from robovalue_ros.contracts.ports import FrameEncoder
from robovalue_ros.pipelines.embedding.options import usable_cores


class EncoderSource(Protocol):
    """Builds the encoders of a run; travels to other processes, so it pickles."""

    def shares(self) -> int:
        """Return how many processes this machine has work for."""
        ...

    def build(self, share: int, shares: int) -> Mapping[str, FrameEncoder]:
        """Return the encoders by camera, for process `share` of `shares`."""
        ...


@dataclass(frozen=True)
class EncoderRecipe:
    """One encoder of `backends.encoders` for all cameras.

    name: as in `backends.encoders.registry`. config: its configuration.
    """

    name: str
    config: Any
    cameras: tuple[str, ...]

    def shares(self) -> int:
        import torch

        from robovalue_ros.backends.encoders.devices import resolve_devices

        devices = resolve_devices(self.config.run.devices)
        if devices[0].type == "cuda":
            return len(devices)
        # Every process computes with as many threads as this one, or sums would round differently.
        return max(1, usable_cores() // torch.get_num_threads())

    def build(self, share: int = 0, shares: int = 1) -> Mapping[str, FrameEncoder]:
        from robovalue_ros.backends.encoders.devices import resolve_devices

        config = self.config
        if shares > 1:
            names = [str(device) for device in resolve_devices(config.run.devices)]
            run = dataclasses.replace(config.run, devices=share_of(names, share, shares))
            config = dataclasses.replace(config, run=run)
        module, function = ENCODERS[self.name].split(":")
        encoder: FrameEncoder = getattr(import_module(module), function)(config)
        return dict.fromkeys(self.cameras, encoder)


def share_of(devices: Sequence[str], share: int, shares: int) -> tuple[str, ...]:
    """Return the devices of one process; processes beyond the number of devices share them."""
    return tuple(devices[share::shares]) or (devices[share % len(devices)],)

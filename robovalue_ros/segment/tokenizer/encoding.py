"""Tokens of one window after another, as a stream asks for them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from robovalue_ros.contracts.validate import describe, require
from robovalue_ros.segment.tokenizer.config import TokenizerConfig
from robovalue_ros.segment.tokenizer.network import MotionTokenizer

Floats = NDArray[np.float32]
HALF = {"fp16": torch.float16, "bf16": torch.bfloat16}


class MotionCodes(NamedTuple):
    """Tokens of a window, float32: before and after rounding (d, D), and their codes (d,) int64."""

    prequant: Floats
    quantized: Floats
    codes: NDArray[np.int64]


class TokenizerEncoder:
    """A trained tokenizer at work: the `WindowEncoder` that a stream asks.

    On a CPU a window gives the same bytes alone and among others: windows go through one at a time
    there, which costs nothing at this size. On a GPU they go together, in half precision if asked.
    """

    def __init__(
        self, network: MotionTokenizer, device: str = "cpu", precision: str = "fp32"
    ) -> None:
        """precision: fp32, or fp16 or bf16 on a GPU."""
        require(precision in ("fp32", *HALF), "precision", f"fp32, {', '.join(HALF)}", precision)
        self._device = torch.device(device)
        require(
            precision == "fp32" or self._device.type != "cpu", "precision",
            "fp32 on a CPU, which is exact and no slower there", precision,
        )  # fmt: skip
        self._half = HALF.get(precision)
        self._network = network.to(self._device).eval().requires_grad_(False)

    @property
    def config(self) -> TokenizerConfig:
        return self._network.config

    def encode(self, velocity: Floats) -> MotionCodes:
        """Return the tokens of one window; raises ContractError for a shape it was not made for."""
        return self.encode_many(np.asarray(velocity)[None])[0]

    def encode_many(self, velocities: Floats) -> list[MotionCodes]:
        """Return the tokens of several windows (b, T-1, N, 2) or (b, V, T-1, N, 2)."""
        given = np.ascontiguousarray(velocities, np.float32)
        require(given.ndim in (4, 5), "velocities", "4 axes, or 5 with cameras", describe(given))
        batch = torch.from_numpy(given if given.ndim == 5 else given[:, None])
        if self._device.type != "cpu":
            return self._together(batch)
        return [codes for at in range(len(batch)) for codes in self._together(batch[at : at + 1])]

    def _together(self, batch: torch.Tensor) -> list[MotionCodes]:
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, self._half, enabled=self._half is not None),
        ):
            encoded = self._network.encode(batch.to(self._device))
        tokens = [encoded.prequant.float().cpu().numpy(), encoded.quantized.float().cpu().numpy()]
        codes = encoded.codes.cpu().numpy().astype(np.int64)
        return [MotionCodes(*parts) for parts in zip(*tokens, codes, strict=True)]

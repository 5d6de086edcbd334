"""Training of the motion tokenizer: what it is asked, and what is told about its code book."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from robovalue_ros.backends.motion_tokenizer import KIND
from robovalue_ros.contracts.config import to_mapping
from robovalue_ros.contracts.types import Finding
from robovalue_ros.segment.tokenizer.classes import displacement_classes
from robovalue_ros.segment.tokenizer.config import LossConfig
from robovalue_ros.segment.tokenizer.losses import crowding, displacement_loss, over_views
from robovalue_ros.segment.tokenizer.metrics import usage
from robovalue_ros.segment.tokenizer.motion_errors import motion_errors
from robovalue_ros.segment.tokenizer.network import MotionTokenizer
from robovalue_ros.training.collapse import CodeBook, collapse_finding, moving_percent
from robovalue_ros.training.task import Measured, Span, Task

CODES = "codes"


class TokenizerTask(Task):
    """Tell each point's displacement from the codes of its window."""

    kind = KIND
    # What makes codes of a motion: with it as it is, codes keep their meaning.
    strong_freeze = r"encoder\..*|quantize\.project_in\..*"

    def __init__(self, network: MotionTokenizer, loss: LossConfig, lr: float) -> None:
        """lr: only for the advice that a warning gives."""
        super().__init__()
        self.network = network
        self._tokenizer, self._loss, self._lr = network, loss, lr

    def forward(self, batch: Tensor) -> Measured:
        """batch: normalised positions (b, V, T, N, 2) as (row, column)."""
        config = self._tokenizer.config
        velocity = batch[:, :, 1:] - batch[:, :, :-1]
        encoded = self._tokenizer.encode(velocity)
        asked = self._asked()
        scores = self._tokenizer.decode(encoded.quantized, asked)
        if asked is not None:
            batch, velocity = batch[..., asked, :], velocity[..., asked, :]
        classes = displacement_classes(batch, config.img_shape, config.classes_per_axis)
        wrong = over_views(displacement_loss(scores, classes, self._loss), self._loss.view_weights)
        loss, means = wrong, {"relative_loss": wrong}
        if self._loss.diversity:
            crowded = crowding(encoded.low, self._tokenizer.quantize.levels)
            loss = loss + self._loss.diversity * crowded
            means["crowding"] = crowded
        with torch.no_grad():
            told = self._tokenizer.displacements(scores)
            means |= motion_errors(told, velocity, config.img_shape)
            counts = torch.bincount(encoded.codes.flatten(), minlength=config.true_size)
        return Measured(loss, means, {CODES: counts})

    def _asked(self) -> Tensor | None:
        """Draw the points that a step of training asks for; None for all."""
        count, points = self._loss.loss_points, self._tokenizer.config.num_tracks
        if not self.training or not count or count >= points:
            return None
        return torch.randperm(points)[:count].to(self._tokenizer.quantize.levels.device)

    def about(self) -> Mapping[str, Any]:
        return {"config": to_mapping(self._tokenizer.config), "loss": to_mapping(self._loss)}

    def summary(self, counts: Mapping[str, Tensor], span: Span) -> Mapping[str, float]:
        """Return the numbers of the code book under the names that logs have always had."""
        told = usage(counts[CODES].cpu().numpy())
        book = {name: told[name] for name in ("codebook_perplexity", "codebook_perplexity_norm")}
        if span == "step":
            return {
                **book, "perplexity_step": told["codebook_perplexity"],
                "unique_codes_step": told["unique_codes"], "entropy_step": told["entropy"],
                "entropy_norm_step": told["entropy_norm"],
                "effective_codebook_size_seen": told["unique_codes"],
            }  # fmt: skip
        return {
            **book, "unique_codes_epoch": told["unique_codes"],
            "dead_codes_count_epoch": told["dead_codes_count"],
            "dead_code_ratio_epoch": told["dead_code_ratio"], "entropy_norm": told["entropy_norm"],
            "tokens": float(counts[CODES].sum()),
        }  # fmt: skip

    def warnings(
        self, span: Span, told: Mapping[str, float], step: int, memory: dict[str, float]
    ) -> Sequence[Finding]:
        if span == "epoch":  # its perplexity mixes networks and says less than a step's
            return ()
        # As many tokens as the normalised perplexity was divided by.
        perplexity = told["train_codebook_perplexity"]
        possible = perplexity / max(1e-9, told["train_codebook_perplexity_norm"])
        config = self._tokenizer.config
        book = CodeBook(
            config.true_size, config.codebook_size, round(possible), self._lr, self._loss.diversity
        )
        found = collapse_finding(perplexity, moving_percent(told), book, step, memory)
        return () if found is None else (found,)

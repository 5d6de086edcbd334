"""The options of any training; importable without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from robovalue_ros.contracts.config import option, to_mapping

ScheduleKind = Literal["cosine", "constant", "rsqrt"]
Precision = Literal["auto", "fp32", "fp16", "bf16"]
Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class LoopConfig:
    """How any network here is trained."""

    epochs: int = option(100, "times that every sample is seen", low=1)
    num_train_steps: int | None = option(None, "steps of the whole run, instead of epochs", low=1)
    batch_size: int = option(32, "samples of one step", low=1)
    micro_batch: int = option(
        32, "samples that go through the network together; gradients of a step are averaged", low=1
    )
    lr: float = option(1e-4, "learning rate", low=0.0, high=10.0)
    weight_decay: float = option(0.0, "pull of weights towards zero", low=0.0)
    lr_schedule: ScheduleKind = option(
        "cosine",
        "cosine: down to a hundredth, or to decay_lr; constant; rsqrt: with the square root",
    )
    warm_up: float = option(0.1, "share of all steps in which the rate rises", low=0.0, high=0.9)
    warmup_steps: int | None = option(None, "steps in which it rises, instead of a share", low=0)
    decay_steps: int | None = option(
        None, "cosine: step at which the lowest rate is reached; none: the last", low=1
    )
    decay_lr: float | None = option(
        None, "cosine: lowest rate; none: a hundredth of lr", low=0.0, high=10.0
    )
    timescale: float | None = option(
        None, "rsqrt: steps after which the rate begins to fall clearly; none: 10000", low=1
    )
    clip_grad: float = option(0.0, "longest gradient; 0: any", low=0.0)
    precision: Precision = option("auto", "auto: bf16 or fp16 on a GPU, fp32 on a CPU")
    device: Device = option("auto", "auto: a GPU where there is one")
    samples_per_epoch: int = option(0, "use only so many samples an epoch; 0: all", low=0)
    patience: int = option(0, "stop after so many epochs without a better loss; 0: never", low=0)
    min_delta: float = option(0.0, "what counts as better", low=0.0)
    save_interval: int = option(25, "keep the weights of every so many epochs; 0: none", low=0)
    log_interval: int = option(10, "steps between two lines of the log", low=1)
    workers: int = option(
        0, "processes that read samples", low=0, high=64, aliases=("--num-workers",)
    )
    tensorboard: bool = option(False, "write for TensorBoard too")
    wandb: str | None = option(None, "send numbers to this project of Weights & Biases too")


# These may differ where a run goes on: no number depends on them.
FREE = ("device", "save_interval", "log_interval", "workers", "tensorboard", "wandb")
# Runs that do not use these are described as before they were there, and so go on.
LATER = ("num_train_steps", "warmup_steps", "decay_steps", "decay_lr", "timescale")


def loop_settings(config: LoopConfig) -> dict[str, Any]:
    """Return the options of a loop as a run records them."""
    return {
        name: value
        for name, value in to_mapping(config).items()
        if name not in LATER or value is not None
    }

"""Where a network is trained: device, precision and processes, through accelerate.

Several processes take part when they were started together, by `torchrun` or `accelerate launch`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import torch

from robovalue_ros.contracts.errors import ConfigError, MissingExtra
from robovalue_ros.training.options import Device, Precision
from robovalue_ros.training.task import Samples

_MODES = {"fp32": "no", "fp16": "fp16", "bf16": "bf16"}
_AMPERE = 8


def open_accelerator(device: Device, precision: Precision) -> Any:
    """Return an `accelerate.Accelerator`; raises ConfigError, MissingExtra."""
    try:
        accelerate = import_module("accelerate")
        state = import_module("accelerate.state")
    except ModuleNotFoundError as problem:
        raise MissingExtra("accelerate", "train", "training") from problem
    on_cpu = device == "cpu" or not torch.cuda.is_available()
    if device == "cuda" and on_cpu:
        raise ConfigError("device is cuda, and there is no GPU", hint="Use --device cpu or auto.")
    mode = chosen_precision(precision, on_cpu)
    # The library keeps one state per process and refuses another precision after a first training.
    state.AcceleratorState._reset_state()
    # Masks are the same everywhere: nothing to send around at every step.
    handlers = [accelerate.DistributedDataParallelKwargs(broadcast_buffers=False)]
    return accelerate.Accelerator(
        cpu=on_cpu, mixed_precision=_MODES[mode], kwargs_handlers=handlers
    )


def chosen_precision(precision: Precision, on_cpu: bool) -> str:
    """Return fp32, fp16 or bf16; raises ConfigError for fp16 on a CPU."""
    if precision == "auto":
        if on_cpu:
            return "fp32"
        return "bf16" if torch.cuda.get_device_capability()[0] >= _AMPERE else "fp16"
    if precision == "fp16" and on_cpu:
        raise ConfigError("precision is fp16 on a CPU", "fp32 or bf16 there")
    return precision


def is_first_process() -> bool:
    """Tell whether this process is the one that speaks and writes."""
    return os.environ.get("RANK", "0") in ("", "0")


def on_device(device: torch.device, batch: Any) -> Any:
    """Return a batch of tensors, alone or in a mapping or tuple, on a device."""
    if isinstance(batch, torch.Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, Mapping):
        return {name: on_device(device, part) for name, part in batch.items()}
    if isinstance(batch, tuple):
        return tuple(on_device(device, part) for part in batch)
    return batch


def load_batches(
    samples: Samples,
    batches: Sequence[Any],
    collate: Callable[[list[Any]], Any],
    workers: int,
    device: torch.device,
) -> Iterator[Any]:
    """Yield batches of samples, each named by the numbers in it; workers: processes that read."""
    from torch.utils.data import DataLoader

    source: Any = samples
    loader: DataLoader[Any] = DataLoader(
        source, batch_sampler=[batch.tolist() for batch in batches], collate_fn=collate,
        num_workers=workers, generator=torch.Generator(),
        multiprocessing_context="spawn" if workers else None, pin_memory=device.type == "cuda",
    )  # fmt: skip
    return iter(loader)


@contextmanager
def own_randomness(device: torch.device) -> Iterator[None]:
    """Leave the global random state as it was: layers know no other, so each batch seeds it."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield

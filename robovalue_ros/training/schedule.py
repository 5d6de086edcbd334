"""How fast to learn, and in which order: functions of where training is, without memory."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.training.options import ScheduleKind

FIRST, LAST = 0.01, 0.01  # shares of the full rate at the very beginning and end


def rate_share(kind: ScheduleKind, done: float, warm_up: float) -> float:
    """Return the share of the full learning rate when a share `done` of all steps is behind.

    A straight rise during the share `warm_up`, then the full rate, or half a cosine down.
    """
    if done < warm_up:
        return FIRST + (1.0 - FIRST) * done / warm_up
    if kind == "constant":
        return 1.0
    through = min(1.0, (done - warm_up) / max(1e-12, 1.0 - warm_up))
    return LAST + (1.0 - LAST) * (0.5 + 0.5 * math.cos(math.pi * through))


class MicroBatch(NamedTuple):
    """Samples that go through the network together. share: of its step's samples. seed: of chance."""

    samples: NDArray[np.int64]
    share: float
    seed: int


Step = tuple[MicroBatch, ...]


def epoch_steps(
    samples: int, batch_size: int, micro_batch: int, root: int, epoch: int, limit: int = 0
) -> list[Step]:
    """Return the steps of an epoch: which samples, in an order that depends on `root` and `epoch`.

    Every sample is used once, also where the last step is left with fewer. limit: use only so many
    samples; 0: all. All processes get the same steps and take turns with their micro-batches, so
    a step means the same whatever their number.
    """
    rng = np.random.default_rng([root, epoch])
    order = rng.permutation(samples)[: limit or samples]
    return steps_of(order, batch_size, micro_batch, rng)


def steps_of(
    order: NDArray[np.int64], batch_size: int, micro_batch: int, rng: np.random.Generator
) -> list[Step]:
    """Cut an order of samples into steps and their micro-batches, whose seeds `rng` draws."""
    small = min(micro_batch, batch_size)
    steps: list[Step] = []
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        steps.append(
            tuple(
                MicroBatch(
                    chosen[at : at + small],
                    len(chosen[at : at + small]) / len(chosen),
                    int(rng.integers(2**62)),
                )
                for at in range(0, len(chosen), small)
            )
        )
    return steps


def even_batches(samples: int, size: int, limit: int = 0) -> list[NDArray[np.int64]]:
    """Return batches of the samples in order, at most `limit` samples spread evenly; 0: all."""
    chosen = np.arange(samples)
    if limit and limit < samples:
        chosen = np.linspace(0, samples - 1, limit).round().astype(np.int64)
    return [chosen[start : start + size] for start in range(0, len(chosen), size)]

"""Trainings small enough for tests."""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from moving_points import HEIGHT, WIDTH, pushes

from robovalue_ros.contracts.progress import Tick
from robovalue_ros.segment.tokenizer.config import LossConfig, TokenizerConfig
from robovalue_ros.segment.tokenizer.network import MotionTokenizer, new_tokenizer
from robovalue_ros.training.interruption import Interruption
from robovalue_ros.training.logger import LOG_FILE, read_log
from robovalue_ros.training.loop import TrainingResult, train
from robovalue_ros.training.options import LoopConfig
from robovalue_ros.training.task import TrainingData
from robovalue_ros.training.tokenizer import TokenizerTask

SHAPE = TokenizerConfig(
    num_tracks=16, hidden_dim=16, num_heads=2, codebook_size=64, img_shape=(HEIGHT, WIDTH)
)
LOOP = LoopConfig(epochs=2, batch_size=8, micro_batch=3, lr=1e-3, log_interval=1, device="cpu")


class StopsAfter:
    """A progress that asks for an end after so many steps, and says nothing."""

    def __init__(self, steps: int, interruption: Interruption) -> None:
        self._left, self._interruption = steps, interruption

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Tick]:
        yield self._tick if name.startswith("epoch") else lambda _: None

    def _tick(self, count: int) -> None:
        self._left -= count
        if self._left == 0:
            self._interruption.ask()

    def say(self, text: str) -> None:
        pass


def network(**other: Any) -> MotionTokenizer:
    shape = dataclasses.replace(SHAPE, **other)
    return new_tokenizer(shape, torch.Generator().manual_seed(3))


def learn(
    folder: Path,
    loop: LoopConfig = LOOP,
    *,
    model: MotionTokenizer | None = None,
    loss: LossConfig = LossConfig(loss_points=5),  # noqa: B008 - frozen
    samples: int = 21,
    held_out: int = 4,
    stop_after: int = 0,
    **further: Any,
) -> TrainingResult:
    """Train on pushes; stop_after: as if a signal came after so many steps."""
    points = torch.from_numpy(pushes(samples + held_out, np.random.default_rng(1)))
    data = TrainingData(
        list(points[:samples]), list(points[samples:]) if held_out else None, torch.stack
    )
    task = TokenizerTask(network() if model is None else model, loss, loop.lr)
    interruption = Interruption()
    if stop_after:
        further["progress"] = StopsAfter(stop_after, interruption)
    return train(
        task, data, loop, folder, rng=np.random.default_rng(7), settings={},
        interruption=interruption, **further,
    )  # fmt: skip


def numbers(folder: Path) -> list[dict[str, Any]]:
    """Return what a log tells of steps and epochs, without times."""
    return [
        {name: value for name, value in event.items() if name != "seconds"}
        for event in read_log(folder / LOG_FILE)
        if event["kind"] in ("step", "epoch")
    ]


def in_two_processes(command: list[str], timeout: float) -> list[str]:
    """Run a command as both ranks of a group over gloo; returns what each said."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {**os.environ, "OMP_NUM_THREADS": "1", "WORLD_SIZE": "2", "MASTER_PORT": str(port),
              "MASTER_ADDR": "127.0.0.1"}  # fmt: skip
    processes = [
        subprocess.Popen(
            command, env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    said = [process.communicate(timeout=timeout)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    return said

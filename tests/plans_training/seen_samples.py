"""Data sets whose samples say which they are, and what chance their process has."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset


class Numbers(Dataset[Any]):
    """Sample i is {"row": i, "nested": {"half": i / 2}}."""

    fps = 20

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> Any:
        return {"row": np.int64(row), "nested": {"half": np.array([row / 2])}}


class Dice(Dataset[Any]):
    """Every sample is three throws: of Python, numpy and torch."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, row: int) -> list[int]:
        return [
            random.randrange(10**6),
            int(np.random.randint(10**6)),
            int(torch.randint(10**6, ())),
        ]


def rows_to_tensor(samples: list[Any]) -> dict[str, torch.Tensor]:
    """Return a batch that accelerate can put on a device."""
    return {"row": torch.tensor([int(sample["row"]) for sample in samples])}

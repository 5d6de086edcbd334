"""Sums over batches, steps and epochs, across processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from robovalue_ros.training.task import Measured

LOSS = "loss"


class Tally:
    """Adds up what batches show, weighted by their samples."""

    def __init__(self) -> None:
        self.samples = 0
        self._sums: dict[str, Tensor] = {}
        self.counts: dict[str, Tensor] = {}

    def add(self, measured: Measured, samples: int) -> None:
        """Add a batch; one of no samples only says which numbers there are."""
        self.samples += samples
        for name, value in {LOSS: measured.loss, **measured.means}.items():
            exact = value.detach().double()
            # Not a product with zero, which would keep what is no number.
            self._plus(self._sums, name, exact * samples if samples else torch.zeros_like(exact))
        for name, value in measured.counts.items():
            count = value.detach().to(torch.int64)
            self._plus(self.counts, name, count if samples else torch.zeros_like(count))

    def merge(self, other: Tally) -> None:
        """Add what another one has added up."""
        self.samples += other.samples
        for name, value in other._sums.items():
            self._plus(self._sums, name, value)
        for name, value in other.counts.items():
            self._plus(self.counts, name, value)

    def means(self) -> dict[str, float]:
        """Return the mean over samples of each number."""
        return {name: float(value) / max(1, self.samples) for name, value in self._sums.items()}

    def over_processes(self, accelerator: Any) -> Tally:
        """Return the tally of all processes together; each of them asks at the same time."""
        if accelerator.num_processes == 1:
            return self
        whole = Tally()
        device = accelerator.device
        names = sorted(self._sums)
        row = [torch.tensor(self.samples, dtype=torch.float64, device=device)]
        row += [self._sums[name].to(device) for name in names]
        total = accelerator.reduce(torch.stack(row), "sum")
        whole.samples = int(total[0])
        whole._sums = dict(zip(names, total[1:], strict=True))
        whole.counts = {
            name: accelerator.reduce(self.counts[name].to(device), "sum")
            for name in sorted(self.counts)
        }
        return whole

    def stored(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return plain values and tensors that `restored` takes back, exactly."""
        sums = {name: float(value) for name, value in self._sums.items()}
        return {"samples": self.samples, "sums": sums}, dict(self.counts)

    @classmethod
    def restored(cls, stored: Mapping[str, Any], counts: Mapping[str, Tensor]) -> Tally:
        tally = cls()
        tally.samples = int(stored["samples"])
        tally._sums = {
            name: torch.tensor(value, dtype=torch.float64) for name, value in stored["sums"].items()
        }
        tally.counts = dict(counts)
        return tally

    @staticmethod
    def _plus(sums: dict[str, Tensor], name: str, value: Tensor) -> None:
        known = sums.get(name)
        sums[name] = value.clone() if known is None else known.to(value.device) + value

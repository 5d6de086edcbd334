"""What a training loop is given: a module that says how wrong it is, samples, and options."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from torch import Tensor, nn

from robovalue_ros.contracts.types import Finding

Span = Literal["step", "epoch"]


class Measured(NamedTuple):
    """What a batch shows. loss, means: means over its samples. counts: sums, whole numbers."""

    loss: Tensor
    means: Mapping[str, Tensor]
    counts: Mapping[str, Tensor]


class Task(nn.Module, ABC):
    """A network and its loss. kind: names its checkpoints. strong_freeze: the paths of the weights,
    as an expression, that stay as they are with freeze_mode strong; None: there are no such."""

    kind: str
    network: nn.Module
    strong_freeze: str | None = None

    @abstractmethod
    def forward(self, batch: Any) -> Measured:
        """Say how wrong the network is about a batch."""

    @abstractmethod
    def about(self) -> Mapping[str, Any]:
        """Return plain values that rebuild the network; they go into every checkpoint."""

    def summary(self, counts: Mapping[str, Tensor], span: Span) -> Mapping[str, float]:
        """Return what counts over a step or an epoch tell."""
        return {}

    def warnings(
        self, span: Span, told: Mapping[str, float], step: int, memory: dict[str, float]
    ) -> Sequence[Finding]:
        """Return what is wrong with a training that told these numbers after `step` steps.

        memory: kept from one call to the next, also where a run is resumed. A finding of a subject
        that was told before is not told again.
        """
        return ()


class Samples(Protocol):
    """Samples by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...


@dataclass(frozen=True)
class TrainingData:
    """Samples to learn from and, where there are any, to judge by. collate: samples to a batch."""

    train: Samples
    validation: Samples | None
    collate: Callable[[list[Any]], Any]

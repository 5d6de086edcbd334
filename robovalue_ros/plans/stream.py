"""The endless order in which samples are drawn: pass after pass, from one generator of its own.

The generator goes on from pass to pass, so a pass is named by its number and by the state the
generator had before it. Any pass can be drawn again; the states of the latest ones are kept,
because workers fetch ahead of what training has seen.
"""

from __future__ import annotations

import base64
import hashlib
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.contracts.types import Array
from robovalue_ros.plans.errors import PlanError
from robovalue_ros.plans.ragged import Ints

KEPT_STATES = 256
CATEGORIES = 1 << 24  # what torch.multinomial can tell apart
SEEDS = (-(2**63), 2**64 - 1)


class SampleStream(ABC):
    """An endless stream of sample numbers in passes of `samples` draws."""

    kind: str

    def __init__(self, samples: int, seed: int) -> None:
        if not SEEDS[0] <= seed <= SEEDS[1]:
            raise ConfigError(f"the sampler's seed is {seed}", "a number of 64 bits")
        self.samples, self.seed = samples, seed
        self._first = torch.Generator().manual_seed(seed).get_state()
        self._states: OrderedDict[int, Tensor] = OrderedDict()
        self._latest: tuple[int, Ints] | None = None

    def draws(self, number: int) -> Ints:
        """Return the sample numbers (samples,) of a pass."""
        if self._latest is None or self._latest[0] != number:
            generator = torch.Generator()
            generator.set_state(self.state_before(number))
            self._latest = number, self._pass(generator)
            self._keep(number + 1, generator.get_state())
        return self._latest[1]

    def state_before(self, number: int) -> Tensor:
        """Return the generator's state before a pass; draws what lies before it where it must."""
        known = self._states.get(number)
        if known is not None:
            return known
        near = max((have for have in self._states if have < number), default=0)
        state = self._states.get(near, self._first)
        generator = torch.Generator()
        generator.set_state(state)
        for before in range(near, number):
            self._pass(generator)
            self._keep(before + 1, generator.get_state())
        return generator.get_state()

    def describe(self) -> dict[str, Any]:
        """Return plain values that name this stream: equal ones draw the same."""
        return {"kind": self.kind, "samples": self.samples, "seed": self.seed}

    def stored(self, number: int) -> dict[str, Any]:
        """Return plain values from which an equal stream can go on at a pass without delay."""
        state = self.state_before(number).numpy().tobytes()
        return {"stream": self.describe(), "generator": base64.b64encode(state).decode("ascii")}

    def restore(self, number: int, stored: Mapping[str, Any]) -> None:
        """Take up where `stored` was; raises ConfigError when it is of another stream."""
        told, mine = stored.get("stream"), self.describe()
        if told != mine:
            raise ConfigError(
                f"the stored sampler is {_differing(told, mine)}", f"{_differing(mine, told)}",
                "Go on with the plan, seed and replacement that the run began with.",
            )  # fmt: skip
        text = stored.get("generator")
        try:
            state = torch.frombuffer(
                bytearray(base64.b64decode(str(text), validate=True)), dtype=torch.uint8
            )
            torch.Generator().set_state(state)
        except (ValueError, RuntimeError, TypeError) as problem:
            raise ConfigError(
                "the stored sampler has no usable generator", "the state that was stored"
            ) from problem
        self._latest = None
        self._keep(number, state)

    def _keep(self, number: int, state: Tensor) -> None:
        self._states[number] = state
        self._states.move_to_end(number)
        if len(self._states) > KEPT_STATES:
            self._states.popitem(last=False)

    @abstractmethod
    def _pass(self, generator: torch.Generator) -> Ints:
        """Draw one pass."""


class WeightedStream(SampleStream):
    """Draws by weights (N,): the numbers of torch's WeightedRandomSampler with that generator.

    Without replacement a pass is a weighted permutation; samples of weight 0 come last.
    """

    kind = "weighted"

    def __init__(self, weights: Array, *, seed: int, replacement: bool = True) -> None:
        given = np.array(weights, np.float64)
        if given.ndim != 1 or len(given) == 0:
            raise PlanError("Plan has zero anchors.")
        if not np.isfinite(given).all():
            raise PlanError("weights contain non-finite values.")
        if (given < 0).any():
            raise PlanError("weights must be non-negative.")
        if not given.any():
            raise PlanError("weights are all zero.")
        self.replacement = replacement
        self._weights = torch.from_numpy(given)
        self._digest = hashlib.sha256(given.astype("<f8").tobytes()).hexdigest()
        super().__init__(len(given), seed)

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "replacement": self.replacement, "weights": self._digest}

    def _pass(self, generator: torch.Generator) -> Ints:
        draw = torch.multinomial if self.samples <= CATEGORIES else draw_many
        drawn = draw(self._weights, self.samples, self.replacement, generator=generator)
        return _numbers(drawn)


class ShuffledStream(SampleStream):
    """All samples in a new order each pass: what a loader with `shuffle=True` and a seed gives.

    That is, a loader whose workers stay from pass to pass, which draws their seed first. After
    each permutation torch draws one more that it does not use.
    """

    kind = "shuffled"

    def __init__(self, samples: int, *, seed: int) -> None:
        if samples < 1:
            raise PlanError("No samples to draw from.")
        super().__init__(samples, seed)
        generator = torch.Generator().manual_seed(seed)
        worker_base(generator)
        self._first = generator.get_state()

    def _pass(self, generator: torch.Generator) -> Ints:
        order = torch.randperm(self.samples, generator=generator)
        torch.randperm(self.samples, generator=generator)
        return _numbers(order)


def draw_many(
    weights: Tensor, count: int, replacement: bool, *, generator: torch.Generator
) -> Tensor:
    """Draw from more samples than torch.multinomial takes; by the same law, with other numbers."""
    if replacement:
        ends = torch.cumsum(weights, 0)
        places = torch.rand(count, dtype=torch.float64, generator=generator) * ends[-1]
        found = torch.searchsorted(ends, places, right=True)
        last = int(torch.nonzero(weights)[-1])
        return found.clamp_(max=last)  # where a place rounds up to the end
    waits = torch.empty(len(weights), dtype=torch.float64).exponential_(generator=generator)
    return torch.argsort(waits / weights, stable=True)[:count]


def worker_base(generator: torch.Generator) -> int:
    """Draw the seed that a loader's workers count theirs from."""
    return int(torch.empty((), dtype=torch.int64).random_(generator=generator).item())


def _numbers(drawn: Tensor) -> Ints:
    found: Ints = drawn.numpy().astype(np.int64, copy=False)
    found.flags.writeable = False
    return found


def _differing(one: Any, other: Any) -> str:
    if not isinstance(one, Mapping):
        return repr(one)
    against = other if isinstance(other, Mapping) else {}
    parts = [f"{key} {value}" for key, value in one.items() if against.get(key) != value]
    return ", ".join(parts) or "the same and more"

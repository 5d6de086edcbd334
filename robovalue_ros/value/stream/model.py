"""A fitted value model: plain arrays and numbers, nothing that runs code when it is read."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.contracts.validate import require
from robovalue_ros.value.pixels.network import PixelNetwork
from robovalue_ros.value.stream.arrays import Arrays, digest, take, take_numbers, take_texts
from robovalue_ros.value.stream.match_kind import MatchKnowledge
from robovalue_ros.value.stream.pixel_kind import PixelKnowledge

VERSION = 1
PIXELS, MATCHING = "pixels", "matching"
_RULES = "rules"
_KINDS: dict[str, type[PixelKnowledge] | type[MatchKnowledge]] = {
    PIXELS: PixelKnowledge,
    MATCHING: MatchKnowledge,
}


@dataclass(frozen=True, slots=True)
class Rules:
    """Numbers learned from the demonstrations, or chosen, that turn answers into samples.

    top: raw progress at the end of a demonstration. still: largest change of the coarse picture,
    grey levels, that is no movement. done_above: logit from which the task looks done. The others
    are those of FitOptions.
    """

    top: float
    still: float
    done_above: float
    smooth_s: float
    stall_s: float
    fall: float
    dwell_s: float

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            require(bool(np.isfinite(value)), item.name, "a finite number", value)
        if self.top <= 0.2:
            raise ContractError(
                "top", "more than 0.2 at the end of demonstrations", f"{self.top:.3f}",
                "Nothing was learned: are they successes of one task, and are there enough steps?",
            )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class ValueModel:
    """What `ValueStream` needs: what the demonstrations looked like, and rules.

    The kind `pixels` brings its own network; the kind `matching` needs the encoders with which it
    was fitted.
    """

    knowledge: PixelKnowledge | MatchKnowledge
    rules: Rules
    id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", digest(self.to_arrays()))

    @property
    def kind(self) -> str:
        return PIXELS if isinstance(self.knowledge, PixelKnowledge) else MATCHING

    @property
    def cameras(self) -> tuple[str, ...]:
        return self.knowledge.cameras

    @property
    def network(self) -> PixelNetwork | None:
        """The network of the kind `pixels`, which can serve as an encoder too."""
        return self.knowledge.network if isinstance(self.knowledge, PixelKnowledge) else None

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return everything as named arrays that `np.savez` can write and no pickle is needed."""
        arrays: dict[str, NDArray[np.generic]] = {
            "version": np.array(VERSION, np.int64),
            "kind": np.array(self.kind),
            "cameras": np.array(self.cameras),
            _RULES: np.array([getattr(self.rules, item.name) for item in fields(Rules)]),
        }
        return arrays | self.knowledge.to_arrays()

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> ValueModel:
        """Build a model from what `to_arrays` gave.

        Raises ContractError for a foreign version or kind, missing arrays or wrong shapes.
        """
        version = int(take(arrays, "version", "iu"))
        require(version == VERSION, "version", f"a value model of version {VERSION}", version)
        kind = str(take(arrays, "kind", "U"))
        require(kind in _KINDS, "kind", f"one of {', '.join(_KINDS)}", kind)
        cameras = take_texts(arrays, "cameras")
        rules = take_numbers(arrays, _RULES, tuple(item.name for item in fields(Rules)))
        return cls(_KINDS[kind].from_arrays(cameras, arrays), Rules(**rules))

"""The kind `pixels`: a network made of the demonstrations answers every frame on its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.validate import require
from robovalue_ros.value.pixels.network import Floats, PixelNetwork, network_shapes
from robovalue_ros.value.pixels.novelty import NoveltyBank
from robovalue_ros.value.stream.arrays import Arrays, take
from robovalue_ros.value.stream.core import Answer, Encoders

_NETWORK = "network."
_BANK = "bank"


@dataclass(frozen=True, slots=True, eq=False)
class PixelKnowledge:
    """A network, and per camera what its demonstrations looked like."""

    network: PixelNetwork
    banks: tuple[NoveltyBank, ...]

    def __post_init__(self) -> None:
        require(
            len(self.banks) == len(self.network.cameras), "banks", "one per camera", len(self.banks)
        )

    @property
    def cameras(self) -> tuple[str, ...]:
        return self.network.cameras

    def core(self, encoders: Encoders | None = None) -> PixelCore:
        """Return what follows one try; encoders are not needed."""
        return PixelCore(self)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return everything but the cameras' names."""
        arrays: dict[str, NDArray[np.generic]] = {
            _NETWORK + name: value for name, value in self.network.arrays.items()
        }
        for index, bank in enumerate(self.banks):
            for item in fields(NoveltyBank):
                arrays[f"{_BANK}{index}.{item.name}"] = np.asarray(getattr(bank, item.name))
        return arrays

    @classmethod
    def from_arrays(cls, cameras: tuple[str, ...], arrays: Arrays) -> PixelKnowledge:
        """Build it from what `to_arrays` gave; raises ContractError."""
        weights = {name: take(arrays, _NETWORK + name, "f") for name in network_shapes(cameras)}
        banks = []
        for index in range(len(cameras)):
            parts = {
                item.name: take(arrays, f"{_BANK}{index}.{item.name}", "f")
                for item in fields(NoveltyBank)
            }
            limit = float(parts.pop("limit"))
            banks.append(NoveltyBank(**parts, limit=limit))  # type: ignore[arg-type]
        return cls(PixelNetwork(cameras, weights), tuple(banks))


class PixelCore:
    """Compares each picture with the first of the try."""

    def __init__(self, knowledge: PixelKnowledge) -> None:
        self._network, self._banks = knowledge.network, knowledge.banks
        self.reset()

    def reset(self) -> None:
        self._begun: dict[int, Floats] = {}
        self._features: list[Floats | None] = []

    def look(
        self, now_s: float, images: Mapping[int, Image], pictures: Mapping[int, Floats]
    ) -> None:
        features: list[Floats | None] = [None] * len(self._banks)
        for index, picture in pictures.items():
            if index not in self._begun:
                self._begun[index] = self._network.begin(index, picture)
            features[index] = self._network.look(index, picture, self._begun[index])
        self._features = features

    def answer(self) -> Answer:
        answer = self._network.answer(self._features)
        unknown = any(
            part is not None and bank.novelty(part) > 1.0
            for part, bank in zip(self._features, self._banks, strict=True)
        )
        return Answer(answer.raw, answer.done, unknown)

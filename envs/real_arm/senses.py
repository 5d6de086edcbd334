"""The newest of every sensor, each with its stamp, as an observation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.ports import ArmReading
from robovalue_ros.contracts.types import Array
from robovalue_ros.contracts.validate import describe, require

STATE = "state"
Observation = dict[str, NDArray[Any]]


class Senses:
    """Keeps the last usable part of every reading: a lost camera shows its last picture.

    measured_D: the newest positions as they came, NaN and all.
    """

    def __init__(self, size: int, cameras: Mapping[str, tuple[int, int]]) -> None:
        self._size = size
        self._cameras = {name: (int(high), int(wide), 3) for name, (high, wide) in cameras.items()}
        self.forget()

    def forget(self) -> None:
        """Start without anything heard."""
        self.measured_D: Array | None = None
        self.measured_ns = 0
        self._state: NDArray[np.float32] | None = None
        self._images: dict[str, Image] = {}
        self._stamps_ns: dict[str, int] = {}

    @property
    def space(self) -> spaces.Dict:
        """The space of observations; a robot may be measured anywhere, so the state is unbounded."""
        seen: dict[str, spaces.Space[Any]] = {
            STATE: spaces.Box(-np.inf, np.inf, (self._size,), np.float32)
        }
        seen |= {name: spaces.Box(0, 255, shape, np.uint8) for name, shape in self._cameras.items()}
        return spaces.Dict(seen)

    @property
    def missing(self) -> tuple[str, ...]:
        """The sensors that were never heard."""
        return tuple(name for name in (STATE, *self._cameras) if name not in self._stamps_ns)

    @property
    def stamps_ns(self) -> dict[str, int]:
        """The stamp of each part of the observation."""
        return dict(self._stamps_ns)

    def take(self, reading: ArmReading) -> None:
        """Take in a reading; raises ContractError for what was not promised."""
        if reading.state is not None:
            require(
                np.shape(reading.state) == (self._size,),
                "the measured state", f"{self._size} numbers", describe(reading.state),
            )  # fmt: skip
            self.measured_D, self.measured_ns = np.array(reading.state), int(reading.state_ns)
            if np.isfinite(self.measured_D).all():
                self._state = self.measured_D.astype(np.float32)
                self._stamps_ns[STATE] = self.measured_ns
        for name, shape in self._cameras.items():
            if name not in reading.images:
                continue
            image = reading.images[name]
            require(
                image.shape == shape and image.dtype == np.uint8,
                f"the picture of {name}", f"a uint8 array of shape {shape}", describe(image),
            )  # fmt: skip
            self._images[name] = image
            self._stamps_ns[name] = int(reading.images_ns[name])

    def observation(self) -> Observation:
        """Return a copy of everything; call only when nothing is missing."""
        require(self._state is not None, STATE, "a measurement", self._state)
        seen: Observation = {STATE: np.array(self._state)}
        return seen | {name: self._images[name].copy() for name in self._cameras}

"""What the two kinds of value model have in common: how a stream asks them about a frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.ports import FrameEncoder

Encoders = Mapping[str, FrameEncoder]
"""Camera name -> what looks at its clips."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one look gives. raw: progress, not yet in 0..1. done: a logit, how done it looks."""

    raw: float
    done: float
    unknown: bool


class Core(Protocol):
    """Follows one try. First `look`, which takes the time of a network, then `answer`."""

    def reset(self) -> None:
        """Forget everything seen."""
        ...

    def look(
        self,
        now_s: float,
        images: Mapping[int, Image],
        pictures: Mapping[int, NDArray[np.float32]],
    ) -> None:
        """Take the frames of at least one camera, by index.

        now_s: time since the first frame. images: as they came. pictures: made small by `shrink`.
        """
        ...

    def answer(self) -> Answer | None:
        """Return what the last look gave, or None when there was nothing to look at yet."""
        ...

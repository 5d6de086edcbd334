"""Which part of a demonstration brings which thing: what is done stays done, what is left stays left.

A task that brings several things is a row of parts, each from the moment when the thing before has
come to rest until its own thing has. Were one thing left behind, exactly its part would be missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.value.pixels.things import Thing


@dataclass(frozen=True, slots=True)
class Part:
    """Progress at which a thing's part begins, at which the thing is taken, and at which it rests.

    later: other things are brought after it.
    """

    begun: float
    taken: float
    done: float
    later: bool

    @property
    def share(self) -> float:
        return self.done - self.begun


def part_of(thing: Thing, things: Sequence[Thing], labels: NDArray[np.float64]) -> Part:
    """Return the part of one of the `things` of a demonstration with progress labels (T,).

    Only things with a colour of their own say where parts begin and end; of the others it is not
    known where they went.
    """
    known = [other for other in things if other.path is not None and other is not thing]
    before = [other.settled for other in known if other.settled <= thing.taken]
    later = thing.path is not None and any(other.taken >= thing.settled for other in known)
    # The last part ends with the demonstration: withdrawing belongs to it.
    done = float(labels[thing.settled]) if later else 1.0
    return Part(
        float(labels[max(before)]) if before else 0.0, float(labels[thing.taken]), done, later
    )

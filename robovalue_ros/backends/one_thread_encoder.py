"""A tokenizer at work on one thread of a CPU.

Products as small as a window's make threads wait for each other: beside other work, two take ten times
as long as one. It also gives the same bytes on every machine.
"""

from __future__ import annotations

from robovalue_ros.segment.tokenizer.encoding import MotionCodes, TokenizerEncoder
from robovalue_ros.segment.tracking import Floats
from robovalue_ros.value.one_thread import one_thread


class OneThreadEncoder:
    """A `WindowEncoder` around another."""

    def __init__(self, encoder: TokenizerEncoder) -> None:
        self._encoder = encoder

    def encode(self, velocity: Floats) -> MotionCodes:
        """Return the tokens of one window; raises ContractError for a shape it was not made for."""
        with one_thread():
            return self._encoder.encode(velocity)

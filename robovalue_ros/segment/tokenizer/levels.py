"""The code books of finite scalar quantisation: a nominal size and its levels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from robovalue_ros.contracts.errors import ConfigError

# By the whole part of the size's binary logarithm.
_LEVELS: dict[int, tuple[int, ...]] = {
    4: (5, 3),
    6: (8, 8),
    8: (8, 6, 5),
    9: (8, 8, 8),
    10: (8, 5, 5, 5),
    11: (8, 8, 6, 5),
    12: (7, 5, 5, 5, 5),
}
SIZES = tuple(2**power for power in _LEVELS)


def fsq_levels(size: int) -> tuple[int, ...]:
    """Return the levels of a code book of nominal `size`; 3000 is as good as 2048.

    Raises ConfigError for a size that no code book has.
    """
    power = size.bit_length() - 1
    if size < 1 or power not in _LEVELS:
        raise ConfigError(
            f"codebook_size is {size}", f"one of {', '.join(map(str, SIZES))}",
            "The number of codes that there really are is told beside it: 2048 has 1920.",
        )  # fmt: skip
    return _LEVELS[power]


def true_size(levels: Sequence[int]) -> int:
    """Return how many codes these levels make."""
    return math.prod(levels)

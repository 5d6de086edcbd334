"""What may be chosen when a value model of the kind `matching` is fitted."""

from __future__ import annotations

from dataclasses import dataclass

from robovalue_ros.contracts.config import option


@dataclass(frozen=True)
class MatchOptions:
    """How clips are matched; for encoders with weights."""

    segments: int = option(
        50, "parts of a demonstration, at most as many as there are looks at one", low=4, high=1000
    )
    stride_s: float = option(
        0.2, "seconds from one look of a live stream to the next", low=0.001, high=60.0
    )
    jump: float = option(
        0.02, "chance per look that the task is suddenly somewhere else", low=0.0, high=0.5
    )

"""Where in the task a try is, followed from one look to the next without knowing the end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.validate import require

Beliefs = NDArray[np.float64]

MOST_STEPS = 32  # after that many without a look a belief has spread as far as it will


def transitions(segments: int, radius: int, jump: float) -> Beliefs:
    """Return (N, N) chances of moving from one segment to another in one step.

    As likely back as forth, everywhere: a filter that leans forward is a clock that also looks.
    The matrix is symmetric, so the belief of one who sees nothing becomes even and stays so.
    jump: share of steps that lead anywhere, since things fall and people intervene.
    """
    require(segments > 0, "segments", "at least one", segments)
    require(radius >= 0, "radius", "a number >= 0", radius)
    require(0.0 <= jump <= 1.0, "jump", "a share in 0..1", jump)
    away = np.abs(np.subtract.outer(np.arange(segments), np.arange(segments)))
    near = np.where((away <= radius) & (away > 0), 1.0 / (2 * radius + 1), 0.0)
    near[np.diag_indices(segments)] = 1.0 - near.sum(axis=1)
    even: Beliefs = (1.0 - jump) * near + jump / segments
    return even


class SegmentFilter:
    """A belief (N,) over segments: the forward half of a hidden Markov model.

    begin: the belief before the first look.
    """

    def __init__(self, moves_NN: Beliefs, begin_N: Beliefs) -> None:
        self._moves, self._begin = moves_NN, begin_N
        self.reset()

    def reset(self) -> None:
        """Start over."""
        self.belief_N = self._begin.copy()
        self._looked = False

    def push(self, log_likelihood_N: Beliefs, steps: int = 1) -> Beliefs:
        """Take what a look says about each segment, `steps` after the last; return the belief."""
        if self._looked:
            for _ in range(min(max(steps, 0), MOST_STEPS)):
                self.belief_N = self._moves @ self.belief_N
        self._looked = True
        weight = np.exp(log_likelihood_N - log_likelihood_N.max())
        belief = self.belief_N * weight
        self.belief_N = belief / belief.sum()
        return self.belief_N


def starting_belief(segments: int, share: float = 0.2) -> Beliefs:
    """Return (N,): `share` on the first segment, the rest even, as a try may begin anywhere."""
    belief = np.full(segments, (1.0 - share) / segments)
    belief[0] += share
    return belief

"""How often a sample is drawn: balance of stages, events near by, what its window gains."""

from __future__ import annotations

import numpy as np

from robovalue_ros.contracts.types import Array
from robovalue_ros.plans.options import PlanOptions
from robovalue_ros.plans.ragged import Floats, Ints

TINY = 1e-12


def stage_balance(stages: Ints, options: PlanOptions) -> Floats:
    """Return weights (N,) that even out the stages (N,): 1 over how many samples a stage has.

    inv_freq takes a power of that. Empty stages take nothing away from the others.
    """
    power = options.inv_freq_power if options.stage_balance == "inv_freq" else 1.0
    counts = np.bincount(stages).astype(np.float64)
    found: Floats = 1.0 / counts[stages] ** power
    return found


def clipped(weights: Floats, ratio: float) -> Floats:
    """Return weights (N,) at most `ratio` times above or below their median, 1 where that is 0."""
    middle = float(np.median(weights))
    middle = middle if middle > 0 else 1.0
    return np.clip(weights, middle / ratio, middle * ratio)


def mixed(weights: Floats, share: float) -> Floats:
    """Return weights (N,) of which `share` is replaced by their mean."""
    if share <= 0:
        return weights
    return (1.0 - share) * weights + share * float(weights.mean())


def value_weights(gains: Array, floor: float) -> Floats:
    """Return weights (N,) in 0..1 for what windows gain in value, (N,).

    1 above `floor`, 0 for a loss. Between, the gain's place from two deviations below the mean of
    all gains to two above.
    """
    gains = np.asarray(gains, np.float64)
    low = gains.mean() - 2.0 * gains.std()
    place = np.clip((gains - low) / (4.0 * gains.std() + TINY), 0.0, 1.0)
    return np.where(gains > floor, 1.0, np.where(gains < 0.0, 0.0, place))


def advantage_weights(advantages: Array, temperature: float, limit: float) -> Floats:
    """Return e to the advantage (N,), in deviations over the temperature, at most `limit`."""
    advantages = np.asarray(advantages, np.float64)
    centred = (advantages - advantages.mean()) / (advantages.std() + TINY)
    weights: Floats = np.exp(np.minimum(centred / temperature, np.log(limit)))
    return weights


def sample_weights(stages: Ints, events: Floats, samples: Floats, options: PlanOptions) -> Floats:
    """Return the weight (N,) of each sample, not scaled to any sum.

    stages (N,); events (N,): weight near events, from 1 on; samples (N,): by value or advantage,
    1 where not asked for. Only what stands beside the balance of stages is clipped and mixed with
    its mean, so that stages stay balanced however rare one is. With compat, the product is clipped
    and mixed, which undoes the balance of stages that differ by more than the ratio.
    """
    balance = stage_balance(stages, options)
    if options.compatible:
        product = balance * events * samples
        return mixed(clipped(product, options.clip_ratio), options.epsilon_mix)
    beside = clipped(events, options.clip_ratio) * samples
    return balance * mixed(beside, options.epsilon_mix)

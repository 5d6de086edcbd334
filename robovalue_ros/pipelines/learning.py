"""Fitting a pixels model with a bar that begins when the demonstrations are read."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack

import numpy as np

from robovalue_ros.contracts.progress import Progress, Tick
from robovalue_ros.value.stream.fitting import Given, fit_value_model
from robovalue_ros.value.stream.model import ValueModel
from robovalue_ros.value.stream.options import FitOptions

SHARES = 1000


def learn_pixels(
    demonstrations: Iterable[Given],
    options: FitOptions,
    rng: np.random.Generator,
    progress: Progress,
) -> ValueModel:
    """Return a model of demonstrations; raises what `fit_value_model` raises."""
    with ExitStack() as stack:
        told = 0
        tick: Tick | None = None

        def hear(share: float) -> None:
            nonlocal told, tick
            if tick is None:  # only now are all demonstrations read
                tick = stack.enter_context(progress.stage("learning", SHARES))
            reached = int(share * SHARES)
            tick(reached - told)
            told = reached

        return fit_value_model(demonstrations, options, rng, hear)

"""What the training configurations that people name by a word say about windows and batches."""

from __future__ import annotations

from dataclasses import dataclass

from robovalue_ros.contracts.errors import ConfigError, nearest

DEFAULT_SETUP = "pi0_base_aloha_robotwin_lora"


@dataclass(frozen=True, slots=True)
class TrainSetup:
    """action_horizon: frames of an action window, H. batch_size: samples of a batch, B."""

    action_horizon: int
    batch_size: int


TRAIN_SETUPS = {DEFAULT_SETUP: TrainSetup(50, 32)}


def train_setup(
    name: str, action_horizon: int | None = None, batch_size: int | None = None
) -> TrainSetup:
    """Return the setup of a training configuration; what is given counts more than the table.

    Raises ConfigError for a name that the table lacks, unless both numbers are given.
    """
    known = TRAIN_SETUPS.get(name)
    horizon = action_horizon or (known.action_horizon if known else None)
    batch = batch_size or (known.batch_size if known else None)
    if horizon is None or batch is None:
        raise ConfigError(
            f"unknown training configuration {name!r}",
            "--action-horizon and --batch-size of it, or a known one", nearest(name, TRAIN_SETUPS),
        )  # fmt: skip
    return TrainSetup(horizon, batch)

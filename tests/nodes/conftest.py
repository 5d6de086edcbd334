"""Real nodes over real DDS, each test process in a world of its own; a value model for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import ros_world
from toy_robot import STEP_NS, play

from robovalue_ros.data.value_store.value_model import write_value_model
from robovalue_ros.value.stream.fitting import fit_value_model
from robovalue_ros.value.stream.model import ValueModel
from robovalue_ros.value.stream.options import FitOptions


@pytest.fixture(scope="session", autouse=True)
def _isolated() -> None:
    ros_world.isolate()


@pytest.fixture
def world() -> Iterator[ros_world.World]:
    """Nodes live in here; afterwards no thread and no shared memory may be left."""
    with ros_world.leaves_nothing():
        made = ros_world.World()
        try:
            yield made
        finally:
            made.close()


@pytest.fixture(scope="session")
def model() -> ValueModel:
    """A model that took seconds to make, of the cameras cam_high and cam_left_wrist."""
    given = [(play(seed), np.arange(24, dtype=np.int64) * STEP_NS) for seed in range(3)]
    return fit_value_model(given, FitOptions(steps=40, batch=8), np.random.default_rng(0))


@pytest.fixture(scope="session")
def model_file(model: ValueModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "toy.npz"
    write_value_model(path, model, {"task": "cross the table"})
    return path

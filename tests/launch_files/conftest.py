"""Launch files run in processes of their own, in a ROS world of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import ros_world
from toy_robot import STEP_NS, play

from robovalue_ros.data.value_store.value_model import write_value_model
from robovalue_ros.value.stream.fitting import fit_value_model
from robovalue_ros.value.stream.options import FitOptions


@pytest.fixture(scope="session", autouse=True)
def _isolated() -> None:
    ros_world.isolate()


@pytest.fixture(scope="session")
def toy_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A value model of the cameras cam_high and cam_left_wrist that took seconds to make."""
    given = [(play(seed), np.arange(24, dtype=np.int64) * STEP_NS) for seed in range(3)]
    model = fit_value_model(given, FitOptions(steps=10, batch=8), np.random.default_rng(0))
    path = tmp_path_factory.mktemp("model") / "toy.npz"
    write_value_model(path, model, {"task": "cross the table"})
    return path

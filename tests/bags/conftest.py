"""A value model of the toy task that took seconds, in memory and as a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toy_bags import STEP_NS, toy_pictures

from robovalue_ros.data.value_store.value_model import write_value_model
from robovalue_ros.value.stream.fitting import fit_value_model
from robovalue_ros.value.stream.model import ValueModel
from robovalue_ros.value.stream.options import FitOptions


@pytest.fixture(scope="session")
def model() -> ValueModel:
    stamps = np.arange(24, dtype=np.int64) * STEP_NS
    given = [(toy_pictures(seed), stamps) for seed in range(3)]
    return fit_value_model(given, FitOptions(steps=40, batch=8), np.random.default_rng(0))


@pytest.fixture(scope="session")
def model_file(model: ValueModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "toy.npz"
    write_value_model(path, model, {"task": "cross the table"})
    return path

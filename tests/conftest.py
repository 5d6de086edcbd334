"""What every test needs."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--thorough", action="store_true",
        help="fuzz, kill and fill memory as often and as long as `make hardening` does",
    )  # fmt: skip


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Whether a test that repeats a hard case should do so hundreds of times, or some."""
    return bool(request.config.getoption("--thorough"))


def pytest_configure(config: pytest.Config) -> None:
    """Hide GPUs from the suite, and give every process of it one thread.

    Its numbers are those of the CPU; `pytest -m gpu` sees GPUs. Several processes with several threads
    each wait for one another most of the time.
    """
    if config.option.markexpr != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only `make hardening` has the time for: twins of cases that always run."""
    if config.getoption("--thorough"):
        return
    left = [item for item in items if item.get_closest_marker("at_length") is None]
    if len(left) < len(items):
        config.hook.pytest_deselected(items=sorted(set(items) - set(left), key=items.index))
        items[:] = left


USUAL = os.sched_getscheduler(0), os.sched_getparam(0)


@pytest.fixture(autouse=True)
def _usual_priority() -> Iterator[None]:
    """Undo what the AV1 encoder does: run as root it makes its caller a real-time thread for good.

    Everything that this process starts afterwards would push other tests aside.
    """
    yield
    if os.sched_getscheduler(0) != USUAL[0]:
        os.sched_setscheduler(0, *USUAL)

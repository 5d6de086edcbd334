"""Real nodes over real DDS, each test process in a world of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import ros_world


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

"""Data sets in three formats with the same numbers, and commands run as a user does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from plan_sets import NAME, Places, Shell, as_hdf5, as_v21, as_v30, demonstrations


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """A folder with homes of LeRobot data sets, v3.0 and v2.1, and one of HDF5 files."""
    root = tmp_path_factory.mktemp("plan_sets")
    episodes = demonstrations()
    return Places(
        v30=as_v30(root / "home30" / NAME, episodes),
        v21=as_v21(root / "home21" / NAME, episodes),
        hdf5=as_hdf5(root / "work" / NAME, episodes),
    )


@pytest.fixture
def shell(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Shell:  # fmt: skip
    """A shell in an empty folder, with the v3.0 data set where LeRobot looks for it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_LEROBOT_HOME", str(places.v30.parent))
    monkeypatch.setenv("COLUMNS", "160")
    return Shell(tmp_path, capsys)

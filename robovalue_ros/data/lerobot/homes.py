"""Where a LeRobotDataset lies that somebody names as trainers do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.lerobot.naming import INFO_PATH

# The first of these that is set is where LeRobot keeps data sets; the last two hold a folder of it.
HOMES = (("HF_LEROBOT_HOME", ""), ("LEROBOT_HOME", ""), ("HF_HOME", "lerobot"),
         ("XDG_CACHE_HOME", "huggingface/lerobot"))  # fmt: skip
DEFAULT_HOME = "~/.cache/huggingface/lerobot"


def find_data_set(repo_id: str, environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder or file of a data set: a path, or a name below LeRobot's folder.

    Raises DataError naming the places that were looked at.
    """
    if not repo_id.strip():
        raise DataError("repo_id", "is empty", "a path, or the name of a data set")
    path = Path(repo_id).expanduser()
    if path.exists():
        return path
    home = lerobot_home(environment)
    name = PurePosixPath(repo_id)
    if not name.is_absolute() and ".." not in name.parts:
        for place in (home / name, *_snapshots(home, repo_id)):
            if (place / INFO_PATH).is_file():
                return place
    raise DataError(
        repo_id, "no such data set", f"a path, or the name of a data set below {home}",
        "HF_LEROBOT_HOME names another folder of data sets.",
    )  # fmt: skip


def lerobot_home(environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder in which LeRobot keeps its data sets."""
    told = os.environ if environment is None else environment
    for variable, below in HOMES:
        if told.get(variable):
            return Path(told[variable]).expanduser() / below
    return Path(DEFAULT_HOME).expanduser()


def _snapshots(home: Path, repo_id: str) -> list[Path]:
    """Return what the hub's cache holds of a data set, the one it calls newest first."""
    folder = home / "hub" / f"datasets--{repo_id.replace('/', '--')}"
    found = sorted((folder / "snapshots").glob("*"), reverse=True)
    try:
        newest = (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        newest = ""
    return sorted(found, key=lambda place: place.name != newest)

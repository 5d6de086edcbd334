"""Where the two files of a plan lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from robovalue_ros.contracts.errors import RobovalueError
from robovalue_ros.plans.errors import PlanError

META, ARRAYS = "plan_meta.json", "plan_arrays.npz"


class PlanNotFound(RobovalueError, FileNotFoundError):
    """A file of a plan that is not there; the text is the one that plan tools have always given."""


@dataclass(frozen=True, slots=True)
class PlanPlaces:
    """The document of a plan and its arrays."""

    meta: Path
    arrays: Path


def plan_places(path: Path) -> PlanPlaces:
    """Return the files of a plan, named by its folder, its document or its arrays.

    Raises PlanError for anything else, PlanNotFound where one of both is missing.
    """
    places = _places(path)
    for what, file in (("meta", places.meta), ("arrays", places.arrays)):
        if not file.is_file():
            raise PlanNotFound(f"Plan {what} not found: {file}")
    return places


def _places(path: Path) -> PlanPlaces:
    if path.is_dir():
        return PlanPlaces(path / META, path / ARRAYS)
    if path.suffix == ".json":
        return PlanPlaces(path, path.parent / ARRAYS)
    if path.name == ARRAYS:
        return PlanPlaces(path.parent / META, path)
    raise PlanError(f"Unsupported plan path: {path}")

"""Which checkpoint an evaluation means by an id: a step, the latest, or a name."""

from __future__ import annotations

from collections.abc import Iterable

from robovalue_ros.contracts.errors import RobovalueError, nearest
from robovalue_ros.plans.options import Compat

LATEST = ("-1", "latest", "max")


class NoCheckpoint(RobovalueError, FileNotFoundError):
    """A checkpoint that is not there; the text is the one that evaluation has always given."""


def checkpoint_folder(config: str, model: str) -> str:
    """Return where the checkpoints of a model lie, below the folder an evaluation runs in."""
    return f"policy/pi0/checkpoints/{config}/{model}"


def checkpoint_id(
    value: int | str | None, existing: Iterable[str], where: str, compat: Compat = "off"
) -> str | None:
    """Return the name of the checkpoint that is meant; None stays None.

    existing: names of folders in `where`. Names of digits are steps; -1, latest and max mean the
    largest of them. Anything else must exist, except with compat, where it is taken as it is.
    """
    if value is None:
        return None
    names, wanted = list(existing), str(value)
    if wanted.lower() in LATEST:
        steps = [name for name in names if _is_step(name)]
        if not steps:
            raise NoCheckpoint(f"No numeric checkpoint dirs found under: {where}")
        return max(steps, key=int)
    if compat != "reference" and wanted not in names:
        raise NoCheckpoint(
            f"there is no checkpoint {wanted!r} under {where}",
            "a step, latest, or the name of a folder there", nearest(wanted, names),
        )  # fmt: skip
    return wanted


def _is_step(name: str) -> bool:
    return name.isascii() and name.isdecimal()

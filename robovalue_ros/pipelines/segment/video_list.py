"""Which videos lie below a folder, and what pieces and tracks of them are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.media.listing import VIDEO_SUFFIXES

TEMPORARY = ".tmp-"


def files_below(root: Path, suffixes: Sequence[str]) -> list[Path]:
    """Return the visible files with these suffixes below a folder, sorted; a file is itself.

    Raises DataError when there is none.
    """
    if root.is_file():
        return [root]
    found = [
        path for path in sorted(root.rglob("*"))
        if path.suffix.lower() in suffixes and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
    ]  # fmt: skip
    if not found:
        reason = "holds no such files" if root.is_dir() else "does not exist"
        raise DataError(root, reason, f"files ending in {', '.join(suffixes)}")
    return found


def videos_below(root: Path) -> dict[str, Path]:
    """Return the videos below a folder by their path in it without suffix, sorted.

    Where two would share the name both keep their suffix. Raises DataError when there is none.
    """
    files = files_below(root, VIDEO_SUFFIXES)
    paths = [Path(path.name) if root.is_file() else path.relative_to(root) for path in files]
    plain = Counter(path.with_suffix("").as_posix() for path in paths)
    return {
        (path if plain[path.with_suffix("").as_posix()] > 1 else path.with_suffix("")).as_posix(): file
        for path, file in zip(paths, files, strict=True)
    }  # fmt: skip

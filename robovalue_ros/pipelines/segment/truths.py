"""Marked segments of videos, by the names of their files."""

from __future__ import annotations

from pathlib import Path

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.segment_files import CLIPS_FOLDER, SEGMENTS_SUFFIX

NOISY = ("_segments_noisy.json", "_noisy_segments.json")


def true_files(folder: Path) -> dict[str, Path]:
    """Return the marked segments of every video, `<name>_segments.json`, by name.

    Noisy ones stand in where there are no others. Raises DataError when there is none.
    """
    found: dict[str, Path] = {}
    for suffix in (*reversed(NOISY), SEGMENTS_SUFFIX):  # later ones win
        for path in sorted(folder.glob(f"*{suffix}")):
            noisy = suffix == SEGMENTS_SUFFIX and path.name.endswith(NOISY)
            if not noisy and not path.name.startswith("."):
                found[path.name.removesuffix(suffix)] = path
    if not found:
        reason = "holds no marked segments" if folder.is_dir() else "is no folder"
        raise DataError(folder, reason, f"files NAME{SEGMENTS_SUFFIX}")
    return dict(sorted(found.items()))


def found_file(root: Path, name: str) -> Path | None:
    """Return the list of segments that was made of a video, None where there is none.

    It lies in `<name>/segmented_videos` below the root, or with one folder between. Names count
    whole: `cup` never takes the file of `cup_2`. Raises DataError where several fit.
    """
    file = f"{CLIPS_FOLDER}/{name}{SEGMENTS_SUFFIX}"
    direct = root / name / file
    if direct.is_file():
        return direct
    folders = (
        [folder for folder in sorted(root.iterdir()) if folder.is_dir()] if root.is_dir() else []
    )
    deeper = [folder / name / file for folder in folders]
    if (root / name).is_dir():
        deeper += [folder / file for folder in sorted((root / name).iterdir()) if folder.is_dir()]
    there = [path for path in deeper if path.is_file()]
    if len(there) > 1:
        raise DataError(root, f"{name} was cut more than once: {there[0]}, {there[1]}", "one list")
    return there[0] if there else None

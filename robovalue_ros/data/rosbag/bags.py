"""Which bags does a path hold, and which storage files does each consist of?"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.rosbag.storage import Storage
from robovalue_ros.data.settings import MAX_BYTES, read_yaml

METADATA = "metadata.yaml"
SUFFIXES = (".mcap", ".db3")
SEARCH_DEPTH = 3
ID_KEY = "robovalue_episode"
_ID_LINE = re.compile(rf'^ +{ID_KEY}: ("(?:[^"\\]|\\.)*")$', re.MULTILINE)
_SPLIT = re.compile(r"(.*)_(\d+)$")


@dataclass(frozen=True)
class Bag:
    """One recording: a folder (or one file) with its storage files still to be chosen."""

    id: str
    path: Path


def find_bags(path: Path) -> tuple[Bag, ...]:
    """List the bags at or below `path` in the order of their names; reads no storage file.

    A folder with a metadata.yaml, or with the numbered files of one split recording, is one bag;
    other storage files are one bag each. Bags written by this package carry the id of their
    episode; every other bag is named by its place. Raises DataError when there is no such path.
    """
    if path.is_file():
        return (Bag(path.stem, path),)
    if not path.is_dir():
        raise DataError(path, "no such file or folder", "a bag folder, .mcap or .db3 file")
    if _is_bag(path):
        return (Bag(recorded_id(path) or path.resolve().name or "bag", path),)
    bags = _below(path, path, SEARCH_DEPTH)
    recorded = [recorded_id(bag.path) for bag in bags]
    named = [known or bag.id for known, bag in zip(recorded, bags, strict=True)]
    if len(set(named)) == len(named):
        bags = [Bag(name, bag.path) for name, bag in zip(named, bags, strict=True)]
    return tuple(bags)


def bag_storages(bag: Bag) -> tuple[list[Storage], list[Finding]]:
    """Open the storage files of a bag in their recorded order, and say what was assumed.

    Raises DataError when files are compressed as a whole, of an unknown kind or all missing.
    """
    if bag.path.is_file():
        return [_storage(bag.path)], [] if _has_metadata(bag.path.parent) else [_lone(bag.path)]
    notes: list[Finding] = []
    present = sorted(_files_in(bag.path), key=_natural)
    files = present
    try:
        listed = _listed_files(bag.path) if _has_metadata(bag.path) else None
    except DataError as problem:
        if problem.expected.startswith("an uncompressed"):
            raise
        listed = None
        notes.append(
            Finding(
                "warning", bag.id, f"{METADATA} is damaged ({problem.reason})",
                "The storage files were read in the order of their names.",
            )
        )  # fmt: skip
    else:
        if listed is None:
            notes.append(_lone(bag.path))
    if listed is not None:
        missing = [name for name in listed if not (bag.path / name).is_file()]
        files = [bag.path / name for name in listed if name not in missing]
        if missing and files:
            notes.append(
                Finding(
                    "warning", bag.id, f"{METADATA} lists files that are missing: {missing[:5]}",
                    "The rest was read; the episode has a hole or ends early.",
                )
            )  # fmt: skip
        files = files or present
    if not files:
        raise DataError(bag.path, "holds no storage file", "at least one .mcap or .db3 file")
    return [_storage(file) for file in files], notes


def _storage(path: Path) -> Storage:
    if path.suffix.lower() == ".mcap":
        from robovalue_ros.data.rosbag.mcap_file import McapFile

        return McapFile(path)
    if path.suffix.lower() == ".db3":
        from robovalue_ros.data.rosbag.sqlite_file import SqliteFile

        return SqliteFile(path)
    raise DataError(path, f"files ending in {path.suffix!r} are not bags", ".mcap or .db3")


def _is_bag(folder: Path) -> bool:
    if _has_metadata(folder):
        return True
    files = _files_in(folder)
    parts = [_SPLIT.match(file.stem) for file in files]
    return (len(files) == 1 or len({part.group(1) if part else "" for part in parts}) == 1) and all(
        parts
    )


def _below(root: Path, folder: Path, depth: int) -> list[Bag]:
    found = [Bag(_place(root, file.with_suffix("")), file) for file in _files_in(folder)]
    for entry in sorted(folder.iterdir(), key=_natural):
        if not entry.is_dir() or entry.name.startswith("."):
            continue
        if _is_bag(entry):
            found.append(Bag(_place(root, entry), entry))
        elif depth > 1:
            found += _below(root, entry, depth - 1)
    return found


def _files_in(folder: Path) -> list[Path]:
    files = [f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and f.is_file()]
    return sorted((f for f in files if not f.name.startswith(".")), key=_natural)


def _natural(path: Path) -> list[Any]:
    """Sort part_2 before part_10."""
    return [int(p) if p.isdecimal() else p for p in re.split(r"([0-9]+)", path.name)]


def _place(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _has_metadata(folder: Path) -> bool:
    return (folder / METADATA).is_file()


def recorded_id(path: Path) -> str | None:
    """Find the id that our own writer left, without parsing the YAML around it."""
    target = path / METADATA
    try:
        if target.stat().st_size > MAX_BYTES:
            return None
        found = _ID_LINE.search(target.read_text(encoding="utf-8"))
        text = json.loads(found.group(1)) if found else None
    except (OSError, ValueError):
        return None
    return text if isinstance(text, str) and text else None


def _listed_files(folder: Path) -> list[str]:
    """Return the storage files that metadata.yaml names."""
    path = folder / METADATA
    content = read_yaml(path).get("rosbag2_bagfile_information")
    names = content.get("relative_file_paths") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(names, list) or not names:
        raise DataError(path, "lists no files", "rosbag2_bagfile_information")
    mode = str(content.get("compression_mode") or "none").lower()
    if mode != "none":
        raise DataError(
            path, f"each {mode} of the bag is compressed", "an uncompressed bag, or mcap chunks",
            "Unpack it with: ros2 bag convert.",
        )  # fmt: skip
    # Old recorders wrote the folder's name in front; only the last part may count.
    plain = [PurePosixPath(str(name)).name for name in names]
    if not all(name.lower().endswith(SUFFIXES) for name in plain):
        raise DataError(path, f"lists {plain[0]!r}", "files ending in .mcap or .db3")
    return plain


def _lone(path: Path) -> Finding:
    return Finding(
        "note", path.name, f"there is no {METADATA}; the storage alone was read",
        "ros2 bag reindex writes one.",
    )  # fmt: skip

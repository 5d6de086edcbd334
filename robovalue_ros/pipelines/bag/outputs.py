"""What scoring a bag leaves behind, and when that still holds.

OUT/<bag>/          the bag with value topics added
OUT/<bag>.parquet   one row per frame
OUT/<bag>.json      what was scored with what; written last, so it stands for the other two
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.atomic import write_json
from robovalue_ros.data.rosbag.bags import METADATA, Bag
from robovalue_ros.data.rosbag.stream import BagStream
from robovalue_ros.pipelines.bag.config import BagScoreConfig

FORMAT, VERSION = "robovalue-bag-score", 1


@dataclass(frozen=True, slots=True)
class BagFiles:
    """Where the results of one bag go."""

    bag: Path
    table: Path
    summary: Path


def files_of(out: Path, name: str) -> BagFiles:
    """Return the places of a bag's results. name: may hold slashes."""
    base = out / name
    return BagFiles(
        base, base.with_name(f"{base.name}.parquet"), base.with_name(f"{base.name}.json")
    )


@dataclass(frozen=True, slots=True)
class BagScore:
    """What was learned about one bag.

    seconds: of the recording, from the first to the last frame. last: the value at the end of each
    try. cameras: camera of the model -> topic.
    """

    name: str
    source: str
    model: str
    cameras: dict[str, str]
    messages: int
    frames: int
    seconds: float
    last: tuple[float, ...]
    events: dict[str, int]
    fingerprint: str
    findings: tuple[Finding, ...] = ()


def fingerprint(bag: Bag, stream: BagStream, config: BagScoreConfig, model_id: str) -> str:
    """Return a digest that changes when another bag, model or choice would give other results."""
    files = [storage.path for storage in stream.storages]
    if bag.path.is_dir() and (bag.path / METADATA).is_file():
        files.append(bag.path / METADATA)
    topics = config.choice.topics
    content = {
        "version": VERSION, "model": model_id, "storage": config.storage,
        "packing": config.packing, "gap": config.episode_gap_s, "topic": config.episode_topic,
        "tolerance": config.choice.tolerance_ms, "color": config.choice.color,
        "topics": topics.read_text(encoding="utf-8", errors="replace") if topics else None,
        "files": [[str(file), (status := file.stat()).st_size, status.st_mtime_ns]
                  for file in files],
    }  # fmt: skip
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write_summary(files: BagFiles, score: BagScore) -> None:
    """Write what was scored, with the sizes of the files that it stands for."""
    content = dataclasses.asdict(score) | {"format": FORMAT, "version": VERSION}
    write_json(files.summary, content | {"files": _sizes(files)})


def kept_score(files: BagFiles, wanted: str) -> BagScore | None:
    """Return what an earlier run wrote with the same fingerprint, if all of it is still there."""
    try:
        content: dict[str, Any] = json.loads(files.summary.read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT or content.pop("version") != VERSION:
            return None
        if content["fingerprint"] != wanted or content.pop("files") != _sizes(files):
            return None
        findings = tuple(Finding(**finding) for finding in content.pop("findings"))
        return BagScore(**content | {"findings": findings, "last": tuple(content["last"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def named(bags: Sequence[Bag]) -> list[tuple[str, Bag]]:
    """Give every bag a name for its results; equal ids get a number."""
    taken: set[str] = set()
    pairs = []
    for bag in bags:
        name, number = bag.id, 1
        while name in taken:
            number += 1
            name = f"{bag.id}_{number}"
        taken.add(name)
        pairs.append((name, bag))
    return pairs


def refuse_overwriting(out: Path, name: str, bag: Bag) -> None:
    """Raise DataError when results would take the place of what is being read."""
    target, source = files_of(out, name).bag.resolve(), bag.path.resolve()
    if target == source or target in source.parents or source in target.parents:
        raise DataError(
            target, f"lies where the bag {source} is read", "another folder",
            "Choose one with --out.",
        )  # fmt: skip


def _sizes(files: BagFiles) -> dict[str, int]:
    """Return name and size of every file of the results, except the summary."""
    found = [*sorted(files.bag.rglob("*")), files.table]
    return {
        file.relative_to(files.bag.parent).as_posix(): file.stat().st_size
        for file in found
        if file.is_file() or file == files.table
    }

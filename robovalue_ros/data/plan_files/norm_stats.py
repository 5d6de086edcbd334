"""`norm_stats.json`, where trainers look for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePath

from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.types import NormStats
from robovalue_ros.data.atomic import write_text
from robovalue_ros.plans.norm_stats import norm_document

NAME = "norm_stats.json"
MAX_BYTES = 1 << 28
PARTS = ("mean", "std", "q01", "q99")


def norm_stats_path(base: Path, train_config_name: str, asset_id: str) -> Path:
    """Return where statistics lie: base/config/asset_id/norm_stats.json.

    Raises ConfigError for names that lead out of the base folder.
    """
    for name in (train_config_name, asset_id):
        parts = PurePath(name).parts
        if not parts or PurePath(name).is_absolute() or ".." in parts:
            raise ConfigError(
                f"{name!r} cannot name a folder of statistics", "a name inside the assets folder",
                "Give one with --output-asset-id.",
            )  # fmt: skip
    return base / train_config_name / asset_id / NAME


def write_norm_stats(path: Path, stats: Mapping[str, NormStats]) -> None:
    """Write statistics by signal, atomically; what was there is replaced."""
    write_text(path, json.dumps(norm_document(stats), indent=2, allow_nan=False))


def read_norm_stats(path: Path) -> dict[str, NormStats]:
    """Read statistics by signal. Raises DataError when they are missing or damaged."""
    if not path.is_file():
        raise DataError(
            path, "no such file", "statistics of the data", "`robovalue plan norm-stats` makes them."
        )  # fmt: skip
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(path, "is too large", f"at most {MAX_BYTES} bytes")
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as problem:
        raise DataError(path, f"cannot be read: {str(problem)[:200]}", "JSON") from problem
    listed = content.get("norm_stats") if isinstance(content, dict) else None
    if not isinstance(listed, dict):
        raise DataError(path, "has no `norm_stats`", '{"norm_stats": {"state": {"mean": [...]}}}')
    found = {}
    for name, parts in listed.items():
        try:
            found[str(name)] = NormStats(*(parts.get(part) for part in PARTS))
        except (AttributeError, TypeError, ValueError) as problem:
            raise DataError(
                path, f"{name} cannot be used: {problem}", ", ".join(PARTS)
            ) from problem
    return found

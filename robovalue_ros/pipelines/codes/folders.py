"""Result folders named by the time, which appear whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.data.atomic import sync_folder
from robovalue_ros.training.checkpoints import clear_run


def new_run_folder(out: Path) -> Path:
    """Make `<out>/<YYYYmmdd_HHMMSS>` and return it; a second one of the same second gets `_2`."""
    out.mkdir(parents=True, exist_ok=True)
    for name in _names(out, ""):
        folder = out / name
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError("names end with an error")


def named_run_folder(out: Path, name: str, overwrite: bool) -> Path:
    """Make `<out>/<name>` and return it; raises ConfigError when it is there and has to stay."""
    if Path(name).name != name or name in ("", ".", ".."):
        raise ConfigError(f"--exp-name is {name!r}", "the name of a folder")
    folder = out / name
    if overwrite:
        clear_run(folder)
    out.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir()
    except FileExistsError as problem:
        raise ConfigError(
            f"{folder} is there already", "a new --exp-name",
            f"--overwrite replaces it, --resume {folder} goes on.",
        ) from problem  # fmt: skip
    return folder


@contextmanager
def whole_folder(out: Path, suffix: str = "") -> Iterator[tuple[Path, Path]]:
    """Yield a hidden folder to write in, and the path that it takes when all went well.

    When the body raises, nothing stays.
    """
    out.mkdir(parents=True, exist_ok=True)
    hidden, final = _claim(out, suffix)
    try:
        yield hidden, final
        os.replace(hidden, final)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    sync_folder(out)


def _claim(out: Path, suffix: str) -> tuple[Path, Path]:
    for name in _names(out, suffix):
        hidden, final = out / f".{name}.partial", out / name
        try:
            hidden.mkdir()
        except FileExistsError:
            continue
        # Only now: another process may have finished between a look and our claim.
        if not final.exists():
            return hidden, final
        hidden.rmdir()
    raise AssertionError("names end with an error")


def _names(out: Path, suffix: str) -> Iterator[str]:
    stamp = f"{datetime.now():%Y%m%d_%H%M%S}"
    for number in range(1, 1000):
        yield f"{stamp}{suffix}" if number == 1 else f"{stamp}_{number}{suffix}"
    raise ConfigError(f"{out} holds too many runs of {stamp}", "fewer than 1000 in a second")


def needed(path: Path | None, command: str, flag: str, what: str) -> Path:
    """Return a path that a command cannot do without; raises ConfigError without it."""
    if path is None:
        raise ConfigError(f"{command} needs {flag}", what)
    return path

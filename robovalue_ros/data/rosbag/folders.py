"""Bag folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robovalue_ros.data.atomic import sync_file, sync_folder


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Yield a hidden folder that takes the name `target` on success, replacing an earlier one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = target.with_name(f".tmp-{uuid.uuid4().hex[:12]}-{target.name}")
    folder.mkdir()
    try:
        yield folder
        for file in folder.iterdir():
            sync_file(file)
        sync_folder(folder)
        shutil.rmtree(target, ignore_errors=True)
        os.replace(folder, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sync_folder(target.parent)

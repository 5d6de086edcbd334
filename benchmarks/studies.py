"""What studies share: their command, their printing, and the names of the folders they keep."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from benchmarks.book import Sheet, print_sheet
from robovalue_ros.cli.options import parse
from robovalue_ros.contracts.errors import RobovalueError
from robovalue_ros.data.atomic import write_text

C = TypeVar("C")
ROOT = Path(__file__).parents[1]


def study_console(width: int) -> Console:
    """Return where a study prints; width: of tables where nobody looks at a terminal."""
    return Console(width=None if sys.stdout.isatty() else width)


def print_study(
    console: Console, sheets: Iterable[Sheet], verdicts: Iterable[str], cpu_minutes: float
) -> None:
    """Print the tables, what they say in words, and what they cost."""
    for sheet in sheets:
        print_sheet(sheet, console)
    for line in verdicts:
        console.print(line, highlight=False)
    console.print(f"{cpu_minutes:.1f} CPU minutes", highlight=False)


def write_page(console: Console, name: str, text: str) -> None:
    """Write a page of the docs, and say so."""
    target = ROOT / "docs" / name
    write_text(target, text)
    console.print(f"wrote {target}", highlight=False)


def study_command(
    words: list[str] | None,
    command: str,
    about: str,
    config_type: type[C],
    settled: Callable[[C], C],
    study: Callable[[C, str], object],
) -> int:
    """Run a study by its command line; returns the exit code. words: none are the process's own."""
    given = sys.argv[1:] if words is None else words
    try:
        config = settled(parse(config_type, given, command, about))
        study(config, " ".join([command, *given]))
    except RobovalueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def content_name(chosen: Mapping[str, Any], files: Iterable[Path]) -> str:
    """Return a short name that changes with settings and with the content of files."""
    total = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode())
    for path in files:
        total.update(path.read_bytes())
    return total.hexdigest()[:12]

"""Run every table: `python -m benchmarks [--only NAME] [--seeds N] [--write]`."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from rich.console import Console

from benchmarks.book import machine_line, print_sheet, updated

TABLES = ("reading", "sim", "matching", "encoder", "value_speed", "bags", "ros", "segment", "plans")
SEEDED = ("sim",)


def main() -> None:
    """Print the tables, and with --write put them into docs/benchmarks.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=TABLES, help="one table instead of all")
    parser.add_argument("--seeds", type=int, default=20, help="simulated episodes per row")
    parser.add_argument(
        "--write",
        action="store_true",
        help="write docs/benchmarks.md; with --only just that part of it",
    )
    options = parser.parse_args()
    console = Console()
    console.print(f"[bold]{machine_line()}\n", highlight=False)
    sheets = []
    for name in [options.only] if options.only else TABLES:
        measure = import_module(f"benchmarks.bench_{name}").sheets
        for sheet in measure(options.seeds) if name in SEEDED else measure():
            print_sheet(sheet, console)
            sheets.append(sheet)
    if options.write:
        target = Path(__file__).parents[1] / "docs" / "benchmarks.md"
        page = target.read_text(encoding="utf-8") if options.only and target.is_file() else ""
        target.write_text(updated(page, sheets), encoding="utf-8")
        console.print(f"wrote {target}", highlight=False)


if __name__ == "__main__":
    main()

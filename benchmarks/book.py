"""Tables of measured figures, printed and written to docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Sheet:
    """One table. command: what prints it; note: how to read it, one paragraph."""

    title: str
    command: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Ratio:
    """Paired ratios of one comparison, kept as median with the range of the middle half."""

    values: list[float] = field(default_factory=list)

    def text(self) -> str:
        low, middle, high = np.percentile(self.values, (25, 50, 75))
        return f"{middle:.2f} ({low:.2f}-{high:.2f})"


def machine_line() -> str:
    """Describe the machine in one line."""
    model = platform.processor() or platform.machine()
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), model)
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    return f"{os.cpu_count()} cores of {model}, {gpu}, Python {platform.python_version()}"


def print_sheet(sheet: Sheet, console: Console) -> None:
    """Print a table to the terminal."""
    table = Table(*sheet.columns, title=sheet.title, title_justify="left", box=None)
    for row in sheet.rows:
        table.add_row(*row)
    console.print(table)
    if sheet.note:
        console.print(f"[dim]{sheet.note}")
    console.print()


HEAD = """# Benchmarks

Written by `make bench`; `python -m benchmarks --only NAME --write` measures one table anew. Machines
differ and are shared: believe ratios, not absolute times. A ratio is the median of paired runs, the
range of the middle half in brackets. What the value stream reaches on the simulator is a page of its
own: [value_study.md](value_study.md).
"""
MARK = "\n## "


def updated(page: str, sheets: Sequence[Sheet]) -> str:
    """Return a page of tables with these in the place of their earlier versions, or at the end."""
    sections = {part.partition("\n")[0]: part for part in page.split(MARK)[1:]}
    machine = machine_line()
    for sheet in sheets:
        sections[sheet.title] = sheet_markdown(sheet, machine).removeprefix("## ")
    return HEAD + "".join(MARK + section.rstrip("\n") + "\n" for section in sections.values())


def sheet_markdown(sheet: Sheet, machine: str = "") -> str:
    """Return one table under its title as text."""
    rows = [sheet.columns, ["---"] * len(sheet.columns), *sheet.rows]
    lines = [f"## {sheet.title}\n\n`{sheet.command}`\n" if sheet.command else f"## {sheet.title}\n"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    lines.append(f"\n{sheet.note}\n" if sheet.note else "")
    if machine:
        lines.append(f"Machine: {machine}.\n")
    return "\n".join(lines)

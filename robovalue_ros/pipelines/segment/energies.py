"""Energies of videos from their files: in pairs, by name, and as series without gaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.segment_files import ENERGY_PATTERN, EnergyFile, read_energies
from robovalue_ros.segment.smoothing import SmoothingOptions, smoothed
from robovalue_ros.segment.threshold import aligned

Floats = NDArray[np.float64]
DEEPEST = 3


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Windows (T,) that both files have, energies that cut and velocities that label them.

    energy is smoothed where that was asked for, velocity never is.
    """

    name: str
    kind: str
    windows: NDArray[np.int64]
    energy: Floats
    velocity: Floats


def read_pair(
    name: str, energy: Path, velocity: Path, smoothing: SmoothingOptions
) -> tuple[Pair, list[Finding]]:
    """Read two files of one video; raises DataError when one is damaged."""
    cut_by, label = read_energies(energy), read_energies(velocity)
    windows, (values, speeds) = aligned(cut_by.values, label.values)
    kind = " ".join(part for part in (cut_by.source, cut_by.mode) if part) or energy.stem
    pair = Pair(name, kind, windows, smoothed(values, smoothing), speeds)
    return pair, [*_noticed(cut_by), *_noticed(label)]


def energy_files(root: Path, source: str = "", mode: str = "") -> dict[str, Path]:
    """Return the energy file of every video below a folder, by the name of the video's folder.

    source, mode: which one, where a video has several. Raises DataError when a video has several that
    fit, or when nothing is there.
    """
    wanted = f"{source}_{mode}" if source else ""
    found: dict[str, list[Path]] = {}
    for depth in range(1, DEEPEST + 1):
        for path in sorted(root.glob("/".join(["*"] * depth + [ENERGY_PATTERN]))):
            if wanted in path.name and not path.name.startswith("."):
                found.setdefault(path.parent.name, []).append(path)
    for name, paths in found.items():
        if len(paths) > 1:
            listed = ", ".join(str(path.relative_to(root)) for path in paths[:3])
            raise DataError(
                root, f"{name} has several energies: {listed}", "one for each video",
                "Name a folder that holds one kind only.",
            )  # fmt: skip
    if not found:
        raise DataError(
            root, "holds no energies", f"VIDEO/*{wanted}*.jsonl",
            "`robovalue segment stream` writes them when the energy's JSONL is on.",
        )  # fmt: skip
    return {name: paths[0] for name, paths in sorted(found.items())}


def series(file: EnergyFile) -> tuple[Floats, list[Finding]]:
    """Return energies from window 0 on; windows that are missing have that of the one before."""
    if not file.values:
        raise DataError(file.path, "holds no energies", "at least one line")
    last = max(file.values)
    missing = last + 1 - len(file.values)
    held = np.empty(last + 1)
    level = file.values[min(file.values)]
    for window in range(last + 1):
        level = file.values.get(window, level)
        held[window] = level
    notes = _noticed(file)
    if missing:
        found = f"{missing} of {last + 1} windows are missing"
        notes.append(Finding("note", file.path.name, found, "They count as the one before."))
    return held, notes


def both(ours: Mapping[str, Path], theirs: Mapping[str, Path]) -> tuple[list[str], list[Finding]]:
    """Return the names in both, and a finding for the others."""
    odd = sorted(set(ours) ^ set(theirs))
    findings = []
    if odd:
        found = f"{len(odd)} are on one side only: {', '.join(odd[:3])}"
        findings.append(Finding("warning", "videos", found, "They are left out."))
    return sorted(set(ours) & set(theirs)), findings


def _noticed(file: EnergyFile) -> list[Finding]:
    if not file.repeated:
        return []
    found = f"{file.repeated} lines name a window again"
    advice = "The last of them counts: several runs were appended to one file."
    return [Finding("warning", file.path.name, found, advice)]

"""Which recordings a network learns from, and which it is judged by.

A source is a folder, or `folder:traj0.8` for a share of its recordings. Training takes its share
from the front of a shuffled list and validation from the back, so the two never share a recording.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.tracks.reader import list_track_files

_SHARE = re.compile(r"(?P<name>.+?):traj(?P<share>\d+(\.\d+)?)")
# The name that stands for everything below the root.
EVERYTHING = "custom_segments"


@dataclass(frozen=True, slots=True)
class Source:
    """A folder and the share of its recordings that was named; None where none was."""

    folder: Path
    share: float | None


@dataclass(frozen=True, slots=True)
class Split:
    """Files to learn from and to judge by."""

    train: tuple[Path, ...]
    validation: tuple[Path, ...]
    findings: tuple[Finding, ...]


def parse_source(text: str, root: Path | None) -> Source:
    """Read `folder` or `folder:traj0.8`, relative to `root`; raises ConfigError."""
    match = _SHARE.fullmatch(text)
    name, share = (match["name"], float(match["share"])) if match else (text, None)
    if share is not None and not 0.0 < share <= 1.0:
        raise ConfigError(f"{text!r} asks for a share of {share}", "a share above 0 and up to 1")
    folder = Path(name) if root is None else root / name
    if root is not None and name == EVERYTHING and not folder.exists():
        folder = root
    return Source(folder, share)


def split_recordings(
    train: Sequence[str],
    validation: Sequence[str],
    root: Path | None,
    fraction: float,
    rng: np.random.Generator,
) -> Split:
    """Divide recordings; raises ConfigError where shares overlap, DataError for empty folders.

    fraction: held out of folders for which nothing was named, where no validation is named either.
    """
    learned = [parse_source(text, root) for text in train]
    judged = [parse_source(text, root) for text in validation]
    shares = {source.folder: source.share for source in judged}
    files: dict[Path, list[Path]] = {}
    for source in [*learned, *judged]:
        if source.folder not in files:
            listed = list_track_files(source.folder)
            files[source.folder] = [listed[at] for at in rng.permutation(len(listed))]
    findings: list[Finding] = []
    front: list[Path] = []
    back: list[Path] = []
    for source in learned:
        names = files[source.folder]
        held_out = _held_out(source, shares, judged, fraction)
        count = _count(len(names), 1.0 - held_out if source.share is None else source.share)
        last = _count(len(names), held_out)
        if source.share is not None and source.share + held_out > 1.0 + 1e-9:
            raise ConfigError(
                f"{source.folder}: shares of {source.share} to learn from and {held_out} to judge by",
                "shares that add up to at most 1",
            )
        if held_out and count + last > len(names):
            count = len(names) - last
        if held_out and not count:
            count, last = len(names), 0
            findings.append(
                Finding(
                    "note",
                    str(source.folder),
                    "one recording only: nothing is held out to judge by",
                )
            )
        front += names[:count]
        back += names[len(names) - last :] if last else []
    for source in judged:
        if source.folder not in {other.folder for other in learned}:
            names = files[source.folder]
            back += names[len(names) - _count(len(names), source.share or 1.0) :]
    return Split(tuple(dict.fromkeys(front)), tuple(dict.fromkeys(back)), tuple(findings))


def _held_out(
    source: Source, shares: dict[Path, float | None], judged: Sequence[Source], fraction: float
) -> float:
    """Return the share of a folder's recordings that validation takes."""
    if source.folder in shares:
        said = shares[source.folder]
        if said is not None:
            return said
        return fraction if source.share is None else 1.0 - source.share
    return fraction if source.share is None and not judged else 0.0


def _count(files: int, share: float) -> int:
    """Return how many files a share is: at least one, if it is any."""
    return max(1, round(files * share)) if share > 0 else 0

"""The messages of a whole bag by topic, sorted by the clock that alignment uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.rosbag.messages import has_header
from robovalue_ros.data.rosbag.storage import NO_STAMP, Columns, Scan, column

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Messages:
    """Where messages lie: file number, place, offset and size, each (M,)."""

    file: Ints
    place: Ints
    offset: Ints
    size: Ints

    def take(self, index: Ints) -> Messages:
        """Return the messages at `index`, which may repeat."""
        return Messages(self.file[index], self.place[index], self.offset[index], self.size[index])

    def __len__(self) -> int:
        return len(self.size)


@dataclass(frozen=True, eq=False)
class TopicIndex:
    """One topic: stamps_ns (M,) strictly increasing, and where each message lies."""

    name: str
    type: str
    encoding: str
    stamps_ns: Ints
    messages: Messages
    notes: tuple[Finding, ...] = ()

    @property
    def count(self) -> int:
        """How many messages there are."""
        return len(self.messages)

    def take(self, keep: NDArray[np.bool_]) -> TopicIndex:
        """Return only the messages where `keep` holds."""
        at = np.flatnonzero(keep)
        return TopicIndex(
            self.name, self.type, self.encoding, self.stamps_ns[at], self.messages.take(at),
            self.notes,
        )  # fmt: skip


def index_bag(scans: Sequence[Scan]) -> dict[str, TopicIndex]:
    """Join the files of a bag; a topic's type is the one that its first file gives."""
    topics: dict[str, TopicIndex] = {}
    for name in sorted({name for scan in scans for name in scan.topics}):
        parts = [(i, scan.topics[name]) for i, scan in enumerate(scans) if name in scan.topics]
        first = next((topic for _, topic in parts if len(topic.columns)), parts[0][1])
        same = [(i, topic.columns) for i, topic in parts if topic.type == first.type]
        topics[name] = _index_topic(name, first.type, first.encoding, same)
    return topics


def _index_topic(
    name: str, kind: str, encoding: str, parts: Sequence[tuple[int, Columns]]
) -> TopicIndex:
    def joined(which: str) -> Ints:
        return np.concatenate([column(getattr(columns, which)) for _, columns in parts])

    file = np.concatenate([np.full(len(columns), i, np.int64) for i, columns in parts])
    log = joined("log")
    stamps, notes = (log, []) if not has_header(kind) else _clock(name, joined("header"), log)
    order = np.argsort(stamps, kind="stable")
    stamps = stamps[order]
    fresh = np.ones(len(stamps), bool)
    fresh[1:] = stamps[1:] > stamps[:-1]
    repeated = int(len(fresh) - fresh.sum())
    if repeated:
        notes = [
            *notes,
            Finding(
                "warning", name, f"{repeated} messages repeat the stamp of an earlier one",
                "Only the first of each was kept.",
            ),
        ]  # fmt: skip
    kept = order[fresh]
    where = Messages(file[kept], *(joined(part)[kept] for part in ("place", "offset", "size")))
    return TopicIndex(name, kind, encoding, stamps[fresh], where, tuple(notes))


def _clock(name: str, header: Ints, log: Ints) -> tuple[Ints, list[Finding]]:
    """Use header stamps, and the receive time where a header was left empty."""
    empty = (header == 0) & (log != 0)
    broken = header == NO_STAMP
    notes = []
    if empty.any():
        notes.append(
            Finding(
                "note", name, f"{int(empty.sum())} of {len(log)} header stamps are 0",
                "The time at which the bag received those messages was used instead.",
            )
        )  # fmt: skip
    if broken.any():
        notes.append(
            Finding(
                "warning", name, f"{int(broken.sum())} of {len(log)} header stamps are impossible",
                "The time at which the bag received those messages was used instead.",
            )
        )  # fmt: skip
    return np.where(empty | broken, log, header), notes

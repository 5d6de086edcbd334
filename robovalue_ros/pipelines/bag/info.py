"""Tell what a bag holds, what is damaged, and what scoring it would use."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.rosbag.bags import Bag
from robovalue_ros.data.rosbag.stream import BagStream
from robovalue_ros.pipelines.bag.cameras import choose
from robovalue_ros.pipelines.bag.config import CameraChoice

DEFAULT_PROGRESS = SilentProgress()
TICKS = 256


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """One topic. rate_hz: messages per second between its first and last; 0 for one. use: what
    scoring takes it for, empty when it does not."""

    name: str
    type: str
    count: int
    bytes: int
    rate_hz: float
    longest_gap_s: float
    use: str


@dataclass(frozen=True, slots=True)
class BagInfo:
    """A bag. seconds: from its first to its last message. why: how the uses were chosen.

    problem: why it cannot be scored, empty when it can.
    """

    name: str
    path: str
    files: tuple[str, ...]
    messages: int
    bytes: int
    start_ns: int
    seconds: float
    topics: tuple[TopicInfo, ...]
    why: str
    problem: str
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class _Tally:
    count: int = 0
    bytes: int = 0
    first_ns: int = 0
    last_ns: int = 0
    gap_ns: int = 0

    def add(self, log_ns: int, size: int) -> None:
        if not self.count:
            self.first_ns = log_ns
        else:
            self.gap_ns = max(self.gap_ns, log_ns - self.last_ns)
        self.last_ns = log_ns
        self.count += 1
        self.bytes += size


def bag_info(
    name: str,
    bag: Bag,
    choice: CameraChoice,
    known: Sequence[str] | None = None,
    progress: Progress = DEFAULT_PROGRESS,
) -> BagInfo:
    """Read a bag once and tell about it; images are not decoded. known: a model's cameras.

    Raises DataError when no file of the bag can be read.
    """
    stream = BagStream(bag)
    uses: dict[str, str] = {}
    why = problem = ""
    notes: tuple[Finding, ...] = ()
    try:
        chosen = choose(stream, choice, known)
    except DataError as found:
        problem = str(found)
    else:
        why, notes = chosen.why, chosen.notes
        uses = dict.fromkeys(chosen.plan.state, "state")
        uses |= dict.fromkeys(chosen.plan.action, "action")
        if chosen.plan.task:
            uses[chosen.plan.task] = "task"
        for number, (camera, topic) in enumerate(chosen.cameras.items()):
            uses[topic] = f"camera {camera}" + (", timeline" if number == 0 else "")
    tallies = {topic: _Tally() for topic in stream.topics}
    with progress.stage(name, stream.count) as tick:
        count = 0
        for message in stream.messages():
            tallies[message.topic.name].add(message.log_ns, len(message.data))
            count += 1
            if count % TICKS == 0:
                tick(TICKS)
    topics = tuple(_topic(name, stream, tallies[name], uses) for name in sorted(stream.topics))
    filled = [tally for tally in tallies.values() if tally.count]
    first = min((tally.first_ns for tally in filled), default=0)
    last = max((tally.last_ns for tally in filled), default=0)
    return BagInfo(
        name, str(bag.path), tuple(Path(one.path).name for one in stream.storages), count,
        sum(tally.bytes for tally in filled), first, (last - first) / 1e9, topics, why, problem,
        (*stream.findings, *notes),
    )  # fmt: skip


def _topic(name: str, stream: BagStream, tally: _Tally, uses: dict[str, str]) -> TopicInfo:
    span = tally.last_ns - tally.first_ns
    rate = (tally.count - 1) * 1e9 / span if span > 0 else 0.0
    return TopicInfo(
        name, stream.topics[name].type, tally.count, tally.bytes, float(np.round(rate, 3)),
        tally.gap_ns / 1e9, uses.get(name, ""),
    )  # fmt: skip


def as_json(info: BagInfo) -> dict[str, Any]:
    """Return plain values that JSON can hold."""
    return dataclasses.asdict(info)

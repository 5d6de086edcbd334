"""Which topic is a camera, the state, the action? A map in YAML, or a guess that is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from robovalue_ros.contracts.config import option
from robovalue_ros.contracts.errors import DataError, nearest
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.rosbag.messages import COMPRESSED, IMAGE, JOINTS, NUMERIC, TEXT

Names = tuple[str, ...]
IMAGE_TAILS = frozenset(
    ["compressed", "image_raw", "image", "image_rect", "image_color", "image_rect_color"]
)
NOT_PICTURES = ("/compressedDepth", "/theora", "/ffmpeg")
ACTION_TAILS = ("action", "actions")
TASK_TAILS = ("task", "instruction", "language_instruction")
SIGNALS = "/signals/"


class KnownTopic(Protocol):
    """What must be known of a topic to tell what it means. count: messages."""

    @property
    def type(self) -> str: ...

    @property
    def encoding(self) -> str: ...

    @property
    def count(self) -> int: ...


@dataclass(frozen=True)
class TopicMap:
    """The file given as `--topics`: what each topic of a bag means."""

    cameras: dict[str, str] = option(dict, "camera name: topic of Image or CompressedImage")
    state: str | Names | None = option(
        None, "topic (or list of topics, joined in that order) of the robot's state"
    )
    action: str | Names | None = option(None, "topic (or list of topics) of the commanded action")
    task: str | None = option(None, "topic of std_msgs/String with the task text")
    reference: str | None = option(
        None, "camera whose frames are the timeline; none: the first by name"
    )
    tolerance_ms: float | None = option(
        None, "largest time between a frame and its match; none: half a frame period", low=0.0
    )
    signals: dict[str, str] = option(dict, "signal name: topic of numbers")


@dataclass(frozen=True)
class Plan:
    """A topic map that was checked against a bag; `tolerance_ns` None means half a period."""

    cameras: Mapping[str, str] = field(default_factory=dict)
    state: Names = ()
    action: Names = ()
    task: str | None = None
    reference: str | None = None
    tolerance_ns: int | None = None
    signals: Mapping[str, str] = field(default_factory=dict)

    def timeline(self) -> str | None:
        """Return the topic whose stamps are the frames."""
        if self.cameras:
            return self.cameras[self.reference or min(self.cameras)]
        return next(iter((*self.state, *self.action)), None)


def plan_from_map(topic_map: TopicMap, topics: Mapping[str, KnownTopic], path: Path) -> Plan:
    """Check a topic map against the topics of a bag.

    Raises DataError for a topic that is not there, is empty or has a type that cannot be read.
    """
    plan = Plan(
        topic_map.cameras, _names(topic_map.state), _names(topic_map.action), topic_map.task,
        topic_map.reference, _nanoseconds(topic_map.tolerance_ms), topic_map.signals,
    )  # fmt: skip
    if plan.reference is not None and plan.reference not in plan.cameras:
        raise DataError(
            path, f"the topic map's reference {plan.reference!r} is none of its cameras",
            hint=nearest(plan.reference, plan.cameras),
        )  # fmt: skip
    if plan.timeline() is None:
        raise DataError(path, "the topic map names neither a camera nor a state", "one at least")
    check_plan(plan, topics, path)
    return plan


def check_plan(plan: Plan, topics: Mapping[str, KnownTopic], path: Path) -> None:
    """Raise DataError unless every topic of the plan is there and of a type that can be read."""
    for name in plan.cameras.values():
        _check(name, (IMAGE, COMPRESSED), topics, path)
    for name in (*plan.state, *plan.action, *plan.signals.values()):
        _check(name, tuple(sorted(NUMERIC)), topics, path)
    if plan.task is not None:
        _check(plan.task, (TEXT,), topics, path)


def plan_by_names(topics: Mapping[str, KnownTopic], path: Path) -> tuple[Plan, list[Finding]]:
    """Guess the meaning of topics by type and name, and tell the guess.

    Raises DataError when there is neither a camera nor a joint state.
    """
    usable = {n: t for n, t in topics.items() if t.count and t.encoding == "cdr"}
    cameras, notes = _cameras(usable)
    plan = Plan(
        cameras,
        _first(n for n in usable if usable[n].type == JOINTS and "joint_state" in n),
        _first(n for n in usable if _tail(n) in ACTION_TAILS and usable[n].type in NUMERIC),
        next((n for n in usable if _tail(n) in TASK_TAILS and usable[n].type == TEXT), None),
        signals={
            name.removeprefix(SIGNALS): name
            for name in usable
            if name.startswith(SIGNALS) and usable[name].type in NUMERIC
        },
    )
    if plan.timeline() is None:
        listing = ", ".join(f"{n} ({t.type})" for n, t in list(topics.items())[:8])
        raise DataError(
            path, f"has neither an image nor a joint state topic; found {listing or 'none'}",
            hint="Name the topics in a map: --topics map.yaml (see config/bag_topics.yaml).",
        )  # fmt: skip
    return plan, [*notes, Finding("note", "topics", _told(plan), "Choose with --topics.")]


def _cameras(topics: Mapping[str, KnownTopic]) -> tuple[dict[str, str], list[Finding]]:
    """Name image topics; of a raw and a compressed one of the same camera take the raw one."""
    cameras: dict[str, str] = {}
    notes = []
    for name, topic in topics.items():
        if topic.type not in (IMAGE, COMPRESSED):
            continue
        if name.endswith(NOT_PICTURES):
            notes.append(Finding("note", "topics", f"{name} holds no colour images, left out"))
            continue
        camera = camera_name(name)
        other = cameras.get(camera)
        if other is not None and topics[other].type == IMAGE:
            notes.append(Finding("note", "topics", f"{name} shows the same as {other}, left out"))
            continue
        cameras[camera] = name
    return dict(sorted(cameras.items())), notes


def camera_name(topic: str) -> str:
    """Name a camera after its topic: `/cam_high/image_raw/compressed` is cam_high."""
    parts = [part for part in topic.split("/") if part]
    while len(parts) > 1 and parts[-1] in IMAGE_TAILS:
        parts.pop()
    return "_".join(parts) or "camera"


def _told(plan: Plan) -> str:
    parts = [f"camera {name} = {topic}" for name, topic in plan.cameras.items()]
    parts += [f"state = {name}" for name in plan.state or ("none",)]
    parts += [f"action = {name}" for name in plan.action or ("none",)]
    parts.append(f"task = {plan.task or 'none'}")
    parts += [f"signal {name} = {topic}" for name, topic in plan.signals.items()]
    return "chosen by type and name: " + ", ".join(parts)


def _check(name: str, kinds: Names, topics: Mapping[str, KnownTopic], path: Path) -> None:
    if name not in topics:
        raise DataError(path, f"has no topic {name!r}", hint=nearest(name, topics))
    topic = topics[name]
    if topic.type not in kinds or topic.encoding != "cdr":
        raise DataError(
            path, f"topic {name} holds {topic.type or 'messages of no type'} ({topic.encoding})",
            f"cdr of {' or '.join(kinds)}",
        )  # fmt: skip
    if not topic.count:
        raise DataError(path, f"topic {name} holds no messages", "at least one")


def _names(value: str | Names | None) -> Names:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


def _nanoseconds(milliseconds: float | None) -> int | None:
    return None if milliseconds is None else int(min(milliseconds * 1e6, 2.0**61))


def _first(names: Iterable[str]) -> Names:
    return tuple(sorted(names, key=lambda name: (name.count("/"), name))[:1])


def _tail(name: str) -> str:
    return name.rsplit("/", 1)[-1]

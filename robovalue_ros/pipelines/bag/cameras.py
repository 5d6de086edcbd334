"""Which topics of a bag does scoring use, and why?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robovalue_ros.contracts.errors import DataError, nearest
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.rosbag.layout import EPISODE, Recorded, parse
from robovalue_ros.data.rosbag.messages import TEXT, BadMessage, text
from robovalue_ros.data.rosbag.stream import BagStream
from robovalue_ros.data.rosbag.topics import (
    Plan,
    TopicMap,
    check_plan,
    plan_by_names,
    plan_from_map,
)
from robovalue_ros.data.settings import read_settings
from robovalue_ros.pipelines.bag.config import CameraChoice


@dataclass(frozen=True, slots=True)
class Chosen:
    """cameras: camera of the model -> topic, the timeline first. why: one sentence.

    plan: every topic that has a meaning, as the reader of episodes takes it. recorded: what the
    writer of the bag noted, if that was this package.
    """

    cameras: dict[str, str]
    plan: Plan
    why: str
    tolerance_ns: int
    recorded: Recorded | None
    notes: tuple[Finding, ...]


def choose(stream: BagStream, choice: CameraChoice, known: Sequence[str] | None) -> Chosen:
    """Choose the topics of a bag. known: the model's cameras; None takes all.

    Raises DataError when the map does not fit the bag, or no camera is one of the model's.
    """
    path = stream.bag.path
    notes: list[Finding] = []
    recorded = None
    tolerance_ns = int(choice.tolerance_ms * 1e6)
    if choice.topics is not None:
        plan = plan_from_map(read_settings(TopicMap, choice.topics), stream.topics, path)
        tolerance_ns = plan.tolerance_ns if plan.tolerance_ns is not None else tolerance_ns
        why = f"as {choice.topics.name} says"
    else:
        recorded = _recorded(stream, notes)
        if recorded is not None:
            plan = recorded.plan()
            check_plan(plan, stream.topics, path)
            why = "as the bag itself says"
        else:
            plan, _ = plan_by_names(stream.topics, path)
            why = "by type and name of topics"
    if not plan.cameras:
        listing = ", ".join(f"{name} ({one.type})" for name, one in list(stream.topics.items())[:8])
        raise DataError(
            path, f"has no camera topic; found {listing}", "sensor_msgs Image or CompressedImage"
        )
    first = plan.reference or min(plan.cameras)
    ordered = [first, *(name for name in plan.cameras if name != first)]
    cameras = {name: plan.cameras[name] for name in ordered}
    if known is not None:
        cameras = _of_model(cameras, tuple(known), stream, notes)
    return Chosen(cameras, plan, why, tolerance_ns, recorded, tuple(notes))


def _of_model(
    cameras: dict[str, str], known: tuple[str, ...], stream: BagStream, notes: list[Finding]
) -> dict[str, str]:
    used = {name: topic for name, topic in cameras.items() if name in known}
    if not used and len(cameras) == len(known) == 1:
        (name, topic), (model_name,) = next(iter(cameras.items())), known
        notes.append(
            Finding(
                "warning", topic, f"the only camera, {name}, is taken as the model's {model_name}",
                "Say so in a topic map (--topics) if that is right.",
            )
        )  # fmt: skip
        return {model_name: topic}
    if not used:
        listing = ", ".join(f"{name} ({topic})" for name, topic in cameras.items())
        raise DataError(
            stream.bag.path, f"shows none of the model's cameras {', '.join(known)}: {listing}",
            "a topic map, --topics map.yaml with lines such as `cameras: {NAME: /topic}`",
            nearest(next(iter(cameras)), known),
        )  # fmt: skip
    for name in known:
        if name not in used:
            notes.append(
                Finding(
                    "warning", stream.bag.id, f"has no camera {name!r}, which the model knows",
                    "Values of fewer cameras are less certain. Map it with --topics if it is there.",
                )
            )  # fmt: skip
    return used


def _recorded(stream: BagStream, notes: list[Finding]) -> Recorded | None:
    """Read what the writer of this package noted at the beginning of a bag."""
    topic = stream.topics.get(EPISODE)
    if topic is None or topic.type != TEXT or not topic.count:
        return None
    found = next((one for one in stream.messages() if one.topic.name == EPISODE), None)
    if found is None:
        return None
    try:
        return parse(text(found.data))
    except (BadMessage, ValueError) as problem:
        notes.append(
            Finding(
                "warning", EPISODE, f"the episode's description is damaged ({problem})",
                "The topics were taken by type and name.",
            )
        )  # fmt: skip
        return None

"""The metadata.yaml of a bag that this package writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from robovalue_ros.contracts.types import Episode
from robovalue_ros.data.rosbag.bags import ID_KEY

# What Humble writes; every later version reads it.
VERSION = 5


@dataclass(frozen=True, slots=True)
class TopicLine:
    """One topic as metadata.yaml lists it."""

    name: str
    type: str
    count: int
    encoding: str = "cdr"
    qos: str = ""


def metadata_text(mcap: str, episode: Episode, counts: Mapping[str, tuple[str, int]]) -> str:
    """Return the YAML text for one mcap file with these topics: (type, number of messages)."""
    topics = [TopicLine(name, kind, count) for name, (kind, count) in counts.items()]
    first, last = int(episode.stamps_ns[0]), int(episode.stamps_ns[-1])
    return bag_metadata("mcap", mcap, (first, last), topics, {ID_KEY: episode.id})


def bag_metadata(
    storage: str,
    file: str,
    span_ns: tuple[int, int],
    topics: Sequence[TopicLine],
    custom: Mapping[str, str],
) -> str:
    """Return the YAML text of a bag of one storage file. span_ns: first and last log time.

    custom: texts below `custom_data`, each on a line that can be found without a YAML parser.
    """
    first, last = span_ns
    span = {
        "duration": {"nanoseconds": last - first},
        "starting_time": {"nanoseconds_since_epoch": first},
        "message_count": sum(topic.count for topic in topics),
    }
    content = {
        "rosbag2_bagfile_information": {
            "version": VERSION,
            "storage_identifier": storage,
            **span,
            "topics_with_message_count": [
                {
                    "topic_metadata": {
                        "name": topic.name,
                        "type": topic.type,
                        "serialization_format": topic.encoding,
                        "offered_qos_profiles": topic.qos,
                    },
                    "message_count": topic.count,
                }
                for topic in topics
            ],
            "compression_format": "",
            "compression_mode": "",
            "relative_file_paths": [file],
            "files": [{"path": file, **span}],
        }
    }
    text = yaml.safe_dump(_unshared(content), sort_keys=False, default_flow_style=False)
    if not custom:
        return text
    lines = [f"    {key}: {_quoted(value)}\n" for key, value in custom.items()]
    return f"{text}  custom_data:\n{''.join(lines)}"


def _unshared(value: object) -> object:
    """Copy nested values, because YAML writes a value met twice as an anchor and its alias."""
    if isinstance(value, dict):
        return {key: _unshared(part) for key, part in value.items()}
    return [_unshared(part) for part in value] if isinstance(value, list) else value


def _quoted(text: str) -> str:
    """Quote a text so that YAML and JSON read the same; what neither can hold becomes '?'."""
    plain = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(
        letter if letter.isprintable() or ord(letter) > 0xFFFF or letter in '"\\'
        else json.dumps(letter)[1:-1]
        for letter in json.dumps(plain, ensure_ascii=False)
    )  # fmt: skip

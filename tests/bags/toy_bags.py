"""Bags of a toy task: a dark hand crosses a bright table, and a second camera moves with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from bag_maker import IMAGE, JOINTS, JPEG, MS, STORE, TEXT, Message, T, header, image, joints, text

from robovalue_ros.contracts.types import Episode, Frame
from robovalue_ros.data.rosbag.bags import Bag, find_bags
from robovalue_ros.data.rosbag.reader import RosbagReader
from robovalue_ros.data.rosbag.stream import BagStream, RawMessage
from robovalue_ros.pipelines.recordings import episode_frames

STEP_NS = 50 * MS
START_NS = 1_700_000_000_000_000_000
CAMERAS = ("cam_high", "cam_left_wrist")


def toy_pictures(seed: int, length: int = 24, size: int = 48) -> dict[str, np.ndarray]:
    """Draw one try: (T, size, size, 3) by camera."""
    row = 14 + 7 * seed % 20
    table = np.full((length, size, size, 3), (210, 200, 180), np.uint8)
    wrist = np.full_like(table, 120)
    for step in range(length):
        at = 4 + step * (size - 12) // length
        table[step, row - 4 : row + 4, at : at + 6] = (40, 40, 60)
        wrist[step, :, : max(1, at)] = (200, 60, 60)
    return dict(zip(CAMERAS, (table, wrist), strict=True))


def jpeg(stamp_ns: int, pixels: np.ndarray) -> Any:
    done, coded = cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]))
    assert done
    return T[JPEG](header(stamp_ns), "bgr8; jpeg compressed bgr8", coded.reshape(-1))


def toy_messages(
    seed: int = 5,
    length: int = 24,
    *,
    start_ns: int = START_NS,
    packed: bool = True,
    shift: Callable[[str, int], int] = lambda camera, index: 0,
    keep: Callable[[str, int], bool] = lambda camera, index: True,
) -> list[Message]:
    """Messages of one try by time of receipt, 3 ms after their stamps.

    shift: moves the stamp of a camera's picture. keep: False leaves a picture out.
    """
    pictures = toy_pictures(seed, length)
    messages: list[Message] = [("/task", TEXT, start_ns, text("cross the table"))]
    for index in range(length):
        now = start_ns + index * STEP_NS
        messages.append(("/joint_states", JOINTS, now, joints(now, [index / 10, 1.0])))
        for camera in CAMERAS:
            if not keep(camera, index):
                continue
            stamp = now + shift(camera, index)
            pixels = pictures[camera][index]
            if packed:
                topic = f"/{camera}/image_raw/compressed"
                messages.append((topic, JPEG, stamp + 3 * MS, jpeg(stamp, pixels)))
            else:
                topic = f"/{camera}/image_raw"
                messages.append((topic, IMAGE, stamp + 3 * MS, image(stamp, pixels)))
    return sorted(messages, key=lambda message: message[2])


def serialised(messages: Sequence[Message]) -> list[tuple[str, int, bytes]]:
    """Topic, time and bytes of messages, as a bag holds them."""
    return [
        (topic, when, raw if isinstance(raw, bytes) else bytes(STORE.serialize_cdr(raw, kind)))
        for topic, kind, when, raw in messages
    ]


def the_bag(path: Path) -> Bag:
    (bag,) = find_bags(path)
    return bag


def streamed(path: Path) -> tuple[list[RawMessage], str]:
    """All messages of a bag, and everything that was said about it."""
    stream = BagStream(the_bag(path))
    messages = list(stream.messages())
    return messages, " | ".join(note.found for note in stream.findings)


def contents(path: Path) -> list[tuple[str, int, bytes]]:
    return [(one.topic.name, one.log_ns, bytes(one.data)) for one in streamed(path)[0]]


def episode_of(path: Path) -> Episode:
    reader = RosbagReader(path)
    return reader.open(reader.episode_ids()[0])


def frames_of(path: Path, cameras: Sequence[str] = CAMERAS) -> list[Frame]:
    """The frames that the reader of episodes finds in a bag."""
    return list(episode_frames(episode_of(path), cameras))


def storage_file(bag: Path) -> Path:
    (found,) = [p for p in bag.iterdir() if p.suffix in (".mcap", ".db3")]
    return found

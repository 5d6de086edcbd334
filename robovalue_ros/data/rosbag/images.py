"""Image messages as RGB pixels."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.frames import Image
from robovalue_ros.data.rosbag.messages import COMPRESSED, BadMessage, NotAPicture, decode
from robovalue_ros.data.stills import MAX_PIXELS, decode_still

# encoding -> channels, bytes per channel, conversion (None: already RGB)
RAW: dict[str, tuple[int, int, int | None]] = {
    "rgb8": (3, 1, None),
    "bgr8": (3, 1, cv2.COLOR_BGR2RGB),
    "8UC3": (3, 1, None),
    "rgba8": (4, 1, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, 1, cv2.COLOR_BGRA2RGB),
    "mono8": (1, 1, cv2.COLOR_GRAY2RGB),
    "8UC1": (1, 1, cv2.COLOR_GRAY2RGB),
    "mono16": (1, 2, cv2.COLOR_GRAY2RGB),
    # ROS names a Bayer pattern by its first two pixels, OpenCV by the two of the second row.
    "bayer_rggb8": (1, 1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": (1, 1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": (1, 1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": (1, 1, cv2.COLOR_BayerGB2RGB),
    "yuv422": (2, 1, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": (2, 1, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": (2, 1, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": (2, 1, cv2.COLOR_YUV2RGB_YUY2),
}


def image_rgb(raw: memoryview, kind: str, unnamed_bgr: bool = False) -> Image:
    """Return the (H, W, 3) RGB pixels of an Image or CompressedImage message.

    unnamed_bgr: the encoding 8UC3, which names no colours, is taken as BGR instead of RGB. An
    rgb8 image is a read-only view of the message. Raises BadMessage.
    """
    message = decode(raw, kind)
    if kind == COMPRESSED:
        try:
            return decode_still(bytes(message.data))
        except ValueError as problem:
            raise BadMessage(f"holds {problem} (format {message.format[:40]!r})") from problem
    return raw_rgb(message, unnamed_bgr)


def raw_rgb(message: Any, unnamed_bgr: bool = False) -> Image:
    """Return the (H, W, 3) RGB pixels of a decoded Image message.

    message: has the fields of sensor_msgs/Image, its data as an array of uint8. Raises BadMessage.
    """
    encoding = message.encoding
    if encoding not in RAW:
        raise NotAPicture(f"has the encoding {encoding[:40]!r}, which is not a colour image")
    channels, width_bytes, conversion = RAW[encoding]
    if encoding == "8UC3" and unnamed_bgr:
        conversion = cv2.COLOR_BGR2RGB
    pixels = _pixels(message, channels, width_bytes)
    if conversion is None:
        return pixels
    try:
        rgb: Image = cv2.cvtColor(np.ascontiguousarray(pixels), conversion)
    except cv2.error as problem:
        raise BadMessage(
            f"is {message.width}x{message.height}, which {encoding} cannot be"
        ) from problem
    return rgb


def _pixels(message: Any, channels: int, width_bytes: int) -> NDArray[np.uint8]:
    """Take the rows apart: `step` bytes each, of which the first width * channels count."""
    height, width, step = int(message.height), int(message.width), int(message.step)
    row = width * channels * width_bytes
    data: NDArray[np.uint8] = message.data
    if not 0 < height * width <= MAX_PIXELS or row > step or height * step > len(data):
        raise BadMessage(
            f"claims {width}x{height} {message.encoding[:40]} with rows of {step} bytes "
            f"and holds {len(data)} bytes"
        )
    rows = data[: height * step].reshape(height, step)[:, :row]
    if width_bytes == 2:
        # The high byte of a 16 bit value is its 8 bit value.
        rows = rows[:, 0::2] if message.is_bigendian else rows[:, 1::2]
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.ascontiguousarray(rows).reshape(shape)

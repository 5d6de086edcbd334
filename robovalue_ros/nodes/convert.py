"""Between ROS messages and the house's own types; each way has its way back.

Images become RGB by the same code that reads them from bags, so a live run and the recording of it
see the same pixels.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, JointState
from sensor_msgs.msg import Image as ImageMessage

from robovalue_ros.contracts.errors import RobovalueError, nearest
from robovalue_ros.contracts.frames import Image
from robovalue_ros.data.rosbag.images import RAW, raw_rgb
from robovalue_ros.data.rosbag.messages import BadMessage
from robovalue_ros.data.stills import decode_still, encode_jpeg

Floats = NDArray[np.float64]
RawEncoding = Literal["rgb8", "bgr8", "rgba8", "bgra8", "mono8"]
SECOND = 1_000_000_000
_LARGEST_SECOND = 2**31 - 1
_FROM_RGB = {
    "rgb8": None,
    "bgr8": cv2.COLOR_RGB2BGR,
    "rgba8": cv2.COLOR_RGB2RGBA,
    "bgra8": cv2.COLOR_RGB2BGRA,
    "mono8": cv2.COLOR_RGB2GRAY,
}


class ConversionError(RobovalueError):
    """A message that does not hold what it says, or nothing that is of use here."""


class _Fields(NamedTuple):
    """The fields of an Image message, its bytes as an array."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: NDArray[np.uint8]


def image_from_ros(message: ImageMessage) -> Image:
    """Return (H, W, 3) RGB. An rgb8 image without padding is a view of the message.

    Raises ConversionError for an encoding that is no colour image, and for sizes that contradict
    each other.
    """
    # An empty buffer has no array; sizes are checked below.
    data = np.frombuffer(message.data, np.uint8) if len(message.data) else np.empty(0, np.uint8)
    fields = _Fields(
        message.height, message.width, message.encoding, message.is_bigendian, message.step, data
    )
    try:
        return raw_rgb(fields)
    except BadMessage as problem:
        expected = "" if message.encoding in RAW else f"one of {', '.join(RAW)}"
        raise ConversionError(f"an image {problem}", expected) from None


def image_to_ros(
    rgb: Image, stamp_ns: int, frame_id: str = "", encoding: RawEncoding = "rgb8"
) -> ImageMessage:
    """Return an Image message of (H, W, 3) RGB."""
    conversion = _FROM_RGB[encoding]
    pixels = np.ascontiguousarray(rgb if conversion is None else cv2.cvtColor(rgb, conversion))
    message = ImageMessage()
    message.header.stamp = stamp_to_ros(stamp_ns)
    message.header.frame_id = frame_id
    message.height, message.width = rgb.shape[:2]
    message.encoding = encoding
    message.step = pixels.nbytes // max(1, rgb.shape[0])
    message.data = _bytes_to_ros(pixels.reshape(-1).data)
    return message


def compressed_from_ros(message: CompressedImage) -> Image:
    """Return (H, W, 3) RGB of a JPEG or PNG; raises ConversionError for damage and other formats."""
    try:
        return decode_still(bytes(message.data))
    except ValueError as problem:
        raise ConversionError(
            f"a compressed image is {problem} (format {message.format[:40]!r})",
            "a whole JPEG or PNG",
        ) from None


def compressed_to_ros(
    rgb: Image, stamp_ns: int, frame_id: str = "", quality: int = 90
) -> CompressedImage:
    """Return a JPEG of (H, W, 3) RGB as a message."""
    return jpeg_to_ros(encode_jpeg(rgb, quality), stamp_ns, frame_id)


def jpeg_to_ros(content: bytes, stamp_ns: int, frame_id: str = "") -> CompressedImage:
    """Return a message that holds a JPEG as it is."""
    message = CompressedImage()
    message.header.stamp = stamp_to_ros(stamp_ns)
    message.header.frame_id = frame_id
    message.format = "rgb8; jpeg compressed bgr8"  # what other software expects to read
    message.data = _bytes_to_ros(memoryview(content))
    return message


def picture_from_ros(message: Any) -> Image:
    """Return (H, W, 3) RGB of an image message, raw or compressed."""
    if isinstance(message, CompressedImage):
        return compressed_from_ros(message)
    return image_from_ros(message)


@dataclass(frozen=True, slots=True, eq=False)
class Joints:
    """Named joints at one moment, each array (D,); None for what was not measured."""

    stamp_ns: int
    names: tuple[str, ...]
    position: Floats
    velocity: Floats | None = None
    effort: Floats | None = None


def joints_from_ros(message: JointState, names: Sequence[str] | None = None) -> Joints:
    """Return the joints of a message. names: which, in this order; without it as they came.

    Raises ConversionError for a missing joint or lists of different lengths.
    """
    present = tuple(message.name)
    chosen = present if names is None else tuple(names)
    places = {name: index for index, name in enumerate(present)}
    for name in chosen:
        if name not in places:
            raise ConversionError(
                f"a joint state has no joint {name!r}",
                f"{len(chosen)} joints",
                nearest(name, places),
            )
    order = [places[name] for name in chosen]
    arrays: list[Floats | None] = []
    for field in ("position", "velocity", "effort"):
        values = np.array(getattr(message, field), np.float64)
        if len(values) not in (0, len(present)) or (field == "position" and not len(values)):
            raise ConversionError(
                f"a joint state has {len(values)} entries of {field}",
                f"{len(present)}, one per name",
            )
        arrays.append(values[order] if len(values) else None)
    position, velocity, effort = arrays
    assert position is not None
    return Joints(stamp_from_ros(message.header.stamp), chosen, position, velocity, effort)


def joints_to_ros(joints: Joints) -> JointState:
    """Return a JointState message."""
    message = JointState()
    message.header.stamp = stamp_to_ros(joints.stamp_ns)
    message.name = list(joints.names)
    for field in ("position", "velocity", "effort"):
        values: Floats | None = getattr(joints, field)
        if values is not None:
            setattr(message, field, array("d", np.asarray(values, np.float64).tobytes()))
    return message


def stamp_from_ros(time: Time) -> int:
    """Return nanoseconds."""
    return int(time.sec) * SECOND + int(time.nanosec)


def stamp_to_ros(stamp_ns: int) -> Time:
    """Return a time message; raises ConversionError for what it cannot hold."""
    seconds, rest = divmod(int(stamp_ns), SECOND)
    if not -_LARGEST_SECOND - 1 <= seconds <= _LARGEST_SECOND:
        raise ConversionError(f"a stamp is {stamp_ns} ns", "seconds that fit 32 bits")
    return Time(sec=seconds, nanosec=rest)


def _bytes_to_ros(content: memoryview) -> array[int]:
    # Anything but an array of bytes is checked value by value, a hundred times slower.
    data = array("B")
    data.frombytes(content.cast("B"))
    return data


ENCODINGS: tuple[RawEncoding, ...] = get_args(RawEncoding)

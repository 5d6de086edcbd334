"""ROS messages to the house's types and back."""

from __future__ import annotations

import time
from array import array

import numpy as np
import pytest

pytest.importorskip("rclpy")

from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, Image, JointState

from robovalue_ros.nodes.convert import (
    ENCODINGS,
    ConversionError,
    Joints,
    compressed_from_ros,
    compressed_to_ros,
    image_from_ros,
    image_to_ros,
    joints_from_ros,
    joints_to_ros,
    picture_from_ros,
    stamp_from_ros,
    stamp_to_ros,
)

pytestmark = pytest.mark.ros


def picture(seed: int, height: int = 12, width: int = 20) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def travelled(message):
    """Return what arrives when a message is sent."""
    return deserialize_message(serialize_message(message), type(message))


def padded(message: Image, extra: int) -> Image:
    """Return the image with rows that are longer than their pixels."""
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    wide = np.pad(rows, ((0, 0), (0, extra)), constant_values=255)
    message.step += extra
    message.data = array("B", wide.tobytes())
    return message


@given(
    st.integers(0, 99), st.integers(1, 9), st.integers(1, 9), st.integers(0, 5),
    st.sampled_from(ENCODINGS), st.integers(-(2**31), 2**31 - 1), st.integers(0, 10**9 - 1),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_images_come_back(seed, height, width, extra, encoding, seconds, rest) -> None:
    rgb = picture(seed, height, width)
    if encoding == "mono8":
        rgb = np.repeat(rgb[:, :, :1], 3, axis=2)
    stamp = seconds * 10**9 + rest
    message = travelled(padded(image_to_ros(rgb, stamp, "optical", encoding), extra))
    np.testing.assert_array_equal(image_from_ros(message), rgb)
    assert stamp_from_ros(message.header.stamp) == stamp
    assert message.header.frame_id == "optical" and message.encoding == encoding


@pytest.mark.parametrize(
    ("encoding", "corner"),
    [("bayer_rggb8", (0, 0)), ("bayer_bggr8", (1, 1)), ("bayer_gbrg8", (1, 0)), ("bayer_grbg8", (0, 1))],
)  # fmt: skip
def test_bayer_patterns_know_where_red_is(encoding, corner) -> None:
    mosaic = np.zeros((16, 16), np.uint8)
    mosaic[corner[0] :: 2, corner[1] :: 2] = 200
    message = Image(height=16, width=16, encoding=encoding, step=16)
    message.data = array("B", mosaic.tobytes())
    inside = image_from_ros(travelled(message))[4:12, 4:12].reshape(-1, 3).mean(axis=0)
    assert inside[0] > 150 and inside[1] < 20 and inside[2] < 20


@pytest.mark.parametrize("big", [False, True])
def test_sixteen_bits_honour_the_byte_order(big) -> None:
    grey = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    message = Image(height=3, width=4, encoding="mono16", step=8, is_bigendian=big)
    message.data = array("B", grey.astype(">u2" if big else "<u2").tobytes())
    np.testing.assert_array_equal(image_from_ros(message)[..., 1], (grey >> 8).astype(np.uint8))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"encoding": "16UC1"}, "16UC1"),
        ({"encoding": "32FC1"}, "expected one of rgb8"),
        ({"encoding": ""}, "''"),
        ({"height": 99}, "claims 20x99"),
        ({"width": 21}, "claims 21x12"),
        ({"step": 10}, "rows of 10 bytes"),
        ({"height": 0, "data": array("B")}, "claims 20x0"),
        ({"data": array("B")}, "holds 0 bytes"),
        ({"height": 2**31, "width": 2**31}, "claims"),
    ],
)
def test_an_image_that_contradicts_itself_is_refused(changes, text) -> None:
    message = image_to_ros(picture(0), 0)
    for name, value in changes.items():
        setattr(message, name, value)
    with pytest.raises(ConversionError) as problem:
        image_from_ros(message)
    assert text in str(problem.value)


@given(st.binary(max_size=200), st.integers(0, 40), st.integers(0, 40), st.integers(0, 200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_a_picture_or_a_reason(content, height, width, step) -> None:
    encodings = ("rgb8", "bgra8", "mono16", "bayer_rggb8", "yuv422", "nv12")
    message = Image(height=height, width=width, step=step, encoding=encodings[step % 6])
    message.data = array("B", content)
    try:
        rgb = image_from_ros(message)
    except ConversionError:
        return
    assert rgb.shape == (height, width, 3) and rgb.dtype == np.uint8


def test_compressed_images_come_back_nearly() -> None:
    smooth = np.linspace(0, 255, 64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)
    message = travelled(compressed_to_ros(smooth, 5, "optical", 95))
    back = picture_from_ros(message)
    assert np.abs(back.astype(int) - smooth).max() <= 8
    assert "jpeg" in message.format and stamp_from_ros(message.header.stamp) == 5


def test_damaged_compressed_images_are_refused() -> None:
    whole = compressed_to_ros(picture(1), 0)
    for content in (b"", b"\x00" * 40, bytes(whole.data[: len(whole.data) // 2])):
        message = CompressedImage(format="jpeg", data=array("B", content))
        with pytest.raises(ConversionError, match="a whole JPEG or PNG"):
            compressed_from_ros(message)


@given(st.integers(1, 9), st.booleans(), st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_joints_come_back_in_any_order(count, moving, pushing, random) -> None:
    rng = np.random.default_rng(count)
    names = tuple(f"joint_{index}" for index in range(count))
    joints = Joints(
        123, names, rng.normal(size=count), rng.normal(size=count) if moving else None,
        rng.normal(size=count) if pushing else None,
    )  # fmt: skip
    message = travelled(joints_to_ros(joints))
    back = joints_from_ros(message)
    assert back.names == names and back.stamp_ns == 123
    np.testing.assert_array_equal(back.position, joints.position)
    assert (back.velocity is None) != moving and (back.effort is None) != pushing
    mixed = list(names)
    random.shuffle(mixed)
    picked = joints_from_ros(message, mixed[:3])
    np.testing.assert_array_equal(
        picked.position, [joints.position[names.index(name)] for name in mixed[:3]]
    )


def test_joints_that_do_not_fit_are_refused() -> None:
    message = JointState(name=["a", "b"], position=[1.0])
    with pytest.raises(ConversionError, match="1 entries of position; expected 2"):
        joints_from_ros(message)
    message = JointState(name=["elbow"], position=[1.0])
    with pytest.raises(ConversionError, match="Did you mean 'elbow'"):
        joints_from_ros(message, ["elbw"])
    with pytest.raises(ConversionError, match="0 entries"):
        joints_from_ros(JointState(name=["a"]))


def test_stamps_come_back_and_impossible_ones_are_refused() -> None:
    for stamp in (0, 1, 10**9 - 1, 1_700_000_000_123_456_789, -1, -(2**31) * 10**9):
        assert stamp_from_ros(stamp_to_ros(stamp)) == stamp
    with pytest.raises(ConversionError, match="32 bits"):
        stamp_to_ros(2**31 * 10**9)


def test_filling_a_message_is_as_quick_as_copying() -> None:
    """The slow ways cost fifty times as much; this bound only tells them apart."""
    rgb = picture(2, 480, 640)

    def best(work) -> float:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        return min(times)

    assert best(lambda: image_to_ros(rgb, 0)) < 20 * best(rgb.copy) + 1e-3

"""The value node as a process of its own: signals, exit codes, whole images over the profile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

from ros_world import isolate, orphans

pytestmark = pytest.mark.ros
ROOT = Path(__file__).parents[2]
PROFILE = ROOT / "config" / "fastdds_shm.xml"
NODE = [sys.executable, "-m", "robovalue_ros.nodes.entry"]


def started(*words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*NODE, "--ros-args", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, **isolate(), **environment},
    )  # fmt: skip


def wait_for_line(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"the process ended before it said {text!r}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_process_cleanly(model_file, number) -> None:
    before = {path.name for path in Path("/dev/shm").glob("fastdds_*")}
    process = started("-p", f"model:={model_file}")
    wait_for_line(process, "cam_high on image")
    mapped = Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8")
    time.sleep(0.3)
    begun = time.monotonic()
    process.send_signal(number)
    rest, _ = process.communicate(timeout=10)
    assert time.monotonic() - begun < 2.0
    assert process.returncode == 0, rest
    assert "Traceback" not in rest
    left = {path.name for path in Path("/dev/shm").glob("fastdds_*")} - before
    # It also looked into the segments of other test processes, which live on.
    assert orphans(name for name in left if name in mapped) == []


def test_a_signal_while_it_starts_ends_it_too(model_file) -> None:
    process = started("-p", f"model:={model_file}")
    time.sleep(0.7)
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=20)
    # Before the first line of ours runs, Python itself decides.
    assert process.returncode in (0, -signal.SIGTERM), rest
    assert "Traceback" not in rest


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "lacks the key 'model'"),
        (("-p", "model:=/nowhere/model.npz"), "/nowhere/model.npz"),
        (("-p", "model:=x", "-p", "toleranc_ms:=3.0"), "Did you mean 'tolerance_ms'"),
        (("-p", "model"), "ROS arguments cannot be read"),
    ],
)
def test_an_error_of_the_user_is_one_line_and_exit_code_2(words, text) -> None:
    process = started(*words)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 2, said
    lines = [line for line in said.splitlines() if line.startswith("robovalue: error:")]
    assert len(lines) == 1 and text in lines[0]
    assert "Traceback" not in said


WHOLE_IMAGES = """
import sys, time
import numpy as np
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from robovalue_ros.nodes.convert import image_from_ros, image_to_ros

role, count = sys.argv[1], 60
rclpy.init()
node = rclpy.create_node(role)
quality = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
if role == "send":
    out = node.create_publisher(Image, "image", quality)
    while not out.get_subscription_count():
        time.sleep(0.05)
    time.sleep(0.5)
    for index in range(count):
        out.publish(image_to_ros(np.full((480, 640, 3), index, np.uint8), index + 1))
        time.sleep(1 / 30)
    time.sleep(0.5)
else:
    seen = []
    def take(message):
        image = image_from_ros(message)
        assert image.shape == (480, 640, 3) and image.min() == image.max()
        seen.append(int(image[0, 0, 0]))
    node.create_subscription(Image, "image", take, quality)
    end = time.monotonic() + 30
    while time.monotonic() < end and count - 1 not in seen:
        rclpy.spin_once(node, timeout_sec=0.1)
    print(len(seen), seen == sorted(set(seen)))
node.destroy_node()
rclpy.shutdown()
"""


def test_whole_images_arrive_over_the_shipped_profile() -> None:
    # One domain for both; the variables must be there before the processes begin.
    environment = {**os.environ, **isolate(), "FASTDDS_DEFAULT_PROFILES_FILE": str(PROFILE)}
    hear, send = (
        subprocess.Popen(
            [sys.executable, "-c", WHOLE_IMAGES, role], stdout=subprocess.PIPE, text=True,
            env=environment,
        )
        for role in ("hear", "send")
    )  # fmt: skip
    said, _ = hear.communicate(timeout=60)
    send.communicate(timeout=60)
    assert said.split() == ["60", "True"]

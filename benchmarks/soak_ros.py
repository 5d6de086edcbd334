"""Trouble for the value node, for minutes: cameras lost, encodings and sizes changed, clocks set.

`python -m benchmarks.soak_ros [--minutes 10]` prints what was sent, what became of it and how the
node's memory went; it ends with an error when the node crashed, memory grew by more than a megabyte
per minute, or a picture is not accounted for.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import psutil

from benchmarks.bench_ros import PROFILE, RATE_HZ, _write_model

MOST_MB_PER_MINUTE = 1.0
WARM_UP = 0.3  # share of the run in which memory may still settle
TROUBLES = ("lost", "depth", "damaged", "small", "back", "ahead", "stuck", "unstamped")
ENCODINGS = ("rgb8", "bgr8", "mono8", "bgra8")


@dataclass
class Trouble:
    """What is wrong until `until`, with the camera of index `camera` or with both."""

    kind: str
    camera: int
    until: float


def main() -> None:
    """Run node and cameras; print the account."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.environ |= {
        "FASTDDS_DEFAULT_PROFILES_FILE": str(PROFILE),
        "ROS_DOMAIN_ID": str(1 + os.getpid() % 101),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        model = _write_model(Path(folder) / "toy.npz")
        node = subprocess.Popen(
            [sys.executable, "-m", "robovalue_ros.nodes.entry", "--ros-args",
             "-p", f"model:={model}", "-p", "snapshot_s:=5.0"],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            sent, counts, memory = _soak(node.pid, 60 * options.minutes, options.seed)
        finally:
            node.send_signal(signal.SIGTERM)
            code = node.wait(10)
    _judge(sent, counts, np.array(memory), code)


def _soak(
    pid: int, seconds: float, seed: int
) -> tuple[int, dict[str, dict[str, int]], list[tuple[float, float]]]:
    """Return pictures sent, the last counts by part, and the node's (minute, megabytes)."""
    import rclpy
    from diagnostic_msgs.msg import DiagnosticArray
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    from robovalue_ros.nodes.diagnostics import values_from_ros

    rclpy.init()
    ear = rclpy.create_node("soak")
    counts: dict[str, dict[str, int]] = {}

    def listen(message: DiagnosticArray) -> None:
        for status in message.status:
            numbers = {k: v for k, v in values_from_ros(status).items() if v.isdigit()}
            counts[status.name] = {key: int(value) for key, value in numbers.items()}

    ear.create_subscription(DiagnosticArray, "/diagnostics", listen, 10)
    outs = [
        ear.create_publisher(Image, name, qos_profile_sensor_data) for name in ("image", "image_2")
    ]
    executor, over = SingleThreadedExecutor(), threading.Event()
    executor.add_node(ear)

    def spin() -> None:
        while not over.is_set():
            executor.spin_once(timeout_sec=0.1)

    spinner = threading.Thread(target=spin)
    spinner.start()
    while not all(out.get_subscription_count() for out in outs):
        time.sleep(0.05)
    time.sleep(1.0)
    process, memory, sent = psutil.Process(pid), [], 0
    cameras = _Cameras(np.random.default_rng(seed))
    begun = time.monotonic()
    for index in range(int(seconds * RATE_HZ)):
        now = index / RATE_HZ
        time.sleep(max(0.0, begun + now - time.monotonic()))
        for camera, message in cameras.messages(now):
            outs[camera].publish(message)
            sent += 1
        if index % RATE_HZ == 0:
            # Segments of shared memory belong to everybody, and fill up as they are used.
            told = process.memory_info()
            memory.append((now / 60, (told.rss - told.shared) / 1e6))
    time.sleep(3.0)
    over.set()
    spinner.join()
    executor.shutdown()
    ear.destroy_node()
    rclpy.shutdown()
    return sent, counts, memory


class _Cameras:
    """Makes the messages of both cameras, with trouble now and then."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        coarse = rng.integers(0, 256, (8, 12, 16, 3), dtype=np.uint8)
        # Smooth, so that they compress like those of a camera.
        self._pictures = np.stack([cv2.resize(one, (640, 480)) for one in coarse])
        self._trouble = Trouble("none", 0, 3.0)
        self._shift_ns = 0
        self._stuck_ns = 0

    def messages(self, now: float) -> list[tuple[int, object]]:
        from robovalue_ros.nodes.convert import image_to_ros

        if now > self._trouble.until:
            self._next(now)
        kind, which = self._trouble.kind, self._trouble.camera
        stamp = time.time_ns() + self._shift_ns
        found = []
        for camera in (0, 1):
            hit = which in (camera, 2)
            if hit and kind == "lost":
                continue
            picture = self._pictures[int(now * RATE_HZ + camera) % 8]
            if hit and kind == "small":
                picture = picture[:240, :320]
            when = stamp
            if hit and kind == "unstamped":
                when = 0
            if hit and kind == "stuck":
                when = self._stuck_ns
            encoding = ENCODINGS[int(now) % 4]
            message = image_to_ros(picture, when, encoding=encoding)
            if hit and kind == "depth":
                message.encoding = "32FC1"
            if hit and kind == "damaged":
                message.step = 7
            found.append((camera, message))
        return found

    def _next(self, now: float) -> None:
        """Choose what is wrong next; every second time nothing is."""
        calm = self._trouble.kind != "none"
        kind = "none" if calm else str(self._rng.choice(TROUBLES))
        self._trouble = Trouble(kind, int(self._rng.integers(3)), now + self._rng.uniform(0.2, 3.0))
        if kind in ("back", "ahead"):
            leap = int(self._rng.uniform(1, 7200) * 1e9)
            self._shift_ns += -leap if kind == "back" else leap
        self._stuck_ns = time.time_ns() + self._shift_ns


def _judge(sent: int, counts: dict[str, dict[str, int]], memory: np.ndarray, code: int) -> None:
    stream = counts["value_node: stream"]
    lanes = [part for name, part in counts.items() if name.startswith("value_node: camera")]
    received = sum(lane["received"] for lane in lanes)
    known = sum(lane["used"] + lane["unused"] + lane["late"] for lane in lanes)
    ended = sum(stream[name] for name in ("published", "dropped", "refused", "late"))
    settled = memory[memory[:, 0] >= WARM_UP * memory[-1, 0]]
    slope = float(np.polyfit(settled[:, 0], settled[:, 1], 1)[0])
    print(f"{memory[-1, 0]:.1f} minutes, {sent} pictures sent, {received} received")
    print(f"pictures: {received} received = {known} used, unused or late")
    print(f"moments: {stream['moments']} = {ended} published, dropped, refused or late; {stream}")
    print(f"memory: {settled[0, 1]:.0f} to {settled[-1, 1]:.0f} MB, {slope:+.2f} MB per minute")
    steps = memory[:: max(1, len(memory) // 12), 1]
    print("memory over time, MB:", " ".join(f"{step:.0f}" for step in steps))
    print(f"exit code {code}")
    if code or received != known or stream["moments"] != ended or slope > MOST_MB_PER_MINUTE:
        sys.exit("the node did not pass")


if __name__ == "__main__":
    main()

"""Two cameras that send, and an ear for what the value node says: a process of bench_ros."""

from __future__ import annotations

import json
import sys
import threading
import time

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from benchmarks.bench_ros import HEIGHT, RATE_HZ, WIDTH
from robovalue_ros.nodes.convert import image_to_ros, stamp_from_ros, stamp_to_ros
from robovalue_ros.nodes.diagnostics import values_from_ros

FRAMES = 16


def main() -> None:
    """Send for SECONDS; print one line of JSON with what was heard after WARM_UP seconds."""
    seconds, warm_up = map(float, sys.argv[1:])
    rclpy.init()
    node = rclpy.create_node("cameras")
    outs = [
        node.create_publisher(Image, name, qos_profile_sensor_data) for name in ("image", "image_2")
    ]
    heard: dict[int, tuple[float, float]] = {}
    counts: dict[str, int] = {}

    def listen(message: DiagnosticArray) -> None:
        values = values_from_ros(message.status[0])
        stamp = stamp_from_ros(message.header.stamp)
        heard[stamp] = float(values["latency_ms"]), float(values["share_ms"])

    def diagnose(message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == "value_node: stream":
                counts["dropped"] = int(values_from_ros(status)["dropped"])

    node.create_subscription(DiagnosticArray, "/value_node/state", listen, 100)
    node.create_subscription(DiagnosticArray, "/diagnostics", diagnose, 10)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    over = threading.Event()

    def spin() -> None:
        while not over.is_set():
            executor.spin_once(timeout_sec=0.1)

    spinner = threading.Thread(target=spin)
    spinner.start()
    while not all(out.get_subscription_count() for out in outs):
        time.sleep(0.05)
    time.sleep(1.0)
    sent = _send(outs, seconds)
    time.sleep(2.0)
    counted = [stamp for stamp in sent if stamp - sent[0] >= warm_up * 1e9]
    told = [heard[stamp] for stamp in counted if stamp in heard]
    print(
        json.dumps(
            {
                "sent": len(sent),
                "values": sum(stamp in heard for stamp in sent),
                "dropped": counts.get("dropped", 0),
                "latency_ms": [row[0] for row in told],
                "share_ms": [row[1] for row in told],
            }
        )
    )
    over.set()
    spinner.join()
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown()


def _send(outs: list, seconds: float) -> list[int]:
    """Send both cameras' pictures at the rate; return their stamps."""
    rng = np.random.default_rng(0)
    messages = [
        image_to_ros(rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8), 0)
        for _ in range(FRAMES)
    ]
    stamps = []
    begun = time.monotonic()
    for index in range(int(seconds * RATE_HZ)):
        time.sleep(max(0.0, begun + index / RATE_HZ - time.monotonic()))
        stamp = time.time_ns()
        stamps.append(stamp)
        for number, out in enumerate(outs):
            message = messages[(index + number) % FRAMES]
            message.header.stamp = stamp_to_ros(stamp)
            out.publish(message)
    return stamps


if __name__ == "__main__":
    main()

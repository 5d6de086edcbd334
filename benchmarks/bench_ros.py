"""The value node on two live VGA cameras: from an image's stamp to its published value."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.book import Sheet
from robovalue_ros.data.value_store.value_model import write_value_model
from robovalue_ros.value.stream.fitting import fit_value_model
from robovalue_ros.value.stream.options import FitOptions

PROFILE = Path(__file__).parents[1] / "config" / "fastdds_shm.xml"
COMMAND = "OMP_NUM_THREADS=1 python -m benchmarks --only ros"
SECONDS, RATE_HZ, WARM_UP_S = 10.0, 30, 2.0
ROUNDS = 3
CAMERAS = ("cam_high", "cam_wrist")
HEIGHT, WIDTH = 480, 640


def sheets() -> Iterator[Sheet]:
    """Run node and cameras as processes of their own, with both profiles in turn."""
    from importlib.util import find_spec

    if find_spec("rclpy") is None:
        return
    kinds = {"shipped, config/fastdds_shm.xml": PROFILE, "default": None}
    found: dict[str, list[dict[str, object]]] = {name: [] for name in kinds}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        model = _write_model(Path(folder) / "toy.npz")
        for number in range(ROUNDS):
            for name, profile in kinds.items():
                domain = 1 + (os.getpid() + 7 * number + (profile is None)) % 101
                found[name].append(_measure(model, profile, domain))
    yield Sheet(
        f"Value node: {len(CAMERAS)} cameras of {WIDTH}x{HEIGHT} raw pixels at {RATE_HZ} Hz, a "
        "model of the kind pixels",
        COMMAND,
        (
            "Fast DDS profile", "moments sent", "values", "lost on the way", "dropped by the node",
            "latency p50, ms", "p95, ms", "the node's share p50, ms", "p95, ms",
        ),
        [_row(name, rounds) for name, rounds in found.items()],
        f"{ROUNDS} rounds of {SECONDS:.0f} s each, in turn, best-effort subscriptions; the first "
        f"{WARM_UP_S:.0f} s of each do not count for the times. Latency: from the stamp of the images, taken "
        "before the first is sent, to the publication of their value. The node's share: from the "
        "arrival of the last image in the node's callback. Lost on the way: neither camera's image "
        "arrived in time to make a value. Cameras and node share the machine's cores.",
    )  # fmt: skip


def _row(name: str, rounds: Sequence[dict[str, object]]) -> list[str]:
    latency, share = (
        np.concatenate([np.asarray(one[key], float) for one in rounds])
        for key in ("latency_ms", "share_ms")
    )
    sent, values, dropped = (
        sum(int(str(one[key])) for one in rounds) for key in ("sent", "values", "dropped")
    )
    times = [f"{np.percentile(part, q):.1f}" if len(part) else "-"
             for part in (latency, share) for q in (50, 95)]  # fmt: skip
    return [name, str(sent), str(values), str(sent - values - dropped), str(dropped), *times]


def _write_model(path: Path) -> Path:
    """Write a model of the usual size; what it has learned does not change its speed."""
    rng = np.random.default_rng(0)
    stamps = np.arange(24, dtype=np.int64) * 50_000_000
    demos = []
    for _ in range(3):
        pictures = {name: np.full((24, 64, 64, 3), 180, np.uint8) for name in CAMERAS}
        for part in pictures.values():
            top = int(rng.integers(10, 40))
            for step in range(24):
                part[step, top : top + 10, 2 * step : 2 * step + 10] = (200, 40, 40)
        demos.append((pictures, stamps))
    model = fit_value_model(demos, FitOptions(steps=60, batch=8), rng)
    write_value_model(path, model, {"task": "benchmark"})
    return path


def _measure(model: Path, profile: Path | None, domain: int) -> dict[str, object]:
    environment = {
        **os.environ, "ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }  # fmt: skip
    environment.pop("FASTDDS_DEFAULT_PROFILES_FILE", None)
    if profile is not None:
        environment["FASTDDS_DEFAULT_PROFILES_FILE"] = str(profile)
    node = subprocess.Popen(
        [sys.executable, "-m", "robovalue_ros.nodes.entry", "--ros-args", "-p", f"model:={model}"],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        cameras = subprocess.run(
            [sys.executable, "-m", "benchmarks.ros_cameras", str(SECONDS), str(WARM_UP_S)],
            env=environment, capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
    finally:
        node.send_signal(signal.SIGINT)
        node.wait(10)
    result: dict[str, object] = json.loads(cameras.stdout.splitlines()[-1])
    return result

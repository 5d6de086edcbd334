"""Time and memory of the stream: `python -m benchmarks.value_study.speed --frames 100000`."""

from __future__ import annotations

import argparse
import resource
import time
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.book import Sheet, print_sheet
from robovalue_ros.contracts.types import Frame
from robovalue_ros.value.pixels.network import PixelNetwork
from robovalue_ros.value.pixels.novelty import KEPT, learn_bank
from robovalue_ros.value.pixels.training import initial_weights
from robovalue_ros.value.stream.live import Seen, ValueStream
from robovalue_ros.value.stream.model import Rules, ValueModel
from robovalue_ros.value.stream.pixel_kind import PixelKnowledge

CAMERAS = ("cam_high", "cam_left_wrist")
PICTURES = 32
STEP_NS = 50_000_000


class TimedStream(ValueStream):
    """A stream that keeps the time that looking at pictures took, CPU seconds."""

    looking = 0.0

    def _look(self, *given: Any, **named: Any) -> Seen:
        start = time.thread_time()
        seen = super()._look(*given, **named)
        self.looking = time.thread_time() - start
        return seen


def untrained(rng: np.random.Generator) -> ValueModel:
    """Return a model that knows nothing and costs what any other costs."""
    network = PixelNetwork(CAMERAS, initial_weights(CAMERAS, rng))
    width = 128
    features = [rng.random((KEPT, width), np.float32) for _ in range(2)]
    banks = tuple(learn_bank(features, rng) for _ in CAMERAS)
    return ValueModel(PixelKnowledge(network, banks), Rules(1.0, 1.0, 0.0, 0.05, 0.6, 0.12, 0.05))


def measure_speed(frames: int, size: int) -> list[tuple[str, ...]]:
    """Push frames and return one row per tenth of the run."""
    rng = np.random.default_rng(0)
    stream = TimedStream(untrained(rng))
    pictures = [
        {name: rng.integers(0, 256, (size, size, 3)).astype(np.uint8) for name in CAMERAS}
        for _ in range(PICTURES)
    ]
    rows = []
    part = max(1, frames // 10)
    for tenth in range(10):
        whole, rest = np.empty(part), np.empty(part)
        for row in range(part):
            index = tenth * part + row
            frame = Frame(index * STEP_NS, pictures[index % PICTURES])
            start = time.thread_time()
            stream.push(frame)
            whole[row] = time.thread_time() - start
            rest[row] = whole[row] - stream.looking
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        times = [
            f"{1e3 * np.percentile(values, q):.2f}"
            for values in (whole, rest)
            for q in (50, 95, 99)
        ]
        rows.append((f"{(tenth + 1) * part:,}", *times, f"{memory:.0f}"))
    return rows


def speed_sheet(frames: int, size: int) -> Sheet:
    """Return the table of one run."""
    columns = (
        "frames", "all p50 ms", "p95", "p99", "without looking p50 ms", "p95", "p99", "peak MiB",
    )  # fmt: skip
    return Sheet(
        f"Time per frame, two cameras {size}x{size}, one core",
        f"OMP_NUM_THREADS=1 python -m benchmarks.value_study.speed --frames {frames}",
        columns, measure_speed(frames, size),
        "CPU time of the thread; at most 3 ms are allowed. Looking is the network on the pictures.",
    )  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=128)
    options = parser.parse_args()
    print_sheet(speed_sheet(options.frames, options.size), Console(width=120))


if __name__ == "__main__":
    main()

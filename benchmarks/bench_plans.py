"""Building sampling plans: time, memory and growth, and against plain Python, frame by frame."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.book import Ratio, Sheet
from benchmarks.straightforward.plan_building import plain_plan
from robovalue_ros.contracts.types import SamplingPlan
from robovalue_ros.plans.build import build_plan
from robovalue_ros.plans.episodes import FrameTable, table_of
from robovalue_ros.plans.meta import PlanSource
from robovalue_ros.plans.options import PlanOptions

EPISODES, SMALL, FRAMES, WIDTH = 20_000, 2_000, 100, 14
PAIRS = 5
GRIPPERS = (6, 13)
SOURCE = PlanSource("bench")


@dataclass(frozen=True)
class Case:
    """One kind of plan, of so many episodes of about a hundred frames."""

    label: str
    change_points: bool
    grippers: bool

    def options(self, episodes: int) -> PlanOptions:
        return PlanOptions(
            num_episodes_keep=episodes,
            stage_strategy="change_point_state" if self.change_points else "time_quantile",
            gripper_event_enabled=self.grippers,
        )


CASES = (
    Case("stages by time", False, False),
    Case("stages by jumps of the state, gripper events", True, True),
)


def sheets() -> Iterator[Sheet]:
    """Measure both kinds of plan."""
    rows = [_measure(number) for number in range(len(CASES))]
    yield Sheet(
        "Building sampling plans",
        "python -m benchmarks --only plans",
        ("plan", "2 million frames", "peak memory", "growth for 10 times the frames",
         "plain Python / ours"),
        rows,
        f"{EPISODES} episodes of {FRAMES} frames on average, {WIDTH} dimensions of state in memory, "
        "two of them grippers; every build in a process of its own on one core, and seconds are "
        "those that it worked. Peak memory is all of the process: libraries, data and plan. Growth: "
        f"against {SMALL} episodes; 10 is linear. "
        "Plain Python takes one frame at a time, as one would write the rules first; it makes the "
        f"same plan, which is checked in the same run, of {SMALL} episodes, because all would take "
        "minutes. Larger is better.",
    )  # fmt: skip


def _measure(number: int) -> tuple[str, ...]:
    growth, seconds, memory = Ratio(), [], []
    for _ in range(PAIRS):
        small, large = _child(number, SMALL), _child(number, EPISODES)
        growth.values.append(large["seconds"] / small["seconds"])
        seconds.append(large["seconds"])
        memory.append(large["megabytes"])
    plain = Ratio(_child(number, SMALL, plain=True)["ratios"])
    return (
        CASES[number].label, f"{np.median(seconds):.2f} s", f"{max(memory):.0f} MB",
        growth.text(), plain.text(),
    )  # fmt: skip


def _child(number: int, episodes: int, plain: bool = False) -> dict[str, float | list[float]]:
    """Build in a new process that has one core."""
    command = [sys.executable, "-m", "benchmarks.bench_plans", str(number), str(episodes)]
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(
        command + ["plain"] * plain, capture_output=True, text=True, check=True, env=alone
    )
    return json.loads(run.stdout)


def _in_child(number: int, episodes: int, plain: bool) -> dict[str, float | list[float]]:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    table, options = _table(episodes), CASES[number].options(episodes)
    # The first call of a function loads what it needs.
    build_plan(_table(2), CASES[number].options(2), SOURCE)
    seconds = []
    for _ in range(PAIRS):
        begun = time.process_time()
        plan = build_plan(table, options, SOURCE)
        seconds.append(time.process_time() - begun)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if not plain:
        return {"seconds": float(np.median(seconds)), "megabytes": peak}
    begun = time.process_time()
    expected = plain_plan(table, options)
    slow = time.process_time() - begun
    _assert_same(plan, expected.anchors, expected.stages, expected.weights)
    return {"ratios": [slow / once for once in seconds]}


def _assert_same(
    plan: SamplingPlan, anchors: list[int], stages: list[int], weights: list[float]
) -> None:
    assert plan.anchors.tolist() == anchors, "plain Python finds other anchors"
    assert plan.stages.tolist() == stages, "plain Python finds other stages"
    assert np.allclose(plan.weights, weights, rtol=1e-6), "plain Python finds other weights"


def _table(episodes: int) -> FrameTable:
    """Draw episodes of a robot that wanders in steps of 1/64, so that all sums are exact."""
    random = np.random.default_rng(0)
    lengths = random.integers(FRAMES - 40, FRAMES + 41, episodes)
    rows = int(lengths.sum())
    steps = random.integers(-1, 2, (rows, WIDTH), dtype=np.int8)
    states = np.cumsum(steps, axis=0, dtype=np.float32) / np.float32(64)
    for dim in GRIPPERS:
        moves = random.random(rows) < 1 / 40
        states[:, dim] = np.cumsum(moves) % 2
    return table_of(lengths, states=states)


if __name__ == "__main__":
    print(json.dumps(_in_child(int(sys.argv[1]), int(sys.argv[2]), len(sys.argv) > 3)))

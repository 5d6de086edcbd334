"""What the study plays and fits, and where it keeps what it measured."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from benchmarks.studies import ROOT, content_name
from robovalue_ros.contracts.config import option

CODE = ("robovalue_ros/value/pixels", "robovalue_ros/value/stream", "envs/sim")
OWN_CODE = ("curves.py", "playing.py")
DEFAULT_OUT = "build/value_study"


@dataclass(frozen=True)
class StudyConfig:
    """What `make bench-value` can be told."""

    tasks: tuple[str, ...] = option(
        ("put_red_cube", "put_two_cubes", "open_drawer"), "simulated tasks, one after the other"
    )
    demos: tuple[int, ...] = option(
        (20, 10), "numbers of demonstrations to fit on; controls stand beside the first"
    )
    episodes: int = option(60, "held-out successes, and as many failures", low=1, high=10_000)
    altered: int = option(30, "the same with altered pictures", low=1, high=10_000)
    demo_seed: int = option(11, "seed of the demonstrations", low=0)
    test_seed: int = option(9101, "seed of the held-out episodes", low=0)
    fit_seed: int = option(0, "seed of the training", low=0)
    steps: int = option(0, "training steps; 0: as many as fitting chooses", low=0, high=100_000)
    batch: int = option(32, "scenes per training step", low=1, high=4096)
    size: int = option(128, "height and width of the pictures", low=16, high=1024)
    draws: int = option(1000, "resamples of episodes for each interval", low=1, high=100_000)
    speed_frames: int = option(5000, "frames pushed to measure time", low=100, high=10_000_000)
    quick: bool = option(False, "a short form that shows that everything runs, not how well")
    write: bool = option(False, "write docs/value_study.md")
    out: Path = option(
        Path(DEFAULT_OUT), "folder of models and curves; an interrupted run goes on from it"
    )


def settled(config: StudyConfig) -> StudyConfig:
    """Return the configuration with the numbers that the short form stands for."""
    if not config.quick:
        return config
    return dataclasses.replace(
        config, tasks=("open_drawer",), demos=(3, 2), episodes=2, altered=1, steps=60, batch=8,
        size=64, draws=50, speed_frames=100,
    )  # fmt: skip


def task_folder(config: StudyConfig, task: str) -> Path:
    """Return where the models and curves of a task belong.

    Its name holds a digest of everything that they depend on, programs included, so that nothing
    measured before a change is taken for something measured after it.
    """
    names = ("episodes", "altered", "demo_seed", "test_seed", "fit_seed", "steps", "batch", "size")
    chosen = {name: getattr(config, name) for name in names} | {"task": task}
    files = [path for folder in CODE for path in sorted((ROOT / folder).glob("*.py"))]
    files += [Path(__file__).with_name(name) for name in OWN_CODE]
    return config.out / f"{task}-{content_name(chosen, files)}"

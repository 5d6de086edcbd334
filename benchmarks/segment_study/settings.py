"""What the study plays and fits, and where it keeps what it made."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from pathlib import Path

from benchmarks.studies import ROOT, content_name
from robovalue_ros.contracts.config import option

CODE = ("envs/sim", "robovalue_ros/segment", "robovalue_ros/backends/trackers")
OWN_CODE = ("seeing.py",)
CAMERA = "cam_high"
FPS = 20.0
TOLERANCE = 0.5  # seconds
TASKS = ("put_two_cubes", "put_everything")
SHORT_TASKS = ("put_red_cube",)


@dataclass(frozen=True)
class StudyConfig:
    """What `make bench-segment` can be told."""

    episodes: int = option(40, "held-out episodes, as many of each task", low=1, high=10_000)
    train: int = option(40, "episodes that everything is fitted on", low=2, high=10_000)
    train_seed: int = option(7301, "seed of those", low=0)
    test_seed: int = option(240_811, "seed of the held-out episodes", low=0)
    fit_seed: int = option(0, "seed of the trainings", low=0)
    size: int = option(128, "height and width of the pictures", low=32, high=1024)
    tracks: int = option(400, "points that are followed", low=4, high=10_000)
    hidden: int = option(192, "width of the tokenizer", low=16, high=4096)
    codebook: int = option(256, "nominal size of its code book", low=16)
    epochs: int = option(7, "epochs of its training", low=1, high=1000)
    minutes: float = option(10.0, "CPU minutes after which its training ends", low=0.01, high=600.0)
    value_demos: int = option(10, "demonstrations of the value model of each task", low=2)
    value_steps: int = option(1200, "steps of its training", low=1, high=100_000)
    thresholds: int = option(21, "thresholds tried for each energy", low=2, high=1000)
    draws: int = option(2000, "resamples of episodes for each interval", low=10, high=1_000_000)
    short: bool = option(False, "a short form that shows that everything runs, not how well")
    write: bool = option(False, "write docs/segment_study.md")
    out: Path = option(
        Path("build/segment_study"),
        "folder of what was seen and learned; a second run goes on from it",
    )


def settled(config: StudyConfig) -> StudyConfig:
    """Return the configuration with the numbers that the short form stands for."""
    if not config.short:
        return config
    return dataclasses.replace(
        config, episodes=1, train=2, test_seed=1, thresholds=3, size=48, tracks=36, hidden=32, codebook=64, epochs=1,
        value_demos=2, value_steps=10, draws=50,
    )  # fmt: skip


def tasks_of(config: StudyConfig) -> tuple[str, ...]:
    """Return the simulated tasks."""
    return SHORT_TASKS if config.short else TASKS


@functools.cache  # a file that somebody changes meanwhile makes no second study
def study_folder(config: StudyConfig) -> Path:
    """Return where this study's files belong: its name changes with everything they depend on."""
    names = (
        "episodes", "train", "train_seed", "test_seed", "size", "tracks", "fit_seed",
    )  # fmt: skip
    chosen = {name: getattr(config, name) for name in names}
    files = [path for folder in CODE for path in sorted((ROOT / folder).glob("*.py"))]
    files += [Path(__file__).with_name(name) for name in OWN_CODE]
    return config.out / content_name(chosen, files)

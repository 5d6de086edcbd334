"""What the study plays, trains and tries, and where it keeps what it made."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from pathlib import Path

from benchmarks.studies import ROOT, content_name
from robovalue_ros.contracts.config import option

# What value curves depend on, and what policies do beyond them: code, and fields of StudyConfig.
VALUE_CODE = (
    "envs/sim/*.py", "robovalue_ros/value/pixels/*.py", "robovalue_ros/value/stream/*.py",
    "benchmarks/plan_study/demonstrations.py", "benchmarks/plan_study/values.py",
)  # fmt: skip
VALUE_FIELDS = ("task", "demos", "keep", "demo_seed", "value_steps", "size")
POLICY_CODE = (
    "robovalue_ros/plans/*.py", "benchmarks/plan_study/arms.py",
    "benchmarks/plan_study/policy.py", "benchmarks/plan_study/trials.py",
)  # fmt: skip
POLICY_FIELDS = (
    "episodes", "test_seed", "horizon", "played", "steps", "batch", "width", "rate",
)  # fmt: skip


@dataclass(frozen=True)
class StudyConfig:
    """What `make bench-plans` can be told."""

    task: str = option("put_red_cube", "simulated task")
    demos: int = option(50, "successful demonstrations that there are", low=2, high=10_000)
    keep: int = option(10, "demonstrations that training gets", low=2, high=10_000)
    seeds: tuple[int, ...] = option(
        (0, 1, 2), "seeds: which demonstrations, the plan, the order, first weights of the policy"
    )
    episodes: int = option(200, "episodes that each trained policy tries", low=1, high=100_000)
    demo_seed: int = option(4021, "seed of the demonstrations", low=0)
    test_seed: int = option(880_417, "seed of the initial states that policies try", low=0)
    horizon: int = option(16, "actions of a chunk, H", low=1, high=1000)
    played: int = option(8, "actions of a chunk that are played before the next", low=1, high=1000)
    steps: int = option(1000, "training steps", low=1, high=1_000_000)
    batch: int = option(64, "samples of a training step", low=1, high=65_536)
    width: int = option(256, "width of the policy's hidden layers", low=1, high=65_536)
    rate: float = option(1e-3, "highest learning rate", low=0.0, high=1.0)
    value_steps: int = option(
        0, "training steps of the value model; 0: as many as fitting chooses", low=0, high=100_000
    )
    size: int = option(64, "height and width of the value model's pictures", low=32, high=1024)
    draws: int = option(2000, "resamples for each interval", low=10, high=1_000_000)
    arms: tuple[str, ...] = option((), "names of rows to measure; none: all")
    short: bool = option(False, "a short form that shows that everything runs, not how well")
    write: bool = option(False, "write docs/plan_study.md")
    out: Path = option(
        Path("build/plan_study"), "folder of what was made; an interrupted run goes on from it"
    )


def settled(config: StudyConfig) -> StudyConfig:
    """Return the configuration with the numbers that the short form stands for."""
    if not config.short:
        return config
    return dataclasses.replace(
        config, task="open_drawer", demos=3, keep=2, seeds=(0,), episodes=2, steps=10, batch=16,
        width=32, value_steps=10, size=32, draws=50,
    )  # fmt: skip


def values_folder(config: StudyConfig) -> Path:
    """Return where value curves belong: its name changes with everything they depend on."""
    return config.out / f"values-{_digest(config, VALUE_FIELDS, VALUE_CODE)}"


def policies_folder(config: StudyConfig) -> Path:
    """Return where what policies reached belongs, named likewise."""
    names, code = (*VALUE_FIELDS, *POLICY_FIELDS), (*VALUE_CODE, *POLICY_CODE)
    return config.out / f"policies-{_digest(config, names, code)}"


@functools.cache  # a file that somebody changes meanwhile makes no second study
def _digest(config: StudyConfig, names: tuple[str, ...], code: tuple[str, ...]) -> str:
    chosen = {name: getattr(config, name) for name in names}
    return content_name(chosen, [path for one in code for path in sorted(ROOT.glob(one))])

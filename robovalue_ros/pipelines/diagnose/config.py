"""What may be chosen when a run is diagnosed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robovalue_ros.contracts.config import option

FitOn = Literal["success_centers", "rollouts", "mean_success_rollout"]
Kind = Literal["any", "success", "failure"]
Sample = Literal["random", "first"]


@dataclass(frozen=True)
class ClustersConfig:
    """`robovalue value check-clusters`."""

    out_cache_dir: Path = option(..., "folder that robovalue value estimate wrote")
    task: str | None = option(None, "tell about this task only; a plot shows the first by default")
    plot_key: str | None = option(None, "draw a group of this key: single, fused, high or wrist")
    plot_segment: int | None = option(None, "draw the group of this segment", low=0)
    out_png: Path | None = option(None, "where the drawing goes; default: a name in this folder")


@dataclass(frozen=True)
class DiffusionConfig:
    """`robovalue value check-diffusion`."""

    out_cache_dir: Path = option(..., "folder that robovalue value estimate wrote")
    task: str | None = option(None, "task whose segments are confused; default: the first by name")
    max_train_samples: int = option(5000, "at most so many training samples", low=1)
    seed: int = option(0, "of the noise and of the choice of episodes", low=0)
    t_eval: int | None = option(None, "step of noise; default: that of the run", low=0)
    noise_samples: int | None = option(None, "draws of noise; default: those of the run", low=1)
    heatmap_num_episodes: int = option(2, "so many episodes are drawn", low=0, high=10_000)
    heatmap_kind: Kind = option("any", "which episodes are drawn")


@dataclass(frozen=True)
class CentersConfig:
    """`robovalue value centers-2d`."""

    out_cache_dir: Path = option(..., "folder that robovalue value estimate wrote")
    task: str | None = option(None, "which task; default: the first by name")
    fit_on: FitOn = option("success_centers", "what the plane is fitted on")
    ignore_center_prefix_segments: int = option(0, "leave out the first centres", low=0)
    ignore_center_suffix_segments: int = option(0, "leave out the last centres", low=0)
    plot_ignored_centers: bool = option(False, "draw the centres left out, in grey")
    mean_success_count: int = option(
        0, "draw the mean of so many successes; 0: none, or of all when the plane is fitted on it",
        low=0,
    )  # fmt: skip
    mean_success_resample_points: int = option(100, "points of that mean", low=2, high=100_000)
    num_rollouts: int = option(5, "so many rollouts are drawn", low=0, high=1000)
    rollouts_kind: Kind = option("any", "which rollouts are drawn")
    rollouts_sample: Sample = option("random", "the first ones, or some drawn by the seed")
    rollouts_seed: int = option(0, "of that draw", low=0)
    rollouts_max_points: int = option(250, "at most so many points of a rollout", low=2)
    proj: Literal["pca"] = option("pca", "how the plane is found")
    l2_normalize: bool = option(True, "bring vectors to unit length first")
    out_png: Path | None = option(None, "where the picture goes; default: beside the results")

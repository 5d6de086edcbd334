"""Every option of `robovalue plan`; flags and defaults are those people know."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from robovalue_ros.contracts.config import option, same_as
from robovalue_ros.contracts.tools import ReadOptions
from robovalue_ros.plans.norm_rows import SubsetMode
from robovalue_ros.plans.options import (
    Compat,
    EventMode,
    PlanOptions,
    SampleWeighting,
    StageBalance,
    StageStrategy,
)
from robovalue_ros.plans.train_setups import DEFAULT_SETUP, train_setup

CurveChoice = Literal["auto", "causal", "hindsight"]
REPO_HELP = "the data set: a path, or a name below HF_LEROBOT_HOME"
SETUP_HELP = "training configuration; a known one supplies action horizon and batch size"
HORIZON_HELP = "frames of an action window, H; none: that of the training configuration"
BATCH_HELP = "samples of a training batch, B; none: that of the training configuration"
PLAN_HELP = "the plan: its folder, plan_meta.json or plan_arrays.npz"


@dataclass(frozen=True, kw_only=True)
class PlanBuildConfig:
    """`robovalue plan build`."""

    repo_id: str = option(..., REPO_HELP, aliases=("--data.repo-id",))
    train_config_name: str = option(DEFAULT_SETUP, SETUP_HELP)
    out_dir: Path = option(Path("sampling_plans/plan_star"), "folder of the plan")
    action_horizon: int | None = option(None, HORIZON_HELP, low=1, high=100_000)
    batch_size: int | None = option(None, BATCH_HELP, low=1)
    num_episodes_keep: int = same_as(PlanOptions, "num_episodes_keep")
    episode_selection_seed: int = same_as(PlanOptions, "episode_selection_seed")
    plan_seed: int = same_as(PlanOptions, "plan_seed")
    sampler_seed: int = same_as(PlanOptions, "sampler_seed")
    replacement: bool = same_as(PlanOptions, "replacement")
    stride_S: int = same_as(PlanOptions, "stride_S", aliases=("--stride-s",))
    min_anchors: int | None = same_as(PlanOptions, "min_anchors")
    valid_start_tail_keep: int = same_as(PlanOptions, "valid_start_tail_keep")
    stage_strategy: StageStrategy = same_as(PlanOptions, "stage_strategy")
    num_stages_K: int = same_as(PlanOptions, "num_stages_K", aliases=("--num-stages-k",))
    change_point_delta: int = same_as(PlanOptions, "change_point_delta")
    change_point_min_gap: int = same_as(PlanOptions, "change_point_min_gap")
    stage_balance: StageBalance = same_as(PlanOptions, "stage_balance")
    inv_freq_power: float = same_as(PlanOptions, "inv_freq_power")
    clip_ratio: float = same_as(PlanOptions, "clip_ratio")
    epsilon_mix: float = same_as(PlanOptions, "epsilon_mix")
    gripper_event_enabled: bool = same_as(PlanOptions, "gripper_event_enabled")
    gripper_dims: str = same_as(PlanOptions, "gripper_dims")
    gripper_smooth_window: int = same_as(PlanOptions, "gripper_smooth_window")
    gripper_delta1: int = same_as(PlanOptions, "gripper_delta1")
    gripper_delta2: int = same_as(PlanOptions, "gripper_delta2")
    gripper_quantile_q: float = same_as(PlanOptions, "gripper_quantile_q")
    gripper_min_gap: int = same_as(PlanOptions, "gripper_min_gap")
    gripper_noise_ratio: float = same_as(PlanOptions, "gripper_noise_ratio")
    gripper_event_mode: EventMode = same_as(PlanOptions, "gripper_event_mode")
    gripper_sigma: float = same_as(PlanOptions, "gripper_sigma")
    gripper_window_w: int = same_as(PlanOptions, "gripper_window_w")
    gripper_gamma: float = same_as(PlanOptions, "gripper_gamma")
    sample_weighting: SampleWeighting = same_as(PlanOptions, "sample_weighting")
    value_gain_floor: float = same_as(PlanOptions, "value_gain_floor")
    advantage_temperature: float = same_as(PlanOptions, "advantage_temperature")
    advantage_limit: float = same_as(PlanOptions, "advantage_limit")
    compat: Compat = same_as(PlanOptions, "compat")
    values: Path | None = option(
        None, "folder that `robovalue value estimate` wrote, for stages or weights by value"
    )
    curve: CurveChoice = option(
        "auto", "curve of --values: auto takes the causal one where all episodes have it"
    )
    segments: Path | None = option(
        None, "folder that `robovalue segment stream` or export-labels wrote, for stages by actions"
    )
    dataset_fingerprint: str = option(
        "",
        "what the data set's own library says (hf_dataset._fingerprint), recorded for its loaders",
    )
    read: ReadOptions = option(ReadOptions, "how to read")

    def plan_options(self) -> PlanOptions:
        """Return what the build itself needs; raises ConfigError for an unknown training."""
        setup = train_setup(self.train_config_name, self.action_horizon, self.batch_size)
        given = {item.name: getattr(self, item.name) for item in fields(PlanOptions)}
        given |= {"action_horizon": setup.action_horizon, "batch_size": setup.batch_size}
        return PlanOptions(**given)


@dataclass(frozen=True, kw_only=True)
class PlanVerifyConfig:
    """`robovalue plan verify`."""

    plan_path: Path = option(..., PLAN_HELP)
    check_min_anchors: int | None = option(None, "anchors that there must be", low=0)
    repo_id: str | None = option(None, f"also compare with {REPO_HELP}")
    compat: Compat = option("off", "reference: only the checks of older tools")
    json: bool = option(False, "print JSON instead of a table")
    read: ReadOptions = option(ReadOptions, "how to read")


@dataclass(frozen=True, kw_only=True)
class PlanInspectConfig:
    """`robovalue plan inspect`."""

    plan_path: Path = option(..., PLAN_HELP)
    steps: int = option(6000, "training steps that exposure is told for", low=1)
    batch_size: int | None = option(None, "samples of a batch; none: as the plan says", low=1)
    replacement: bool | None = option(
        None, "as if samples were drawn with replacement or not; none: as the plan says"
    )
    out: Path | None = option(
        None, "picture (.png), page (.html), or a folder that gets plan.png and plan.html"
    )
    repo_id: str | None = option(
        None, "the data set, to draw grippers and events; none: the plan's, where it can be found"
    )
    gripper_dims: str | None = option(None, "dimensions to draw; none: those of the plan")
    episodes: int = option(4, "episodes that are drawn", low=1, high=50)
    json: bool = option(False, "print JSON instead of tables")
    read: ReadOptions = option(ReadOptions, "how to read")


@dataclass(frozen=True, kw_only=True)
class PlanCompareConfig:
    """`robovalue plan compare`."""

    first: Path = option(..., PLAN_HELP, positional=True)
    second: Path = option(..., "the plan to compare it with", positional=True)
    steps: int = option(6000, "training steps that exposure is told for", low=1)
    batch_size: int | None = option(None, "samples of a batch; none: as each plan says", low=1)
    out: Path | None = option(None, "picture (.png) or page (.html) to write")
    json: bool = option(False, "print JSON instead of tables")


@dataclass(frozen=True, kw_only=True)
class PlanEpisodesConfig:
    """`robovalue plan episodes`."""

    repo_id: str = option(..., REPO_HELP)
    max_episodes_print: int = option(5, "episodes that are listed", low=0)
    json: bool = option(False, "print JSON instead of a table")
    read: ReadOptions = option(ReadOptions, "how to read")


@dataclass(frozen=True, kw_only=True)
class PlanHorizonConfig:
    """`robovalue plan horizon`."""

    repo_id: str = option(..., REPO_HELP)
    train_config_name: str = option(DEFAULT_SETUP, SETUP_HELP)
    action_horizon: int | None = option(None, HORIZON_HELP, low=1, high=100_000)
    episode_id: int = option(0, "number of the episode", low=0)
    json: bool = option(False, "print JSON instead of a table")
    read: ReadOptions = option(ReadOptions, "how to read")


@dataclass(frozen=True, kw_only=True)
class NormStatsConfig:
    """`robovalue plan norm-stats`."""

    train_config_name: str = option(DEFAULT_SETUP, SETUP_HELP, positional=True)
    repo_id: str | None = option(
        None, f"{REPO_HELP}; none: that of the plan", aliases=("--data.repo-id",)
    )
    action_horizon: int | None = option(None, HORIZON_HELP, low=1, high=100_000)
    max_frames: int | None = option(None, "rows that are drawn; none: all", low=1)
    plan_path: Path | None = option(None, PLAN_HELP)
    plan_subset_mode: SubsetMode = option(
        "none", "rows of the plan: anchors, all rows of its episodes, or those that may be starts"
    )
    plan_verify_sha256: bool = option(True, "check the plan's hash")
    seed: int = option(0, "seed that draws --max-frames", low=0)
    assets_base_dir: Path = option(Path("assets"), "folder of statistics")
    asset_id: str | None = option(
        None, "what the training calls its data; none: the data set",
        aliases=("--data.assets.asset-id",),
    )  # fmt: skip
    output_asset_id: str | None = option(
        None, "name to write under, so that the usual statistics stay; none: --asset-id"
    )
    compat: Compat = option("off", "reference: the rule of older tools, with what it loses")
    read: ReadOptions = option(ReadOptions, "how to read")

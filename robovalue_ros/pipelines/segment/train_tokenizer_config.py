"""Every option of `robovalue segment train-tokenizer`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robovalue_ros.contracts.config import option, same_as
from robovalue_ros.plans.schedule import ScheduleOptions
from robovalue_ros.segment.gates import MotionGateOptions
from robovalue_ros.segment.tokenizer.config import Attention, LossConfig, TokenizerConfig
from robovalue_ros.training.options import LoopConfig
from robovalue_ros.training.plan_options import PlanChoice

Compat = Literal["off", "reference"]
Interpolation = Literal["linear", "cubic"]
StillWindows = Literal["drop", "keep"]


@dataclass(frozen=True)
class NetworkOptions:
    """The shape of a new network; what its data decides is not asked."""

    codebook_size: int = same_as(TokenizerConfig, "codebook_size")
    hidden_dim: int = same_as(TokenizerConfig, "hidden_dim")
    num_heads: int = same_as(TokenizerConfig, "num_heads")
    num_layers: int = same_as(TokenizerConfig, "num_layers")
    dropout: float = same_as(TokenizerConfig, "dropout")
    per_view: bool = same_as(TokenizerConfig, "per_view")
    attention: Attention = same_as(TokenizerConfig, "attention")
    z_noise_std: float = same_as(TokenizerConfig, "z_noise_std")
    decoder_pos_scale: float = same_as(TokenizerConfig, "decoder_pos_scale")


@dataclass(frozen=True)
class WindowOptions:
    """How recorded tracks become samples."""

    views: tuple[str, ...] | None = option(None, "cameras to look at; none: all of the first file")
    img_shape: tuple[int, int] | None = option(
        None, "height and width in which displacements are told apart; none: of the first file"
    )
    true_horizon: int = option(0, "frames used of each recorded window; 0: all", low=0)
    track_pred_horizon: int = option(0, "frames of a sample, spread over those; 0: as many", low=0)
    interpolation: Interpolation = option("linear", "how they are spread")
    still_windows: StillWindows = option(
        "drop", "drop: windows that the stream's motion gate would drop are not learned"
    )
    vel_norm_thr: float = same_as(MotionGateOptions, "vel_norm_thr")
    min_active_ratio: float = same_as(MotionGateOptions, "min_active_ratio")
    compat: Compat = option("off", "reference: lost points are at pixel 0, as in older trainings")


@dataclass(frozen=True)
class TrainTokenizerConfig:
    """`robovalue segment train-tokenizer`."""

    data: tuple[str, ...] = option(
        ..., "folders with track files, or FOLDER:traj0.8 for a share of the recordings",
        positional=True,
    )  # fmt: skip
    validation: tuple[str, ...] = option(
        tuple, "folders to judge by, or FOLDER:traj0.2; the same folder is divided"
    )
    validation_fraction: float = option(
        0.1, "share of recordings held out where no share and no validation is named; 0: none",
        low=0.0, high=0.9,
    )  # fmt: skip
    root_dir: Path | None = option(
        None, "folder that the others are in; `custom_segments` stands for all of it"
    )
    out: Path = option(Path("checkpoints/motion_tokenizer"), "folder of all runs")
    run_name: str = option(
        "tokenizer", "name of this run; taken: _1, _2, ... is added", aliases=("--exp-name",)
    )
    overwrite: bool = option(False, "replace the run of this name")
    resume: bool = option(False, "go on with the last run of this name where it stopped")
    start_from: Path | None = option(
        None, "tokenizer to go on from with new data: .safetensors, or .pt of today's tools"
    )
    quick: bool = option(False, "two micro-batches an epoch, to see whether it runs")
    seed: int = option(0, "seed of everything that is drawn", low=0)
    windows: WindowOptions = option(WindowOptions, "how tracks become samples")
    network: NetworkOptions = option(NetworkOptions, "the network")
    loss: LossConfig = option(LossConfig, "what is punished")
    loop: LoopConfig = option(LoopConfig, "how it is trained")
    plan: PlanChoice = option(PlanChoice, "which windows are drawn, and how often")
    schedule: ScheduleOptions = option(ScheduleOptions, "how it fits its length and its plan")

"""Every option of `robovalue value estimate`; names and defaults are those people know."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from robovalue_ros.backends.encoders.choice import EncoderChoice, EncoderName
from robovalue_ros.backends.encoders.config import RunConfig
from robovalue_ros.contracts.config import option
from robovalue_ros.contracts.tools import ReadOptions
from robovalue_ros.pipelines.embedding.options import EmbeddingOptions
from robovalue_ros.value.config import (
    Compat,
    ProgressConfig,
    SegmentConfig,
    SegmentPath,
    ValueMapping,
)
from robovalue_ros.value.fusion import CameraFusion, CameraMode
from robovalue_ros.value.match import SegmentScore
from robovalue_ros.value.progress import NormScope
from robovalue_ros.value.reference import Eps
from robovalue_ros.value.segment_value import ValueMode
from robovalue_ros.value.warp import WarpMethod

SuccessMode = Literal["teleop_all", "rollouts_shortest_p"]
ScoreSources = Literal["rollouts", "teleop", "dataset", "all"]
ValueMethod = Literal["progress_warp", "segment_match50"]
TrimSignal = Literal["qpos", "action"]


@dataclass(frozen=True)
class EstimateConfig:
    """`robovalue value estimate`."""

    teleop_hdf5_dir: Path | None = option(
        None, "demonstrations: a folder of episode_*.hdf5, or any readable data set"
    )
    rollouts_hdf5_dir: Path | None = option(
        None, "what to score: a folder with success/ and failure/, or any readable data set"
    )
    dataset_hdf5_dir: Path | None = option(
        None, "a merged folder with success/, failure/, intervention/; replaces the rollouts"
    )
    intervention_hdf5_dir: Path | None = option(
        None, "human corrections; default: intervention/ of the data set folder"
    )
    out_cache_dir: Path = option(Path("value_cache"), "folder for everything that is written")
    overwrite: bool = option(
        False, "remove the results that lie there first (stored embeddings are kept)"
    )
    embed_cache_dir: Path | None = option(
        None, "folder for embeddings, to share between runs; default: in the output folder"
    )
    report: bool = option(True, "write a page with videos and curves, report.html")
    report_limit: int = option(
        50, "at most this many episodes get a video on the page", low=1, high=1000
    )
    report_segments: Path | None = option(
        None, "what robovalue segment stream wrote, or a list of actions: a row below its curves"
    )

    success_mode: SuccessMode = option(
        "teleop_all", "what success looks like: all demonstrations, or the shortest successes"
    )
    shortest_p: float = option(0.3, "share of successes kept by rollouts_shortest_p", low=0, high=1)
    score_sources: ScoreSources = option("rollouts", "which lists are scored")
    max_success_episodes: int | None = option(None, "use only the first demonstrations", low=1)
    max_score_episodes: int | None = option(None, "score only the first episodes", low=1)
    max_score_rollouts_failure_episodes: int | None = option(
        None, "score only the first failures", low=1
    )
    max_score_rollouts_success_episodes: int | None = option(
        None, "score only the first successes", low=1
    )

    value_method: ValueMethod = option("progress_warp", "how values come about; see docs/value.md")
    causal: bool = option(
        False,
        "also write what a live stream would say: no outcome, no length, no look ahead "
        "(causal_values/)",
    )
    hindsight: bool = option(True, "write the curves of the value method (episode_values/)")
    model: Path | None = option(
        None,
        "value model of `robovalue value fit`, for --causal and for the encoder pixels; default: "
        "fitted on the demonstrations and kept as value_model.npz",
    )
    seed: int = option(0, "of fitting that value model", low=0)
    fit_steps: int = option(
        0, "training steps of that value model; 0: as many as suit its length", low=0, high=100_000
    )

    camera_mode: CameraMode = option("high", "which cameras are looked at")
    camera_fusion: CameraFusion = option("dist_min", "how two cameras become one curve")
    high_camera: str | None = option(
        None, "name of the camera `high`; default: cam_high, or one that looks like it"
    )
    wrist_camera: str | None = option(
        None, "name of the camera `wrist`; default: cam_left_wrist, or one that looks like it"
    )

    epsilon: float = option(1e-4, "smallest change of the trim signal that is motion", low=0)
    trim_signal: TrimSignal = option("qpos", "signal whose first and last change cut an episode")
    max_episode_len: int | None = option(None, "leave out episodes with more frames", low=1)

    encoder: EncoderName | Literal["auto"] = option(
        "auto", "what turns frames into vectors; auto: vjepa2 with --vjepa-ckpt, else pixels"
    )
    weights: Path | None = option(
        None, "weights of the encoder: a local folder (or --vjepa-ckpt for V-JEPA 2)"
    )
    vjepa_ckpt: Path | None = option(None, "V-JEPA 2: the .pt checkpoint, or a model folder")
    vjepa_img_size: int | None = option(None, "side of its input; default: its own, 384", low=16)
    vjepa_num_frames: int | None = option(None, "frames per clip; default: its own, 64", low=1)
    device: str = option(
        "auto", "auto, cpu, cuda:0, several with commas between, or all (every GPU)"
    )
    enable_fp16: bool = option(True, "half precision on a GPU")
    embed_batch_size: int = option(8, "clips per forward pass", low=1, high=4096)
    timestep_stride: int = option(1, "progress_warp: embed every so many frames")

    dbscan_eps: Eps = option(0.5, "neighbour distance of the clusters of success, or auto")
    dbscan_min_samples: int = option(2, "neighbours that make a cluster's core", low=1)
    dbscan_pca_dim: int = option(0, "cluster in so many principal components; 0: none", low=0)

    segment_match_num_segments: int = option(50, "parts of a successful episode", low=1)
    segment_match_window_stride: int = option(6, "frames between two matched windows")
    segment_match_radius: int = option(5, "largest step between the segments of two windows")
    segment_match_first_fixed: bool = option(True, "the first window is the first segment")
    segment_match_score: SegmentScore = option("dist", "what a window in a segment costs")
    segment_match_diffusion_pca_dim: int = option(32, "diffusion: components kept", low=0)
    segment_match_diffusion_timesteps: int = option(100, "diffusion: steps of noise", low=1)
    segment_match_diffusion_hidden_dim: int = option(256, "diffusion: width", low=1)
    segment_match_diffusion_num_layers: int = option(4, "diffusion: depth")
    segment_match_diffusion_lr: float = option(1e-4, "diffusion: learning rate", low=0)
    segment_match_diffusion_batch_size: int = option(256, "diffusion: rows per step", low=1)
    segment_match_diffusion_epochs: int = option(500, "diffusion: passes over the data")
    segment_match_diffusion_seed: int = option(0, "diffusion: seed of training and noise", low=0)
    segment_match_diffusion_t_eval: int = option(20, "diffusion: step of noise at scoring")
    segment_match_diffusion_noise_samples: int = option(1, "diffusion: draws of noise at scoring")
    segment_match_value_mode: ValueMode = option("soft_next", "value within a segment")
    segment_match_path: SegmentPath = option("viterbi", "best path overall, or greedy steps")
    segment_match_time_prior_success: float = option(
        0.5, "successes: price of a segment away from even progress", low=0
    )
    segment_match_back_penalty_success: float = option(
        0.0, "successes: price of each segment of a step back", low=0
    )
    segment_match_failure_value_cap: float = option(0.8, "failures stay below (0.8 at most)")

    norm_scope: NormScope = option("fail_only", "sigmoid: episodes that set its range")
    minmax_skip_prefix_k: int = option(0, "first frames whose value is 0", low=0)
    enforce_monotonic: bool = option(False, "values never fall")
    value_mapping: ValueMapping = option("linear_offset_scale", "from distance to progress")
    failure_end_value: float = option(0.5, "value at which failures end", low=0, high=1)
    warp_enable: bool = option(True, "bend curves so that demonstrations rise evenly")
    warp_method: WarpMethod = option("isotonic", "how the bend is fitted")
    success_fit_step_ratio: float = option(0.05, "share of an episode between its samples")
    reward_scale: float = option(0.6, "sigmoid: largest value", low=0)
    sigmoid_steepness: float = option(10.0, "sigmoid: steepness")
    sigmoid_offset: float = option(0.5, "sigmoid: where it turns")
    norm_eps: float = option(1e-6, "smaller progress than this is none", low=0)
    set_success_terminal_reward: bool = option(False, "replace the last value of successes")
    success_terminal_reward: float = option(1.0, "by this one")
    compat: Compat = option(
        "off", "reference: the numbers of stored results, known defects included"
    )

    embedding: EmbeddingOptions = option(EmbeddingOptions, "how embeddings are computed")
    read: ReadOptions = option(ReadOptions, "how to read")

    def method(self) -> ProgressConfig | SegmentConfig:
        """Return the options of the chosen method; raises ContractError for impossible ones."""
        kind = ProgressConfig if self.value_method == "progress_warp" else SegmentConfig
        chosen: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(kind)}
        return kind(**chosen)

    @property
    def compatible(self) -> bool:
        return self.compat == "reference"

    @property
    def encoder_name(self) -> EncoderName:
        """The encoder to use, with `auto` resolved."""
        if self.encoder != "auto":
            return self.encoder
        return "vjepa2" if self.vjepa_ckpt is not None else "pixels"

    def encoder_choice(self) -> EncoderChoice:
        """Return the choice of encoder that the options amount to."""
        vjepa2 = self.encoder_name == "vjepa2"
        devices = tuple(name.strip() for name in self.device.split(",") if name.strip())
        run = RunConfig(
            devices=devices or ("auto",), precision="auto" if self.enable_fp16 else "float32",
            batch_size=self.embed_batch_size,
        )  # fmt: skip
        return EncoderChoice(
            encoder=self.encoder_name,
            weights=(self.vjepa_ckpt if vjepa2 else None) or self.weights,
            img_size=self.vjepa_img_size if vjepa2 else None,
            num_frames=self.vjepa_num_frames if vjepa2 else None, run=run,
        )  # fmt: skip

    @property
    def embedding_root(self) -> Path:
        return self.embed_cache_dir or self.out_cache_dir / "embedding_cache"

"""How a plan is built: the options that every door shares, named as their flags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from robovalue_ros.contracts.config import option

Compat = Literal["off", "reference"]
StageStrategy = Literal["time_quantile", "change_point_state", "value", "segments"]
StageBalance = Literal["uniform_over_stage", "inv_freq"]
EventMode = Literal["soft_exp", "hard"]
SampleWeighting = Literal["none", "value", "advantage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """Everything that says which frames are anchors, in which stage, and with which weight.

    Fields without limits are checked where the plan is built, in the words of older tools. compat:
    "reference" gives the plans of those tools, number by number.
    """

    action_horizon: int = option(50, "frames of an action window, H", low=1, high=100_000)
    batch_size: int = option(32, "samples of a training batch, B", low=1)
    num_episodes_keep: int = option(50, "episodes that are kept")
    episode_selection_seed: int = option(0, "seed that chooses the episodes", low=0)
    plan_seed: int = option(0, "seed of each episode's first anchor")
    sampler_seed: int = option(0, "seed for the sampler of the training, recorded")
    replacement: bool = option(True, "draw samples with replacement, recorded")
    stride_S: int = option(2, "frames from one anchor to the next; halved while too few")
    min_anchors: int | None = option(None, "anchors that there must be; none: one batch", low=0)
    valid_start_tail_keep: int = option(0, "starts that are kept whose window passes the end")
    stage_strategy: StageStrategy = option(
        "time_quantile",
        "equal times, jumps of the state, equal steps of a value curve, or found actions",
    )
    num_stages_K: int = option(4, "stages", low=1, high=1000)
    change_point_delta: int = option(3, "frames over which a jump is measured", low=1, high=10_000)
    change_point_min_gap: int = option(10, "least frames between jumps", low=0, high=10_000)
    stage_balance: StageBalance = option(
        "uniform_over_stage", "all stages alike, or by a power of how rare they are"
    )
    inv_freq_power: float = option(
        1.0, "power for inv_freq; 1 is uniform_over_stage, 0 leaves stages as they are",
        low=0.0, high=4.0,
    )  # fmt: skip
    clip_ratio: float = option(
        5.0, "how far a weight may be from the median: of the event's share, with compat of all",
        low=1.0,
    )  # fmt: skip
    epsilon_mix: float = option(0.01, "share of the mean in every weight", low=0.0, high=1.0)
    gripper_event_enabled: bool = option(False, "raise weights near gripper events")
    gripper_dims: str = option("6,13", "dimensions of the state that are grippers, by commas")
    gripper_smooth_window: int = option(5, "frames of the median filter, odd", high=10_001)
    gripper_delta1: int = option(1, "frames over which a change is measured", high=10_000)
    gripper_delta2: int = option(5, "frames of a second measure", high=10_000)
    gripper_quantile_q: float = option(0.95, "share of changes below an event", low=0.0, high=1.0)
    gripper_min_gap: int = option(10, "least frames between events", low=0, high=10_000)
    gripper_noise_ratio: float = option(
        6.0, "times its noise that a gripper must move for an event; 0: any", low=0.0
    )
    gripper_event_mode: EventMode = option("soft_exp", "weights fall off, or end at a distance")
    gripper_sigma: float = option(10.0, "frames over which soft_exp falls off", low=0.0)
    gripper_window_w: int = option(5, "frames from an event where hard ends", low=0)
    gripper_gamma: float = option(2.0, "what an event adds to a weight of 1", low=0.0)
    sample_weighting: SampleWeighting = option(
        "none", "weight of a sample: alike, by the value its window gains, or by its advantage"
    )
    value_gain_floor: float = option(
        0.01, "gain of a window from which it counts in full, for value", low=0.0, high=1.0
    )
    advantage_temperature: float = option(
        1.0, "deviations of the advantage that make a weight e times larger", low=1e-3
    )
    advantage_limit: float = option(20.0, "largest weight for advantage", low=1.0)
    compat: Compat = option("off", "reference: the plans of older tools")

    @property
    def compatible(self) -> bool:
        return self.compat == "reference"

    @property
    def least_anchors(self) -> int:
        return self.batch_size if self.min_anchors is None else self.min_anchors

    @property
    def tail(self) -> int:
        """Starts kept whose window passes the end, never more than the window has frames after."""
        return min(max(0, self.valid_start_tail_keep), max(0, self.action_horizon - 1))

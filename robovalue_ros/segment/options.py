"""How a stream is cut into actions: the options that every door shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from robovalue_ros.contracts.config import option
from robovalue_ros.segment.energy import EnergyMode, EnergySource
from robovalue_ros.segment.gates import MotionGateOptions, PreGateOptions
from robovalue_ros.segment.grid import TRACKS
from robovalue_ros.segment.hysteresis import HysteresisOptions
from robovalue_ros.segment.selection import SelectionOptions
from robovalue_ros.segment.smoothing import SmoothingOptions
from robovalue_ros.segment.windows import STRIDE, WINDOW, Schedule

Compat = Literal["off", "reference"]
Resampling = Literal["slots", "native"]
GridKind = Literal["cells", "reference"]


@dataclass(frozen=True, slots=True)
class EnergyOptions:
    """Which number says how much happens in a window."""

    source: EnergySource = option(
        "velocity", "velocity needs no tokenizer; quantized and prequant are of its tokens"
    )
    mode: EnergyMode = option(
        "token_diff_l2_mean",
        "mean length of tokens (l2_mean) or of the steps between them; velocity ignores it",
    )


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """Everything between a frame and a segment.

    compat: "reference" gives the velocities and the count of codes of older streams (codes, energies
    and thresholds that people have stored depend on them).
    """

    target_fps: float = option(
        20.0, "frames per second that are looked at; 0: all", low=0.0, high=1000.0
    )
    resample: Resampling = option(
        "slots", "slots: target_fps by the frames' stamps; native: every frame, whatever its time"
    )
    early: float = option(
        0.0, "share of a period that a frame may come early, for uneven cameras", low=0.0, high=0.9
    )
    resize_shorter: int = option(
        480, "shorter side that larger pictures get, for points and clips; 0: all stay as they are",
        low=0, high=10_000,
    )  # fmt: skip
    window: int = option(WINDOW, "frames of a window; 15 replays older outputs", low=2, high=1000)
    stride: int = option(STRIDE, "frames from one window to the next", low=1, high=1000)
    num_tracks: int = option(TRACKS, "points that are followed", low=1, high=1_000_000)
    grid: GridKind = option(
        "cells", "cells: over the whole picture; reference: the points of older training data"
    )
    energy: EnergyOptions = option(EnergyOptions, "the energy")
    smoothing: SmoothingOptions = option(SmoothingOptions, "how the energy is smoothed")
    pre_gate: PreGateOptions = option(PreGateOptions, "the gate on pixels")
    motion_gate: MotionGateOptions = option(MotionGateOptions, "the gate on velocities")
    hysteresis: HysteresisOptions = option(HysteresisOptions, "when an action begins and ends")
    selection: SelectionOptions = option(SelectionOptions, "what belongs to an action")
    decoder_window_size: int = option(
        480, "picture size that velocities are scaled by with compat reference", low=1
    )
    compat: Compat = option(
        "off",
        "reference: windows of 15 frames, every frame of a file, velocities and counts as before",
    )

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.window, self.stride)

    @property
    def compatible(self) -> bool:
        return self.compat == "reference"

    @property
    def longest(self) -> int:
        """Most windows of an action; 0: no limit."""
        return self.hysteresis.longest(self.target_fps / self.stride)

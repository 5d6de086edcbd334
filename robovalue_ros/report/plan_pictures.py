"""A picture of a sampling plan: stages, weights over time, coverage, events over the grippers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from robovalue_ros.contracts.types import Array
from robovalue_ros.report import canvas
from robovalue_ros.report.canvas import INK, LINE, PALETTE, SOFT, plain

DPI = 120
WIDTH_IN, HEAD_IN, ROW_IN = 12.0, 3.3, 1.9
MOST_POINTS = 20_000
EVENT = "#b4261b"


@dataclass(frozen=True, slots=True, eq=False)
class DrawnEpisode:
    """frames (T,), signals (T,) by name, events (M,) frames, and anchors (n,) with their weights.

    weights: over the mean of the plan.
    """

    title: str
    frames: Array
    signals: Mapping[str, Array]
    events: Array
    anchors: Array
    weights: Array
    stages: Array


@dataclass(frozen=True, slots=True, eq=False)
class DrawnPlan:
    """Shares (K,) of anchors and of draws; where (N,) each anchor lies, across says in what.

    weights (N,): over their mean. steps, coverage (S,): share of anchors seen; marked: the step that
    was asked for.
    """

    title: str
    anchor_share: Array
    draw_share: Array
    across: str
    where: Array
    weights: Array
    stages: Array
    steps: Array
    coverage: Array
    marked: int
    episodes: Sequence[DrawnEpisode] = field(default_factory=tuple)


def draw_plan(plan: DrawnPlan) -> bytes:
    """Return the PNG."""
    count = len(plan.episodes)
    figure = canvas.new_figure(WIDTH_IN, HEAD_IN + 0.4 + ROW_IN * count)
    grid = figure.add_gridspec(1 + count, 3, height_ratios=[HEAD_IN, *[ROW_IN] * count])
    _stages(figure.add_subplot(grid[0, 0]), plan)
    _weights(figure.add_subplot(grid[0, 1]), plan)
    _coverage(figure.add_subplot(grid[0, 2]), plan)
    for place, episode in enumerate(plan.episodes):
        axes = figure.add_subplot(grid[1 + place, :])
        _episode(axes, episode, last=place == count - 1, legend=place == 0)
    fonts = canvas.text_fonts()
    figure.suptitle(plain(plan.title), x=0.012, ha="left", fontsize=12, color=INK, family=fonts)
    figure.set_layout_engine("tight")
    return canvas.png_bytes(figure, DPI)


def draw_coverages(
    steps: Array, coverages: Mapping[str, Array], shares: Mapping[str, tuple[Array, Array]]
) -> bytes:
    """Return a PNG of several plans: share of draws of each stage, and coverage over steps (S,).

    shares: stages (K,) and share of draws of each, by plan.
    """
    figure = canvas.new_figure(WIDTH_IN * 0.75, HEAD_IN + 0.4)
    left, right = figure.subplots(1, 2)
    width = 0.8 / max(1, len(shares))
    for place, (name, (stages, share)) in enumerate(shares.items()):
        at = np.asarray(stages) + (place - (len(shares) - 1) / 2) * width
        left.bar(at, share, width, color=PALETTE[place], label=plain(name))
    _dress(left, "stage", "share of draws", "What training draws")
    _whole_ticks(left)
    for place, (name, values) in enumerate(coverages.items()):
        right.plot(steps, values, color=PALETTE[place], linewidth=1.6, label=plain(name))
    _coverage_axes(right)
    figure.set_layout_engine("tight")
    return canvas.png_bytes(figure, DPI)


def _stages(axes: Any, plan: DrawnPlan) -> None:
    numbers = np.arange(len(plan.anchor_share))
    axes.bar(numbers - 0.2, plan.anchor_share, 0.4, color="#c9ccd2", label="of anchors")
    axes.bar(numbers + 0.2, plan.draw_share, 0.4, color=PALETTE[0], label="of draws")
    _dress(axes, "stage", "share", "Stages")
    _whole_ticks(axes)


def _weights(axes: Any, plan: DrawnPlan) -> None:
    step = max(1, len(plan.weights) // MOST_POINTS)
    where, weights, stages = (values[::step] for values in (plan.where, plan.weights, plan.stages))
    for stage in np.unique(stages).tolist():
        here = stages == stage
        axes.scatter(
            where[here], weights[here], s=7, linewidths=0, color=_colour(stage),
            label=str(stage) if stage < len(PALETTE) else None,
        )  # fmt: skip
    axes.axhline(1.0, color=SOFT, linewidth=0.8, linestyle=":")
    axes.set_ylim(0, max(1.2, float(np.max(plan.weights, initial=1.0)) * 1.08))
    _dress(axes, plan.across, "weight over mean", "Weights, by stage")


def _coverage(axes: Any, plan: DrawnPlan) -> None:
    axes.plot(plan.steps, plan.coverage, color=PALETTE[0], linewidth=1.6)
    seen = float(np.interp(plan.marked, plan.steps, plan.coverage))
    axes.plot([plan.marked], [seen], "o", color=EVENT, markersize=5)
    label = f"{seen:.0%} after {plan.marked} steps"
    axes.axvline(plan.marked, color=EVENT, linewidth=0.9, linestyle="--", label=label)
    _coverage_axes(axes)


def _coverage_axes(axes: Any) -> None:
    axes.set_xscale("log")
    axes.set_ylim(0, 1.03)
    _dress(axes, "training steps", "share of anchors seen", "Coverage")


def _episode(axes: Any, episode: DrawnEpisode, *, last: bool, legend: bool) -> None:
    for place, (name, values) in enumerate(episode.signals.items()):
        colour = PALETTE[(place + 2) % len(PALETTE)]
        axes.plot(episode.frames, values, color=colour, linewidth=1.4, label=plain(name))
    for number, event in enumerate(np.asarray(episode.events).tolist()):
        label = "event" if number == 0 else None
        axes.axvline(event, color=EVENT, linewidth=1.1, linestyle="--", label=label)
    beside = axes.twinx()
    for stage in np.unique(episode.stages).tolist():
        here = episode.stages == stage
        beside.vlines(
            episode.anchors[here], 0, episode.weights[here], color=_colour(stage), linewidth=1.6,
            alpha=0.55,
        )  # fmt: skip
    # Weights stay in the lower half, so that they do not hide the grippers.
    top = float(np.max(episode.weights, initial=1.0))
    beside.set_ylim(0, 2.2 * top)
    beside.set_ylabel("weight", color=SOFT, fontsize=8.5)
    if len(episode.frames) > 1:
        axes.set_xlim(episode.frames[0], episode.frames[-1])
    names = bool(episode.signals)
    _dress(axes, "frame" if last else "", "state" if names else "", episode.title, legend and names)
    if not names:
        axes.set_yticks([])
    _bare(beside)


def _dress(axes: Any, across: str, up: str, title: str, legend: bool = True) -> None:
    fonts = canvas.text_fonts()
    axes.set_xlabel(across, color=SOFT, family=fonts, fontsize=9)
    axes.set_ylabel(up, color=SOFT, family=fonts, fontsize=9)
    axes.set_title(plain(title), loc="left", color=INK, fontsize=10, family=fonts)
    axes.grid(color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    _bare(axes)
    if legend and axes.get_legend_handles_labels()[0]:
        # Above the axes, beside the title: nothing that is drawn is hidden.
        axes.legend(
            frameon=False, labelcolor=INK, prop={"family": fonts, "size": 8}, loc="lower right",
            bbox_to_anchor=(1.01, 0.97), ncols=8, columnspacing=0.9, handletextpad=0.4,
            handlelength=1.2, borderaxespad=0.2,
        )  # fmt: skip


def _bare(axes: Any) -> None:
    axes.tick_params(colors=SOFT, labelsize=8.5, length=0)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)


def _whole_ticks(axes: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _colour(stage: int) -> str:
    return PALETTE[stage % len(PALETTE)]

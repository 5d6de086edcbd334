"""Pictures of a threshold: what lies on both sides of it, and what other thresholds reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from robovalue_ros.contracts.types import Array
from robovalue_ros.report import canvas
from robovalue_ros.report.canvas import INK, LINE, PALETTE, SOFT, plain

SIZE_IN = (8.0, 3.6)
BINS = 60
DPI = 120


def draw_distributions(moving: Array, still: Array, threshold: float, title: str) -> bytes:
    """Return a PNG of two histograms over one axis, with the threshold between them."""
    figure = canvas.new_figure(*SIZE_IN)
    axes = figure.subplots()
    everything = np.concatenate([moving, still])
    edges = np.histogram_bin_edges(everything, BINS)
    for values, label, colour in ((still, "still", PALETTE[7]), (moving, "moving", PALETTE[0])):
        axes.hist(values, edges, label=f"{label} ({len(values)})", color=colour, alpha=0.6)
    _threshold(axes, threshold, f"best F1 at {threshold:.4g}", PALETTE[1])
    _dress(axes, "energy", "windows", title)
    return canvas.png_bytes(figure, DPI)


def draw_sweep(
    thresholds: Array, scores: Mapping[str, Array], best: Mapping[str, float], title: str
) -> bytes:
    """Return a PNG of scores (T,) over ascending thresholds (T,), with the best ones."""
    figure = canvas.new_figure(*SIZE_IN)
    axes = figure.subplots()
    for place, (name, values) in enumerate(scores.items()):
        axes.plot(thresholds, values, label=plain(name), color=PALETTE[place], linewidth=1.5)
    for place, (name, value) in enumerate(best.items()):
        _threshold(axes, value, f"{name} at {value:.4g}", PALETTE[place])
    axes.set_ylim(-0.02, 1.02)
    _dress(axes, "threshold", "score", title)
    return canvas.png_bytes(figure, DPI)


def _threshold(axes: Any, value: float, label: str, colour: str) -> None:
    axes.axvline(value, color=colour, linestyle="--", linewidth=1.2, label=plain(label))


def _dress(axes: Any, across: str, up: str, title: str) -> None:
    fonts = canvas.text_fonts()
    axes.set_xlabel(across, color=SOFT, family=fonts)
    axes.set_ylabel(up, color=SOFT, family=fonts)
    axes.set_title(plain(title), loc="left", color=INK, fontsize=11, family=fonts)
    axes.grid(color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=SOFT, labelsize=8.5, length=0)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False, labelcolor=INK, prop={"family": fonts, "size": 8.5})
    axes.figure.set_layout_engine("tight")

"""Pictures of costs: which segment each sample looks like, and one episode's way through."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.report.canvas import INK, LINE, SOFT
from robovalue_ros.report.view.sheet import Sheet, points, shortened

FIGURE = (800, 700)  # pixels of the layout: 8 by 7 inches
SHARPNESS = 2.0  # 200 dots per inch
BINS = 30
GOOD, BAD = "#137a50", "#c2261b"


def draw_confusion(counts_NN: NDArray[Any], title: str, subtitle: str) -> bytes:
    """Return a PNG of how often (true, predicted) segments met; segment 0 at the lower left."""
    sheet, axes, bar = _page(title, subtitle)
    rows = counts_NN.sum(axis=1, keepdims=True)
    share = counts_NN / np.maximum(rows, 1)
    shown = axes.imshow(
        share, origin="lower", cmap="magma_r", vmin=0, vmax=1, interpolation="nearest"
    )
    _dress(axes, bar, sheet, shown, "pred_seg", "true_seg", "share of the true segment's samples")
    return sheet.png()


def draw_episode_costs(
    cost_KN: NDArray[Any], path_K: NDArray[Any], title: str, subtitle: str
) -> bytes:
    """Return a PNG of an episode's costs (windows, segments) with its decoded path in white."""
    sheet, axes, bar = _page(title, subtitle)
    low, high = np.percentile(cost_KN, (1, 99))
    shown = axes.imshow(
        cost_KN.T, origin="lower", aspect="auto", cmap="viridis", interpolation="nearest",
        vmin=low, vmax=max(high, low + 1e-9),
    )  # fmt: skip
    windows = np.arange(len(path_K))
    axes.plot(windows, path_K, color="black", linewidth=3.2, alpha=0.45)
    axes.plot(windows, path_K, color="white", linewidth=1.8)
    _dress(axes, bar, sheet, shown, "window", "segment", "cost (small: looks like it)")
    return sheet.png()


def draw_cost_histogram(
    success: NDArray[Any], failure: NDArray[Any], title: str, subtitle: str
) -> bytes:
    """Return a PNG of mean costs per episode (n,), successes against failures."""
    sheet = Sheet(*FIGURE, SHARPNESS)
    _head(sheet, title, subtitle)
    axes = sheet.axes(78, 96, FIGURE[0] - 110, FIGURE[1] - 96 - 66)
    both = np.concatenate([success, failure])
    edges = np.histogram_bin_edges(both, BINS)
    for name, costs, colour, hatch in (
        ("success", success, GOOD, ""), ("failure", failure, BAD, "///"),
    ):  # fmt: skip
        if len(costs):
            axes.hist(
                costs, edges, density=True, alpha=0.6, color=colour, hatch=hatch,
                edgecolor="white", linewidth=0.4, label=f"{name} ({len(costs)})",
            )  # fmt: skip
            axes.axvline(np.median(costs), color=colour, linewidth=2, linestyle=(0, (4, 2)))
    axes.legend(frameon=False, labelcolor=INK, prop={"family": sheet.fonts, "size": points(13)})
    _label(axes, sheet, "mean cost of an episode (dashed: median)", "density")
    axes.grid(color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    return sheet.png()


def _page(title: str, subtitle: str) -> tuple[Sheet, Any, Any]:
    sheet = Sheet(*FIGURE, SHARPNESS)
    _head(sheet, title, subtitle)
    top, side = 96, FIGURE[1] - 96 - 66
    return sheet, sheet.axes(78, top, side + 20, side), sheet.axes(FIGURE[0] - 106, top, 18, side)


def _head(sheet: Sheet, title: str, subtitle: str) -> None:
    sheet.text(24, 30, shortened(title or "no task given", 72), 18, weight="bold")
    sheet.text(24, 60, shortened(subtitle, 100), 13, SOFT)


def _dress(axes: Any, bar: Any, sheet: Sheet, shown: Any, x: str, y: str, value: str) -> None:
    _label(axes, sheet, x, y)
    sheet.figure.colorbar(shown, cax=bar)
    bar.tick_params(colors=SOFT, labelsize=points(11), length=0)
    bar.set_ylabel(value, color=SOFT, fontsize=points(12), family=sheet.fonts)
    bar.spines["outline"].set_visible(False)


def _label(axes: Any, sheet: Sheet, x: str, y: str) -> None:
    axes.set_xlabel(x, color=SOFT, fontsize=points(13), family=sheet.fonts)
    axes.set_ylabel(y, color=SOFT, fontsize=points(13), family=sheet.fonts)
    axes.tick_params(colors=SOFT, labelsize=points(11), length=0)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)

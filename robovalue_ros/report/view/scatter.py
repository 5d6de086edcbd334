"""Points in a plane, coloured by cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.report.canvas import INK, LINE, PALETTE, SOFT
from robovalue_ros.report.view.sheet import Sheet, points, shortened

WIDTH, HEIGHT = 900, 760
LEFT, TOP, LEGEND = 70, 84, 150
MARKERS = ("o", "s", "^", "D", "v", "P", "p", "h")
SHARPNESS = 1.5
MOST_NAMED = 12


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """points (N, 2) with cluster labels (N,), -1 for noise; centres (C, 2); share of variance."""

    title: str
    subtitle: str
    points: NDArray[np.float32]
    labels: NDArray[np.int64]
    centres: NDArray[np.float32]
    share: tuple[float, float]


def draw_cloud(cloud: Cloud) -> bytes:
    """Return a PNG: clusters differ in colour and shape, noise is hollow, centres are stars."""
    sheet = Sheet(WIDTH, HEIGHT, SHARPNESS)
    sheet.text(24, 28, shortened(cloud.title or "no task given", 80), 18, weight="bold")
    sheet.text(24, 56, shortened(cloud.subtitle, 110), 13, SOFT)
    axes = sheet.axes(LEFT, TOP, WIDTH - LEFT - LEGEND, HEIGHT - TOP - 60)
    noise = cloud.labels < 0
    axes.scatter(
        *cloud.points[noise].T, s=42, facecolors="none", edgecolors="#9097a1", linewidths=1.4,
        label=f"noise ({int(noise.sum())})",
    )  # fmt: skip
    for label in range(int(cloud.labels.max(initial=-1)) + 1):
        here = cloud.labels == label
        axes.scatter(
            *cloud.points[here].T, s=46, color=PALETTE[label % len(PALETTE)],
            marker=MARKERS[label % len(MARKERS)], alpha=0.85, linewidths=0,
            label=f"cluster {label} ({int(here.sum())})" if label < MOST_NAMED else "_",
        )  # fmt: skip
    axes.scatter(
        *cloud.centres.T, s=190, marker="*", color=INK, edgecolors="white", linewidths=1.0,
        zorder=4, label="centre",
    )  # fmt: skip
    dress_plane(axes, sheet, cloud.share)
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, labelcolor=INK,
        borderaxespad=0, prop={"family": sheet.fonts, "size": points(12)},
    )  # fmt: skip
    return sheet.png()


def dress_plane(axes: Any, sheet: Sheet, share: tuple[float, float]) -> None:
    """Name the axes of a plane and take away what is not needed."""
    style = {"color": SOFT, "fontsize": points(12), "family": sheet.fonts}
    axes.set_xlabel(f"first component ({share[0]:.0%} of the variance)", **style)
    axes.set_ylabel(f"second component ({share[1]:.0%})", **style)
    axes.grid(color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=SOFT, labelsize=points(11), length=0)
    axes.margins(0.08)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)

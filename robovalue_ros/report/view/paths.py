"""The line of segment centres in a plane, with episodes on their way beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.report.canvas import INK, PALETTE, SOFT
from robovalue_ros.report.view.scatter import dress_plane
from robovalue_ros.report.view.sheet import Sheet, points, shortened

Points = NDArray[np.float32]
FIGURE = (1200, 900)  # pixels of the layout: 12 by 9 inches
SHARPNESS = 2.0  # 200 dots per inch
MEAN, IGNORED = "#7b4fb3", "#a6abb3"
MOST_NAME = 34


@dataclass(frozen=True, slots=True, eq=False)
class PlanePath:
    """One episode: points (K, 2) in order of time."""

    name: str
    success: bool | None
    points: Points


@dataclass(frozen=True, slots=True, eq=False)
class PlaneView:
    """centres (N, 2), those left out of the line (M, 2), a mean path (P, 2) or None, episodes."""

    title: str
    subtitle: str
    centres: Points
    share: tuple[float, float]
    ignored: Points | None = None
    mean: Points | None = None
    paths: Sequence[PlanePath] = field(default_factory=tuple)


def draw_plane(view: PlaneView) -> bytes:
    """Return a PNG: centres from square to star, successes solid, failures dashed, o to x."""
    sheet = Sheet(*FIGURE, SHARPNESS)
    sheet.text(24, 30, shortened(view.title or "no task given", 96), 19, weight="bold")
    sheet.text(24, 60, shortened(view.subtitle, 140), 13, SOFT)
    axes = sheet.axes(74, 92, FIGURE[0] - 74 - 300, FIGURE[1] - 92 - 66)
    for place, path in enumerate(view.paths):
        _episode(axes, path, PALETTE[place % len(PALETTE)])
    if view.ignored is not None and len(view.ignored):
        axes.plot(*view.ignored.T, linestyle="none", marker="o", markersize=5, color=IGNORED,
                  label="ignored centres", zorder=2)  # fmt: skip
    if view.mean is not None and len(view.mean):
        axes.plot(*view.mean.T, color=MEAN, linewidth=2.4, linestyle=(0, (4, 2)), zorder=4,
                  label="mean of successes")  # fmt: skip
        axes.plot(*view.mean[:1].T, marker="<", markersize=10, color=MEAN, zorder=5)
        axes.plot(*view.mean[-1:].T, marker=">", markersize=10, color=MEAN, zorder=5)
    axes.plot(*view.centres.T, color=INK, linewidth=2.2, marker="o", markersize=3.4, zorder=6,
              label="success centres")  # fmt: skip
    style = {"color": INK, "markeredgecolor": "white", "zorder": 7, "linestyle": "none"}
    axes.plot(*view.centres[:1].T, marker="s", markersize=12, label="first segment", **style)
    axes.plot(*view.centres[-1:].T, marker="*", markersize=19, label="last segment", **style)
    dress_plane(axes, sheet, view.share)
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, labelcolor=INK,
        borderaxespad=0, handlelength=2.6, prop={"family": sheet.fonts, "size": points(12)},
    )  # fmt: skip
    return sheet.png()


def _episode(axes: Any, path: PlanePath, colour: str) -> None:
    dashes: Any = (0, (4, 2)) if path.success is False else "-"
    outcome = {True: "success", False: "failure", None: "not told"}[path.success]
    label = f"{shortened(path.name, MOST_NAME)} ({outcome})".replace("$", r"\$")
    axes.plot(*path.points.T, color=colour, linewidth=1.4, alpha=0.85, linestyle=dashes,
              label=label, zorder=3)  # fmt: skip
    axes.plot(*path.points[:1].T, marker="o", markersize=7, color=colour, zorder=3)
    axes.plot(*path.points[-1:].T, marker="X", markersize=8, color=colour, zorder=3)

"""Points in a plane, coloured by the group that each belongs to; one picture or several in a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.report.canvas import LINE, PALETTE, SOFT
from robovalue_ros.report.view.sheet import Sheet, points, shortened

PANEL, LEGEND, TOP, BOTTOM, GAP = 520, 220, 92, 46, 24
PER_ROW = 2
SHARPNESS = 1.5
MARKERS = ("o", "s", "^", "D", "v", "P", "p", "h")
MOST_NAMED = 16
GREY = "#9097a1"


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """points (N, 2) and the group of each; None is noise. axes: what the two directions are."""

    title: str
    points: NDArray[np.float64]
    groups: tuple[str | None, ...]
    axes: tuple[str, str] = ("", "")


def draw_panels(title: str, subtitle: str, panels: Sequence[Panel], side: int = PANEL) -> bytes:
    """Return a PNG: groups differ in colour and shape, noise is grey and hollow.

    side: of a panel in pixels; text keeps its size, so a small one can be read when it is shrunk.
    """
    across = min(PER_ROW, len(panels))
    down = -(-len(panels) // PER_ROW)
    head = TOP if title or subtitle else GAP
    each, tall = side + LEGEND, side + BOTTOM
    sheet = Sheet(GAP + each * across, head + tall * down, SHARPNESS)
    sheet.text(GAP, 26, shortened(title, 70 * across), 18, weight="bold")
    sheet.text(GAP, 52, shortened(subtitle, 95 * across), 13, SOFT)
    for place, panel in enumerate(panels):
        left = GAP + place % PER_ROW * each
        top = head + place // PER_ROW * tall
        if panel.title:
            sheet.text(left + 26, top - 14, shortened(panel.title, 60), 13)
        axes = sheet.axes(left + 26, top, side - 26, side - GAP)
        _scatter(axes, panel)
        _dress(axes, panel, sheet)
    return sheet.png()


def _scatter(axes: Any, panel: Panel) -> None:
    counts = Counter(panel.groups)
    noise = np.array([group is None for group in panel.groups], np.bool_)
    small = 26 if len(panel.groups) > 400 else 42
    if noise.any():
        axes.scatter(
            *panel.points[noise].T, s=small, facecolors="none", edgecolors=GREY, linewidths=1.1,
            label=f"noise ({counts[None]})",
        )  # fmt: skip
    names = sorted({group for group in panel.groups if group is not None}, key=_natural)
    for place, name in enumerate(names):
        here = np.array([group == name for group in panel.groups], np.bool_)
        shown = f"{shortened(name, 22)} ({counts[name]})"
        if place == MOST_NAMED:
            shown = f"and {len(names) - MOST_NAMED} more"
        axes.scatter(
            *panel.points[here].T, s=small, color=PALETTE[place % len(PALETTE)],
            marker=MARKERS[place % len(MARKERS)], alpha=0.8, linewidths=0,
            label="_" if place > MOST_NAMED else _plain_label(shown),
        )  # fmt: skip


def _plain_label(text: str) -> str:
    # A leading underscore would hide the entry, and a dollar sign begin a formula.
    shown = text.replace("$", r"\$")
    return f"\u200b{shown}" if shown.startswith("_") else shown


def _natural(name: str) -> tuple[int, int, str]:
    return (0, int(name), "") if name.isdecimal() else (1, 0, name)


def _dress(axes: Any, panel: Panel, sheet: Sheet) -> None:
    style = {"color": SOFT, "fontsize": points(12), "family": sheet.fonts}
    axes.set_xlabel(panel.axes[0], **style)
    axes.set_ylabel(panel.axes[1], **style)
    axes.grid(color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=SOFT, length=0, labelbottom=False, labelleft=False)
    axes.margins(0.06)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, borderaxespad=0,
        prop={"family": sheet.fonts, "size": points(12)},
    )  # fmt: skip

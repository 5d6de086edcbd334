"""The curves of an episode, with the lanes of its flags below and its head above."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.report.canvas import INK, LINE, SOFT, plain
from robovalue_ros.report.view.model import KINDS, OUTCOMES, CurveKind, EpisodeView, ViewCurve, runs
from robovalue_ros.report.view.sheet import Sheet, points, shortened

COLOURS: dict[CurveKind, str] = {"hindsight": "#2456c7", "causal": "#c2500b"}
# Far apart in lightness as well as in hue, for eyes that do not tell red from green.
BELOW, ABOVE = "#c2261b", "#1f9d6b"
OUTCOME_COLOURS = {True: "#137a50", False: "#b4261b", None: SOFT}
OUTCOME_MARKS = {True: "●", False: "▲", None: "○"}
FLAG_COLOURS = {
    "stall": "#77808c", "regression": "#c2261b", "unknown": "#7b4fb3", "declared": "#137a50",
}  # fmt: skip
ACTION_COLOUR = "#a3308a"
LEFT, RIGHT = 84, 26
HEAD_PX, LEGEND_PX, LANE_PX, AXIS_PX = 72, 30, 17, 46
FADED = 0.28


def draw_head(sheet: Sheet, view: EpisodeView) -> None:
    """Write task, outcome and name at the top."""
    most = int((sheet.width - 48) / 9.6)
    sheet.text(24, 26, shortened(view.task or "no task given", most), 18, weight="bold")
    mark, colour = OUTCOME_MARKS[view.success], OUTCOME_COLOURS[view.success]
    told = sheet.text(24, 53, f"{mark} {OUTCOMES[view.success]}", 13, colour, weight="bold")
    end = told.get_window_extent(sheet.figure.canvas.get_renderer()).x1
    right = end * sheet.width / sheet.figure.bbox.width
    sheet.text(right + 14, 53, shortened(view.name, int((sheet.width - right) / 7.6)), 13, SOFT)


def panel_height(view: EpisodeView, plot_px: int) -> int:
    """Return the height of legend, curves, lanes and axis together."""
    return LEGEND_PX + plot_px + LANE_PX * view.rows + AXIS_PX


def draw_panel(
    sheet: Sheet, view: EpisodeView, top: int, plot_px: int, *, faded: bool = False
) -> Any:
    """Draw legend, curves, actions and lanes from `top` down; returns the axes of the curves.

    faded: pale, for the part of a video that is yet to come.
    """
    ink = FADED if faded else 1.0
    width = sheet.width - LEFT - RIGHT
    axes = sheet.axes(LEFT, top + LEGEND_PX, width, plot_px)
    limits = (view.first - view.origin, max(view.stop - 1, view.first + 1) - view.origin)
    axes.set_xlim(*limits)
    axes.set_ylim(-0.03, 1.05)
    axes.set_yticks(np.linspace(0, 1, 5))
    _dress(axes, sheet)
    axes.set_ylabel("value", color=SOFT, fontsize=points(12.5), family=sheet.fonts)
    for place, curve in enumerate(view.curves):
        _curve(axes, view, curve, ink, main=place == 0)
    if view.threshold is not None:
        axes.axhline(view.threshold, color=INK, linewidth=0.9, alpha=0.6, linestyle=(0, (1, 2)))
    axes.legend(
        handles=_handles(view), loc="lower left", bbox_to_anchor=(-0.004, 1.0), ncols=6,
        frameon=False, borderaxespad=0.3, columnspacing=1.6, handlelength=1.7, labelcolor=INK,
        prop={"family": sheet.fonts, "size": points(12)},
    )  # fmt: skip
    below = top + LEGEND_PX + plot_px
    last = axes
    if view.actions is not None:
        last = sheet.axes(LEFT, below, width, LANE_PX)
        _actions(last, sheet, view, limits, ink)
        below += LANE_PX
    for name in view.raised:
        last = sheet.axes(LEFT, below, width, LANE_PX)
        _lane(last, sheet, view, name, limits, ink)
        below += LANE_PX
    if last is not axes:
        axes.tick_params(labelbottom=False)
    _frame_axis(last, sheet, view, limits)
    return axes


def _curve(axes: Any, view: EpisodeView, curve: ViewCurve, ink: float, *, main: bool) -> None:
    frames = np.arange(curve.first, curve.stop) - view.origin
    colour, width = COLOURS[curve.kind], 2.4 if main else 1.9
    threshold = view.threshold if main else None
    if threshold is None:
        axes.plot(frames, curve.values, color=colour, linewidth=width, alpha=ink, zorder=3)
        if main:
            axes.fill_between(frames, 0, curve.values, color=colour, alpha=0.07 * ink, linewidth=0)
    else:
        _two_coloured(axes, frames, curve.values, threshold, ink)
    later = curve.ahead(view.lookahead) if main and view.lookahead > 0 else None
    if later is not None:
        axes.plot(
            frames[: len(later.values)], later.values, color=colour, linewidth=1.3,
            alpha=0.75 * ink, linestyle=(0, (4, 2.5)), zorder=2,
        )  # fmt: skip


def _two_coloured(
    axes: Any,
    frames_T: NDArray[np.int64],
    values_T: NDArray[np.float64],
    threshold: float,
    ink: float,
) -> None:
    """Draw points green from the threshold up and red below, and the ground under them."""
    axes.plot(frames_T, values_T, color=SOFT, linewidth=0.8, alpha=0.6 * ink, zorder=2)
    above = values_T >= threshold
    for colour, here in ((BELOW, ~above), (ABOVE, above)):
        axes.plot(
            frames_T[here], values_T[here], linestyle="none", marker="o", markersize=3.2,
            markeredgewidth=0, color=colour, alpha=ink, zorder=3,
        )  # fmt: skip
        # One step further right, or the ground would have a gap where the colour changes.
        ground = here | np.concatenate([[False], here[:-1]])
        axes.fill_between(
            frames_T, 0, values_T, where=ground, color=colour, alpha=0.11 * ink, linewidth=0
        )


def _handles(view: EpisodeView) -> list[Any]:
    from matplotlib.lines import Line2D

    found = []
    for place, curve in enumerate(view.curves):
        if place == 0 and view.threshold is not None:
            dots: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 5}
            at = f"{view.threshold:g}"
            found.append(Line2D([], [], color=ABOVE, label=f"{KINDS[curve.kind]}, ≥ {at}", **dots))
            found.append(Line2D([], [], color=BELOW, label=f"< {at}", **dots))
        else:
            found.append(
                Line2D([], [], color=COLOURS[curve.kind], linewidth=2.4, label=KINDS[curve.kind])
            )
    if view.lookahead > 0:
        label = f"{view.lookahead} frames ahead"
        found.append(Line2D([], [], color=SOFT, linewidth=1.3, linestyle=(0, (3, 2)), label=label))
    return found


def _actions(
    axes: Any, sheet: Sheet, view: EpisodeView, limits: tuple[int, int], ink: float
) -> None:
    """Draw actions one after the other, neighbours in two strengths so that both are seen."""
    _row(axes, sheet, "actions", SOFT, limits)
    axes.axhspan(0.06, 0.94, color=LINE, alpha=0.4, linewidth=0, zorder=0)
    pixels_per_frame = (sheet.width - LEFT - RIGHT) / max(1, limits[1] - limits[0])
    for place, action in enumerate(view.actions or ()):
        left, right = (max(limits[0], min(limits[1], at - view.origin - 0.5))
                       for at in (action.first, action.stop))  # fmt: skip
        if left >= right:
            continue
        faint = place % 2 == 1
        axes.broken_barh(
            [(left, right - left)], (0.06, 0.88), facecolors=ACTION_COLOUR, linewidth=0,
            alpha=(0.5 if faint else 0.9) * ink,
        )  # fmt: skip
        text = shortened(action.label, 40)
        if (right - left) * pixels_per_frame > 7 * len(text) + 8:
            axes.text(
                (left + right) / 2, 0.47, plain(text), color=INK if faint else "#ffffff", alpha=ink,
                ha="center", va="center", fontsize=points(10), family=sheet.fonts,
            )  # fmt: skip


def _lane(
    axes: Any,
    sheet: Sheet,
    view: EpisodeView,
    name: str,
    limits: tuple[int, int],
    ink: float,
) -> None:
    colour = FLAG_COLOURS.get(name, SOFT)
    shift = view.first - view.origin
    spans = [(a + shift - 0.5, b - a) for a, b in runs(view.flags[name])]
    axes.broken_barh(spans, (0.2, 0.6), facecolors=colour, alpha=0.9 * ink, linewidth=0)
    _row(axes, sheet, name, colour, limits)
    axes.axhline(0.5, color=LINE, linewidth=0.8, zorder=0)


def _row(axes: Any, sheet: Sheet, name: str, colour: str, limits: tuple[int, int]) -> None:
    axes.set_xlim(*limits)
    axes.set_ylim(0, 1)
    axes.set_yticks([0.5], labels=[name])
    _dress(axes, sheet, grid=False)
    axes.tick_params(labelbottom=False)
    axes.tick_params(axis="y", colors=colour, labelsize=points(11))


def _frame_axis(axes: Any, sheet: Sheet, view: EpisodeView, limits: tuple[int, int]) -> None:
    axes.tick_params(labelbottom=True)
    axes.xaxis.get_major_locator().set_params(integer=True)
    origin = "" if view.origin == 0 else f"   (0 is recorded frame {view.origin})"
    rate = f"   at {view.rate_hz:.4g} Hz" if view.rate_hz > 0 else ""
    axes.set_xlabel(
        f"frame{rate}{origin}", color=SOFT, fontsize=points(12), family=sheet.fonts, loc="left"
    )


def _dress(axes: Any, sheet: Sheet, *, grid: bool = True) -> None:
    axes.set_facecolor("none")
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(colors=SOFT, labelsize=points(11.5), length=0, pad=5)
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_family(sheet.fonts)
    if grid:
        axes.grid(color=LINE, linewidth=0.8)
        axes.set_axisbelow(True)

"""The energy curve as a small picture: painted in a millisecond, so that it can be live."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from robovalue_ros.contracts.errors import ConfigError, nearest
from robovalue_ros.contracts.frames import Image
from robovalue_ros.report.energy_themes import BASIC, THEMES, Colour, Theme

Dash = Literal["solid", "dashed", "dotted"]
FONT = cv2.FONT_HERSHEY_SIMPLEX
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 30, 34
DASHES = {"solid": (1, 0), "dashed": (12, 6), "dotted": (2, 5)}


@dataclass(frozen=True, slots=True)
class Line:
    """A threshold: its level, what it is called, and how it is drawn. colour: red, green, blue."""

    level: float
    label: str
    colour: Colour = (200, 40, 40)
    dash: Dash = "dashed"


@dataclass(frozen=True, slots=True)
class Look:
    """How the curve is drawn. y: ends of the axis, None by what is shown."""

    style: Literal["basic", "enhanced"] = "enhanced"
    theme: str = "academic_blue"
    title: str = "Energy Curve"
    width: int = 600
    height: int = 200
    y_min: float | None = None
    y_max: float | None = None
    basic_colour: Colour = (0, 255, 0)


def paint_curve(
    raw: Sequence[float],
    smoothed: Sequence[float] | None,
    look: Look,
    lines: Sequence[Line] = (),
    *,
    first: int = 0,
    shaded: Sequence[tuple[int, int]] = (),
) -> Image:
    """Return the picture (H, W, 3) of energies per window.

    first: number of the window that the series begin with. shaded: windows [start, stop) of actions.
    """
    theme = _theme(look)
    canvas: Image = np.full((look.height, look.width, 3), theme.background, np.uint8)
    series = [list(raw)] if smoothed is None else [list(raw), list(smoothed)]
    low, high = _range(series, lines, look)
    place = _Place(look, low, high, first, max(1, len(raw) - 1))
    for start, stop in shaded:
        left, right = place.x(max(start, first)), place.x(min(stop, first + len(raw) - 1))
        if right > left:
            box = canvas[TOP : look.height - BOTTOM, left:right]
            box[:] = (box * 0.75 + np.array(theme.accent) * 0.25).astype(np.uint8)
    _grid(canvas, place, theme)
    for number, line in enumerate(lines):
        if low <= line.level <= high:
            _threshold(canvas, place, line, below=number % 2 == 1)
    colours = [theme.line] if smoothed is None else [theme.raw, theme.smooth]
    for number, (values, colour) in enumerate(zip(series, colours, strict=True)):
        _curve(canvas, place, values, colour, 2 if number or smoothed is None else 1)
        if look.style == "enhanced" and number == len(series) - 1:
            _dots(canvas, place, values, theme.accent)
    if look.style == "enhanced":
        _words(canvas, place, theme, series)
    return canvas


@dataclass(frozen=True, slots=True)
class _Place:
    """From windows and energies to pixels."""

    look: Look
    low: float
    high: float
    first: int
    span: int

    def x(self, window: float) -> int:
        wide = self.look.width - LEFT - RIGHT
        return round(LEFT + (window - self.first) / self.span * wide)

    def y(self, energy: float) -> int:
        tall = self.look.height - TOP - BOTTOM
        share = (energy - self.low) / (self.high - self.low)
        return round(self.look.height - BOTTOM - min(1.5, max(-0.5, share)) * tall)


def _theme(look: Look) -> Theme:
    if look.style == "basic":
        return BASIC.with_line(look.basic_colour)
    if look.theme not in THEMES:
        raise ConfigError(f"unknown theme {look.theme!r}", hint=nearest(look.theme, THEMES))
    return THEMES[look.theme]


def _range(
    series: Sequence[Sequence[float]], lines: Sequence[Line], look: Look
) -> tuple[float, float]:
    """Return the ends of the axis: what is shown and a twentieth more; thresholds that are near."""
    known = [value for values in series for value in values if math.isfinite(value)]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    known += [line.level for line in lines if low - high <= line.level <= 4.0 * max(high, low)]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    if low == high:
        low, high = (0.0, 1.0) if len(series) == 1 else (low - 0.5, high + 0.5)
    else:
        low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)
    low = look.y_min if look.y_min is not None else low
    high = look.y_max if look.y_max is not None else high
    return (low, high) if high > low else (low, low + 1.0)


def _grid(canvas: Image, place: _Place, theme: Theme) -> None:
    look = place.look
    for column in range(11):
        x = LEFT + column * (look.width - LEFT - RIGHT) // 10
        cv2.line(canvas, (x, TOP), (x, look.height - BOTTOM), theme.grid, 1)
    for row in range(7):
        y = TOP + row * (look.height - TOP - BOTTOM) // 6
        cv2.line(canvas, (LEFT, y), (look.width - RIGHT, y), theme.grid, 1)


def _threshold(canvas: Image, place: _Place, line: Line, *, below: bool) -> None:
    y, right = place.y(line.level), place.look.width - RIGHT
    on, off = DASHES[line.dash]
    if line.dash == "solid":
        cv2.line(canvas, (LEFT, y), (right, y), line.colour, 1)
    else:
        for x in range(LEFT, right, on + off):
            cv2.line(canvas, (x, y), (min(x + on, right), y), line.colour, 1)
    text = f"{line.label}: {line.level:.4g}"
    cv2.putText(
        canvas,
        text,
        (LEFT + 6, y + 12 if below else y - 4),
        FONT,
        0.36,
        line.colour,
        1,
        cv2.LINE_AA,
    )


def _curve(
    canvas: Image, place: _Place, values: Sequence[float], colour: Colour, thick: int
) -> None:
    points = [
        (place.x(place.first + at), place.y(value))
        for at, value in enumerate(values) if math.isfinite(value)
    ]  # fmt: skip
    if len(points) > 1:
        cv2.polylines(canvas, [np.array(points, np.int32)], False, colour, thick, cv2.LINE_AA)
    elif points:
        cv2.circle(canvas, points[0], 2, colour, -1, cv2.LINE_AA)


def _dots(canvas: Image, place: _Place, values: Sequence[float], colour: Colour) -> None:
    for at in range(0, len(values), max(1, len(values) // 50)):
        if math.isfinite(values[at]):
            point = (place.x(place.first + at), place.y(values[at]))
            cv2.circle(canvas, point, 2, colour, -1, cv2.LINE_AA)


def _words(canvas: Image, place: _Place, theme: Theme, series: Sequence[Sequence[float]]) -> None:
    look = place.look
    bottom = look.height - BOTTOM
    cv2.rectangle(canvas, (LEFT, TOP), (look.width - RIGHT, bottom), theme.axis, 1)
    _text(canvas, look.title, (LEFT, TOP - 11), theme.text, 0.5)
    for row in range(7):
        level = place.low + (place.high - place.low) * row / 6
        digits = "%.3f" if max(abs(place.low), abs(place.high)) >= 0.1 else "%.1e"
        _text(canvas, digits % level, (4, place.y(level) + 4), theme.text, 0.34)
    ticks = min(9, place.span + 1)
    for tick in range(ticks):
        window = place.first + place.span * tick / max(1, ticks - 1)
        _text(canvas, f"{window:.0f}", (place.x(window) - 8, bottom + 14), theme.text, 0.34)
    _text(canvas, "Time Window", (look.width // 2 - 40, look.height - 6), theme.text, 0.38)
    if len(series) == 2:
        for at, (name, colour) in enumerate((("Raw", theme.raw), ("Smoothed", theme.smooth))):
            x = look.width - RIGHT - 170 + 70 * at
            cv2.line(canvas, (x, TOP - 14), (x + 18, TOP - 14), colour, 2)
            _text(canvas, name, (x + 22, TOP - 10), theme.text, 0.36)
    _statistics(canvas, look, theme, [value for value in series[0] if math.isfinite(value)])


def _statistics(canvas: Image, look: Look, theme: Theme, values: Sequence[float]) -> None:
    """Draw current, mean, spread and range of the raw energies at the top right."""
    if not values or look.width < 400 or look.height < 150:
        return
    told = (
        f"Current {values[-1]:.4g}", f"Mean {np.mean(values):.4g}", f"Std {np.std(values):.4g}",
        f"Range {min(values):.3g}..{max(values):.3g}",
    )  # fmt: skip
    right, wide, high = look.width - RIGHT - 6, 128, 14 * len(told) + 8
    box = canvas[TOP + 6 : TOP + 6 + high, right - wide : right]
    box[:] = (box * 0.2 + np.array(theme.background) * 0.8).astype(np.uint8)
    corner = (right - wide, TOP + 6)
    cv2.rectangle(canvas, corner, (right, TOP + 6 + high), theme.axis, 1)
    for at, text in enumerate(told):
        _text(canvas, text, (right - wide + 6, TOP + 20 + 14 * at), theme.text, 0.34)


def _text(canvas: Image, text: str, at: tuple[int, int], colour: Colour, size: float) -> None:
    cv2.putText(canvas, text, at, FONT, size, colour, 1, cv2.LINE_AA)

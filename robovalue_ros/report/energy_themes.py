"""Colours of the energy curve, as people know them by name. All are (red, green, blue)."""

from __future__ import annotations

from dataclasses import dataclass, replace

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Theme:
    """line: of one curve; raw, smooth: of two."""

    background: Colour
    line: Colour
    raw: Colour
    smooth: Colour
    grid: Colour
    axis: Colour
    text: Colour
    accent: Colour

    def with_line(self, colour: Colour) -> Theme:
        """Return the theme with another colour for the raw energy."""
        return replace(self, line=colour, raw=colour)


def _gray(level: int) -> Colour:
    return (level, level, level)


BASIC = Theme(
    _gray(0), (0, 255, 0), (0, 255, 0), (255, 165, 0), _gray(40), _gray(90), _gray(200),
    (60, 60, 110),
)  # fmt: skip
THEMES = {
    "academic_blue": Theme(
        _gray(250), (50, 100, 180), (100, 200, 200), (50, 100, 180), _gray(220), _gray(100),
        _gray(50), (80, 150, 220),
    ),
    "nature_green": Theme(
        _gray(252), (50, 150, 100), (100, 200, 150), (50, 150, 100), _gray(230), _gray(80),
        _gray(40), (70, 180, 150),
    ),
    "ieee_red": Theme(
        _gray(248), (180, 50, 50), (200, 100, 100), (180, 50, 50), _gray(225), _gray(90),
        _gray(60), (200, 80, 80),
    ),
    "minimal_gray": Theme(
        _gray(255), _gray(80), _gray(170), _gray(80), _gray(240), _gray(120), _gray(60), _gray(140)
    ),
}  # fmt: skip

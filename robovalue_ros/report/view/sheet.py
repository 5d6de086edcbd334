"""A matplotlib figure measured in pixels from the top left corner."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from robovalue_ros.contracts.frames import Image
from robovalue_ros.report.canvas import INK, new_figure, plain, png_bytes, text_fonts

DPI = 100


class Sheet:
    """A white sheet of width x height pixels; sharpness multiplies the pixels, not the layout."""

    def __init__(self, width: int, height: int, sharpness: float = 1.0) -> None:
        self.width, self.height, self._dpi = width, height, DPI * sharpness
        self.figure = new_figure(width / DPI, height / DPI)
        self.figure.set_dpi(self._dpi)
        self.fonts = text_fonts()

    def axes(self, left: float, top: float, width: float, height: float) -> Any:
        """Add axes that fill a box."""
        bottom = 1.0 - (top + height) / self.height
        return self.figure.add_axes(
            (left / self.width, bottom, width / self.width, height / self.height)
        )

    def text(
        self, x: float, y: float, text: str, size: float = 13, color: str = INK, **style: Any
    ) -> Any:
        """Write text; size in pixels."""
        style = {"va": "center", "family": self.fonts} | style
        place = (x / self.width, 1.0 - y / self.height)
        return self.figure.text(*place, plain(text), color=color, fontsize=points(size), **style)

    def png(self) -> bytes:
        return png_bytes(self.figure, int(self._dpi))

    def pixels(self) -> Image:
        """Draw and return the picture (H, W, 3)."""
        with warnings.catch_warnings():
            # As in `png_bytes`: a missing glyph is drawn as a box, which says enough.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            self.figure.canvas.draw()
        drawn: Image = np.asarray(self.figure.canvas.buffer_rgba())[..., :3].copy()
        return drawn


def points(pixels: float) -> float:
    """Return the size in points that is `pixels` high on a sheet."""
    return pixels * 72 / DPI


def shortened(text: str, most: int) -> str:
    """Return text with at most so many characters, on one line."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"

"""The moving view: pictures, a readout and the curve with a marker, painted frame by frame.

The curve is drawn twice with matplotlib, in full and pale. Each frame takes the full one up to the
marker and the pale one beyond, and puts pictures, marker and a few numbers on top, so that a frame
costs milliseconds. The window and the video are painted by the same hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from robovalue_ros.contracts.frames import Image
from robovalue_ros.report.canvas import INK, SOFT
from robovalue_ros.report.view.model import EpisodeView
from robovalue_ros.report.view.panel import (
    ABOVE,
    ACTION_COLOUR,
    BELOW,
    COLOURS,
    FLAG_COLOURS,
    HEAD_PX,
    LEFT,
    RIGHT,
    draw_head,
    draw_panel,
    panel_height,
)
from robovalue_ros.report.view.sheet import Sheet, shortened

PICTURE_PX = 360
READOUT_PX = 210
GAP_PX, FOOT_PX = 8, 30
LEAST_WIDTH, SMALLEST, LEAST_PICTURE = 900, 480, 48
MARKER_SHIFT = 4  # bits of sub-pixel precision


class Painter:
    """Paints one episode.

    shapes: height and width of each camera's frames. scale: of the pictures, 1 is 360 pixels
    high. foot: a line at the bottom. size: pixels of the whole (width, height), else as needed;
    pictures and curve take what is there. sharpness: pixels per pixel of a dense screen.
    """

    def __init__(
        self,
        view: EpisodeView,
        shapes: Sequence[tuple[int, int]],
        *,
        scale: float = 1.0,
        plot_px: int = 300,
        foot: str = "",
        size: tuple[int, int] | None = None,
        sharpness: float = 1.0,
    ) -> None:
        self.view, self._sharpness = view, sharpness
        fixed = HEAD_PX + GAP_PX + (FOOT_PX if foot else 0) + panel_height(view, 0)
        wanted = PICTURE_PX * scale if shapes else LEAST_PICTURE
        if size is None:
            wide = sum(w / h for h, w in shapes) * wanted + GAP_PX * len(shapes)
            width = _even(max(LEAST_WIDTH, wide + READOUT_PX + LEFT + RIGHT))
        else:
            width, height = (max(SMALLEST, int(side / sharpness)) for side in size)
            wanted = max(LEAST_PICTURE, (height - fixed) * wanted / (wanted + plot_px))
        self._boxes, pictures = _boxes(shapes, wanted, width - LEFT - RIGHT - READOUT_PX)
        if size is None:
            height = _even(fixed + int(pictures) + plot_px)
        else:
            plot_px = max(LEAST_PICTURE, height - fixed - int(pictures))
            height = max(height, fixed + int(pictures) + plot_px)
        top = HEAD_PX + int(pictures) + GAP_PX
        self._readout = (width - RIGHT - READOUT_PX + 24, HEAD_PX, READOUT_PX - 24, int(pictures))
        played, axes = self._drawn(width, height, top, plot_px, foot, faded=False)
        ahead, _ = self._drawn(width, height, top, plot_px, foot, faded=True)
        self._played, self._ahead = played, ahead
        self._plot = _corners(axes, len(played))
        self._plot_y = (axes.get_ylim()[0], axes.get_ylim()[1])
        low = top * sharpness
        self._panel = (int(low), int((top + panel_height(view, plot_px)) * sharpness))
        self._fonts = _fonts(sharpness)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return int(self._played.shape[1]), int(self._played.shape[0])

    def paint(self, frame: int, images: Sequence[Image | None]) -> Image:
        """Return the picture (H, W, 3) of a raw frame; a damaged image is None and stays grey."""
        import cv2

        x = self.column(frame)
        low, high = self._panel
        canvas = self._played.copy()
        canvas[low:high, x + 1 :] = self._ahead[low:high, x + 1 :]
        for (left, top, width, height), image in zip(self._boxes, images, strict=True):
            box = [round(side * self._sharpness) for side in (left, top, width, height)]
            place = canvas[box[1] : box[1] + box[3], box[0] : box[0] + box[2]]
            if image is None or place.size == 0:  # damaged, or no room for it
                place[:] = 208
                continue
            smaller = image.shape[0] > box[3]
            kind = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
            place[:] = cv2.resize(image, (place.shape[1], place.shape[0]), interpolation=kind)
        self._mark(canvas, frame, x)
        self._tell(canvas, frame)
        return canvas

    def column(self, frame: int) -> int:
        """Return the pixel column of a raw frame."""
        left, right, _, _ = self._plot
        span = max(1, len(self.view) - 1)
        return round(left + (frame - self.view.first) / span * (right - left))

    def frame_at(self, x: float, y: float) -> int | None:
        """Return the raw frame under a pixel of the curve and its lanes, None elsewhere."""
        left, right, top, _ = self._plot
        if not (left - 6 <= x <= right + 6 and top <= y <= self._panel[1]):
            return None
        share = (x - left) / (right - left)
        return self.view.clamp(self.view.first + round(share * (len(self.view) - 1)))

    def _drawn(
        self, width: int, height: int, top: int, plot_px: int, foot: str, *, faded: bool
    ) -> tuple[Image, Any]:
        sheet = Sheet(width, height, self._sharpness)
        draw_head(sheet, self.view)
        axes = draw_panel(sheet, self.view, top, plot_px, faded=faded)
        if foot:
            sheet.text(width / 2, height - FOOT_PX / 2 - 4, foot, 12, SOFT, ha="center")
        return sheet.pixels(), axes

    def _mark(self, canvas: Image, frame: int, x: int) -> None:
        import cv2

        _, _, top, bottom = self._plot
        thick = max(1, round(self._sharpness))
        cv2.line(canvas, (x, round(top)), (x, self._panel[1] - round(44 * self._sharpness)),
                 _rgb(INK), thick)  # fmt: skip
        low, high = self._plot_y
        one = 1 << MARKER_SHIFT
        for curve in self.view.curves:
            value = curve.at(frame)
            if value is None:
                continue
            y = bottom - (value - low) / (high - low) * (bottom - top)
            centre = (round(x * one), round(y * one))
            for colour, radius in (("#ffffff", 7.5), (COLOURS[curve.kind], 5.5)):
                size = round(radius * self._sharpness * one)
                cv2.circle(canvas, centre, size, _rgb(colour), -1, cv2.LINE_AA, MARKER_SHIFT)

    def _tell(self, canvas: Image, frame: int) -> None:
        """Write numbers beside the pictures."""
        from PIL import Image as Pictures
        from PIL import ImageDraw

        left, top, width, height = (round(side * self._sharpness) for side in self._readout)
        place = canvas[top : top + height, left : left + width]
        picture = Pictures.fromarray(np.ascontiguousarray(place))
        pen = ImageDraw.Draw(picture)
        view, y = self.view, 0.0
        small, large = self._fonts
        step = self._sharpness
        count = f"frame {frame - view.origin}"
        pen.text((0, y), count, INK, font=small)
        y += 21 * step
        if view.rate_hz > 0:
            pen.text((0, y), f"{(frame - view.origin) / view.rate_hz:.2f} s", SOFT, font=small)
        y += 30 * step
        for curve in view.curves:
            value = curve.at(frame)
            pen.text((0, y), curve.kind, COLOURS[curve.kind], font=small)
            text = "–" if value is None else f"{value:.2f}"
            colour = COLOURS[curve.kind]
            if curve is view.curves[0] and view.threshold is not None and value is not None:
                colour = ABOVE if value >= view.threshold else BELOW
            pen.text((0, y + 16 * step), text, colour, font=large)
            y += 72 * step
        action = view.action_at(frame)
        if action is not None:
            # No more than there is room for beside the pictures.
            pen.text((0, y), f"■ {shortened(action.label, 20)}", ACTION_COLOUR, font=small)
            y += 21 * step
        for name in view.raised:
            if view.flags[name][frame - view.first]:
                pen.text((0, y), f"■ {name}", FLAG_COLOURS.get(name, SOFT), font=small)
                y += 21 * step
        place[:] = np.asarray(picture)


def _boxes(
    shapes: Sequence[tuple[int, int]], height: float, room: int
) -> tuple[list[tuple[float, float, float, float]], float]:
    """Return where each picture goes (left, top, width, height), all equally high; and how high."""
    if not shapes:
        return [], height
    ratios = [w / h for h, w in shapes]
    height = max(4.0, min(height, (room - GAP_PX * (len(shapes) - 1)) / sum(ratios)))
    found, left = [], float(LEFT)
    for ratio in ratios:
        found.append((left, float(HEAD_PX), ratio * height, height))
        left += ratio * height + GAP_PX
    return found, height


def _corners(axes: Any, rows: int) -> tuple[float, float, float, float]:
    """Return left, right, top and bottom of axes in pixels from the top left."""
    box = axes.get_window_extent()
    return float(box.x0), float(box.x1), rows - float(box.y1), rows - float(box.y0)


def _fonts(sharpness: float) -> tuple[Any, Any]:
    from matplotlib import font_manager
    from PIL import ImageFont

    path = font_manager.findfont("DejaVu Sans")
    return (
        ImageFont.truetype(path, round(15 * sharpness)),
        ImageFont.truetype(path, round(40 * sharpness)),
    )


def _even(length: float) -> int:
    """Return a length that video can have."""
    return 2 * int(np.ceil(length / 2))


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)

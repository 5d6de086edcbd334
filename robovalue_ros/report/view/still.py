"""One picture of an episode: frames in a strip, each above its moment on the curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.validate import require
from robovalue_ros.report.canvas import LINE, SOFT
from robovalue_ros.report.view.model import EpisodeView
from robovalue_ros.report.view.panel import (
    HEAD_PX,
    LEFT,
    RIGHT,
    draw_head,
    draw_panel,
    panel_height,
)
from robovalue_ros.report.view.sheet import Sheet

WIDTH, PICTURE_PX, GAP_PX = 1280, 132, 6
SHARPNESS = 1.5


def strip_frames(
    view: EpisodeView, shapes: Sequence[tuple[int, int]], *, scale: float = 1.0
) -> tuple[int, ...]:
    """Return the raw frames of the strip: as many as fit, evenly spread.

    shapes: height and width of each camera's frames.
    """
    room = WIDTH - LEFT - RIGHT
    slots = max(1, int(room // (_picture_width(shapes, scale) + GAP_PX)))
    centres = (np.arange(slots) + 0.5) / slots * (len(view) - 1)
    chosen = np.unique(np.rint(centres).astype(int))
    return tuple(int(frame) + view.first for frame in chosen)


def draw_still(
    view: EpisodeView,
    pictures: Mapping[str, Mapping[int, Image]],
    *,
    scale: float = 1.0,
    plot_px: int = 320,
) -> bytes:
    """Return a PNG. pictures: camera -> raw frame of `strip_frames` -> (H, W, 3) RGB."""
    height = round(PICTURE_PX * scale)
    rows = [camera for camera in pictures if pictures[camera]]
    for camera in rows:
        for image in pictures[camera].values():
            sound = image.ndim == 3 and image.shape[2] == 3 and image.size > 0
            require(sound, f"pictures of {camera}", "images (H, W, 3)", image.shape)
    strip = len(rows) * (height + GAP_PX)
    top = HEAD_PX + strip + 6
    sheet = Sheet(WIDTH, top + panel_height(view, plot_px), SHARPNESS)
    draw_head(sheet, view)
    axes = draw_panel(sheet, view, top, plot_px)
    axes.grid(visible=False, axis="x")
    width, span = WIDTH - LEFT - RIGHT, max(1, len(view) - 1)
    for row, camera in enumerate(rows):
        y = HEAD_PX + row * (height + GAP_PX)
        sheet.text(LEFT - 12, y + height / 2, camera, 11, SOFT, ha="right", rotation=90)
        for frame, image in pictures[camera].items():
            wide = height * image.shape[1] / image.shape[0]
            x = LEFT + (frame - view.first) / span * width
            x = min(max(x - wide / 2, LEFT), WIDTH - RIGHT - wide)
            cell = sheet.axes(x, y, wide, height)
            cell.imshow(image, interpolation="lanczos", aspect="auto")
            cell.set_axis_off()
            if row == 0:
                axes.axvline(frame - view.origin, color=LINE, linewidth=0.8, zorder=0)
    return sheet.png()


def _picture_width(shapes: Sequence[tuple[int, int]], scale: float) -> float:
    return max((PICTURE_PX * scale * w / h for h, w in shapes), default=PICTURE_PX * scale)

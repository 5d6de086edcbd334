"""The window: one painted picture that keys and clicks move through the episode."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from robovalue_ros.contracts.errors import RenderError
from robovalue_ros.contracts.frames import Image
from robovalue_ros.report.view.keys import HELP, QUIT, HeldKey
from robovalue_ros.report.view.model import EpisodeView
from robovalue_ros.report.view.painter import Painter
from robovalue_ros.report.view.sheet import DPI, shortened

Loader = Callable[[int], Sequence[Image | None]]
INSTEAD = "Without a window: --out-png PICTURE.png or --out-video FILM.mp4."
TIMER_MS = 8


class Viewer:
    """Shows an episode in a figure and obeys its events.

    load: returns the images of a raw frame, one per camera. close: what quitting does.
    clock: seconds. Nothing here knows which toolkit draws the figure.
    """

    def __init__(
        self,
        figure: Any,
        painter: Callable[[tuple[int, int] | None, float], Painter],
        load: Loader,
        *,
        interval_s: float = 0.05,
        close: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.figure, self._make, self._load = figure, painter, load
        self._close, self._clock = close, clock
        self._held = HeldKey(interval_s)
        self._dragging = False
        self._picture = picture_of(figure)
        self._fit()
        self.frame = self._painter.view.first
        canvas = figure.canvas
        for event, handler in (
            ("key_press_event", self._pressed), ("key_release_event", self._released),
            ("button_press_event", self._clicked), ("motion_notify_event", self._moved),
            ("button_release_event", self._let_go), ("resize_event", self._resized),
        ):  # fmt: skip
            canvas.mpl_connect(event, handler)
        self._timer = canvas.new_timer(interval=TIMER_MS)
        self._timer.add_callback(self.tick)
        self._paint()

    @property
    def view(self) -> EpisodeView:
        return self._painter.view

    def go(self, frame: int) -> None:
        """Show a raw frame, or the nearest there is."""
        wanted = self.view.clamp(frame)
        if wanted != self.frame:
            self.frame = wanted
            self._paint()

    def tick(self) -> None:
        """Step on while a key is held; called by the timer."""
        step = self._held.tick(self._clock())
        if step:
            self.go(self.frame + step)
        if not self._held.down:
            self._timer.stop()

    def _pressed(self, event: Any) -> None:
        if event.key is None:
            return
        if event.key.lower() in QUIT:
            self._close()
            return
        step = self._held.press(event.key, self._clock())
        if step:
            self.go(self.frame + step)
        if self._held.down:
            self._timer.start()

    def _released(self, event: Any) -> None:
        if event.key is not None:
            self._held.release(event.key, self._clock())

    def _clicked(self, event: Any) -> None:
        if event.button == 1 and (frame := self._under(event)) is not None:
            self._dragging = True
            self.go(frame)

    def _moved(self, event: Any) -> None:
        if self._dragging and (frame := self._under(event)) is not None:
            self.go(frame)

    def _let_go(self, event: Any) -> None:
        self._dragging = False

    def _under(self, event: Any) -> int | None:
        # Events count pixels from the bottom.
        return self._painter.frame_at(event.x, self._painter.size[1] - event.y)

    def _resized(self, event: Any) -> None:
        if (event.width, event.height) != self._painter.size and min(event.width, event.height) > 1:
            self._fit()
            self._paint()

    def _fit(self) -> None:
        box = self.figure.bbox
        dense = float(getattr(self.figure.canvas, "device_pixel_ratio", 1.0))
        self._painter = self._make((round(box.width), round(box.height)), dense)

    def _paint(self) -> None:
        painted = self._painter.paint(self.frame, self._load(self.frame))
        self._picture.show(painted)
        self.figure.canvas.draw_idle()


def picture_of(figure: Any) -> Any:
    """Add an artist to a figure that copies a picture onto it, pixel by pixel.

    matplotlib's own images are resampled on every drawing, which takes a tenth of a second.
    """
    from matplotlib.artist import Artist

    class Picture(Artist):
        def __init__(self) -> None:
            super().__init__()
            self._rgba = np.zeros((1, 1, 4), np.uint8)

        def show(self, rgb: Image) -> None:
            alpha = np.full(rgb.shape[:2], 255, np.uint8)
            # The renderer counts rows from the bottom.
            self._rgba = np.ascontiguousarray(np.dstack([rgb, alpha])[::-1])
            self.stale = True

        def draw(self, renderer: Any) -> None:
            context = renderer.new_gc()
            low = round(figure.bbox.height) - len(self._rgba)
            renderer.draw_image(context, 0, low, self._rgba)
            context.restore()

    return figure.add_artist(Picture())


def show(
    view: EpisodeView,
    shapes: Sequence[tuple[int, int]],
    load: Loader,
    *,
    scale: float = 1.0,
    plot_px: int = 300,
    interval_ms: int = 50,
) -> None:
    """Open a window and return when it is closed. Raises RenderError where none can be."""
    require_display()
    from matplotlib import rc_context
    from matplotlib.backend_bases import FigureManagerBase

    def painter(size: tuple[int, int] | None, dense: float) -> Painter:
        return Painter(
            view, shapes, scale=scale, plot_px=plot_px, foot=HELP, size=size, sharpness=dense
        )

    width, height = painter(None, 1.0).size
    with rc_context({"toolbar": "None"}):
        pyplot = _pyplot()
        figure = pyplot.figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    manager: FigureManagerBase | None = figure.canvas.manager
    if manager is not None:
        manager.set_window_title(shortened(f"{view.name}: {view.task}", 120))
        # matplotlib would close, save and zoom on q, s, left and others.
        if manager.key_press_handler_id is not None:
            figure.canvas.mpl_disconnect(manager.key_press_handler_id)
    viewer = Viewer(
        figure, painter, load, interval_s=interval_ms / 1000, close=lambda: pyplot.close(figure)
    )
    pyplot.show(block=True)
    del viewer


def require_display() -> None:
    """Raise RenderError where there is no screen to open a window on."""
    silent = not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    if sys.platform.startswith("linux") and silent:
        raise RenderError("there is no display for a window", "DISPLAY or WAYLAND_DISPLAY", INSTEAD)


def _pyplot() -> Any:
    """Return pyplot with a toolkit that opens windows."""
    import matplotlib
    from matplotlib import pyplot

    try:
        figure = pyplot.figure()
        pyplot.close(figure)
    except (ImportError, RuntimeError) as problem:
        raise RenderError(f"no window can be opened: {problem}", "a display", INSTEAD) from None
    name = matplotlib.get_backend().lower()
    if name in ("agg", "cairo", "pdf", "pgf", "ps", "svg", "template"):
        raise RenderError(
            f"matplotlib draws with {name}, which has no windows", "Tk, Qt or GTK for Python",
            f"{INSTEAD} Or install one, such as python3-tk, and unset MPLBACKEND.",
        )  # fmt: skip
    return pyplot

"""Looking on while a video is cut: a window, a picture of the energies, a video with both."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from robovalue_ros.contracts.errors import ConfigError, RenderError
from robovalue_ros.contracts.frames import Image
from robovalue_ros.data.atomic import write_bytes
from robovalue_ros.data.media.still import encode_png
from robovalue_ros.data.video.clip import ClipWriter
from robovalue_ros.pipelines.segment.stream_config import SegmentStreamConfig, stream_options
from robovalue_ros.pipelines.segment.stream_results import ResultsFolder
from robovalue_ros.pipelines.segment.stream_times import WindowTimes
from robovalue_ros.report.energy_curve import Line, Look, paint_curve
from robovalue_ros.report.view.window import require_display
from robovalue_ros.segment.events import SegmentClosed, SegmentOpened, Update
from robovalue_ros.segment.options import StreamOptions
from robovalue_ros.segment.warm_up import FOR_VELOCITIES, is_watching
from robovalue_ros.segment.windows import resized_shape

OVERLAY_SHORTER = 360
EMA = 0.1
WHOLE = 1200  # pixels that the picture of a whole video is wide
QUIT = (ord("q"), 27)


def make_watcher(config: SegmentStreamConfig, folder: ResultsFolder) -> Watch | None:
    """Return what looks on, None when nobody asked for a look."""
    output = config.output
    if not (config.look.show or output.plot or output.overlay):
        return None
    return Watch(config, folder)


class Watch:
    """Draws what happens. A window that cannot be opened is told once, and the work goes on."""

    def __init__(self, config: SegmentStreamConfig, folder: ResultsFolder) -> None:
        look, output = config.look, config.output
        if len(look.plot_color) != 3:
            raise ConfigError(f"plot_color is {look.plot_color}", "three numbers: blue, green, red")
        blue, green, red = look.plot_color
        self._config, self._folder = config, folder
        self._look = Look(
            look.viz_style, look.theme, look.plot_title, look.plot_width, look.plot_height,
            look.y_min, look.y_max, (red, green, blue),
        )  # fmt: skip
        paint_curve([], None, self._look)  # a wrong theme is told before the work begins
        self._options = stream_options(config, FOR_VELOCITIES)
        self._raw: list[float] = []
        self._smooth: list[float] = []
        self._numbers: deque[int] = deque(maxlen=look.viz_window)
        self._actions: list[tuple[int, int]] = []
        self._opened: int | None = None
        self._times: dict[str, float] = {}
        self._late = 0
        self._panel: Image | None = None
        self._screen = _Screen(look.window_title, config.run.display_fps) if look.show else None
        self._film = (
            ClipWriter(
                folder.path / f"{folder.path.name}_overlay.mp4", config.cut.target_fps or 20.0,
                "h264",
            )
            if output.overlay
            else None
        )  # fmt: skip

    def frame(self, image: Image, active: bool) -> bool:
        """Take a frame that was looked at; False when somebody pressed q."""
        screen = self._screen is not None and self._screen.due()
        if not screen and self._film is None:
            return True
        picture = self._painted(image, active)
        if self._film is not None:
            self._film.write(picture)
        if screen and self._screen is not None:
            return self._screen.show(picture)
        return True

    def window(self, update: Update, times: WindowTimes, options: StreamOptions) -> None:
        """Take what a window brought."""
        self._options = options
        self._late += times.late
        for name, value in (
            ("track", times.track),
            ("encode", times.forward),
            ("all", times.total),
        ):
            before = self._times.get(name, value)
            self._times[name] = (1.0 - EMA) * before + EMA * value
        for event in update.events:
            if isinstance(event, SegmentOpened):
                self._opened = event.window
            elif isinstance(event, SegmentClosed):
                self._close(event)
        energy = update.reading.energy
        self._raw.append(float("nan") if energy is None else energy)
        self._smooth.append(self._raw[-1] if update.smoothed is None else update.smoothed)
        self._numbers.append(update.reading.window)
        if not self._config.output.plot:
            del self._raw[: -self._config.look.viz_window]
            del self._smooth[: -self._config.look.viz_window]
        self._panel = None

    def finish(self, options: StreamOptions) -> None:
        """Write the picture and the video."""
        self._options = options
        if self._film is not None and self._film.frames:
            self._film.keep()
        if self._config.output.plot:
            look = self._look
            wide = Look(
                look.style, look.theme, f"{self._folder.path.name}: {look.title}", WHOLE, 320,
                look.y_min, look.y_max, look.basic_colour,
            )  # fmt: skip
            first = self._numbers[-1] - len(self._raw) + 1 if self._numbers else 0
            picture = paint_curve(
                self._raw, self._second(self._smooth), wide, self._lines(), first=first,
                shaded=self._shaded(),
            )  # fmt: skip
            name = f"{self._folder.path.name}_energy.png"
            write_bytes(self._folder.path / name, encode_png(picture))
        if self._screen is not None:
            self._screen.close()

    def abandon(self) -> None:
        """Throw the unfinished video away."""
        if self._film is not None:
            self._film.drop()
        if self._screen is not None:
            self._screen.close()

    def _close(self, event: SegmentClosed) -> None:
        self._opened = None
        if event.kept:
            self._actions.append(event.windows)
        if not self._config.output.plot:
            del self._actions[: -self._config.look.viz_window]

    def _shaded(self) -> list[tuple[int, int]]:
        if self._opened is None or not self._numbers:
            return self._actions
        return [*self._actions, (self._opened, self._numbers[-1] + 1)]

    def _second(self, smooth: list[float]) -> list[float] | None:
        both = self._options.smoothing.enable and self._config.look.visualize_both
        return smooth if both else None

    def _lines(self) -> list[Line]:
        guards = self._options.hysteresis
        if not self._config.cut.segment or is_watching(self._options):
            return []
        return [
            Line(guards.threshold, "on"),
            Line(guards.threshold * guards.hysteresis_ratio, "off", (200, 130, 40), "dotted"),
        ]

    def _painted(self, image: Image, active: bool) -> Image:
        shape = resized_shape(image.shape[0], image.shape[1], OVERLAY_SHORTER)
        size = (max(self._look.width, shape[1]), shape[0])
        picture: Image = np.zeros((size[1] + self._look.height, size[0], 3), np.uint8)
        small = cv2.resize(image, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
        left = (size[0] - shape[1]) // 2
        picture[: shape[0], left : left + shape[1]] = small
        if self._config.look.show_overlay:
            self._tell(picture[: shape[0], left : left + shape[1]], active)
        if self._panel is None:
            shown = self._config.look.viz_window
            raw, smooth = self._raw[-shown:], self._smooth[-shown:]
            first = self._numbers[-1] - len(raw) + 1 if self._numbers else 0
            self._panel = paint_curve(
                raw, self._second(smooth), self._look, self._lines(), first=first,
                shaded=self._shaded(),
            )  # fmt: skip
        curve_left = (size[0] - self._look.width) // 2
        picture[shape[0] :, curve_left : curve_left + self._look.width] = self._panel
        return picture

    def _tell(self, picture: Image, active: bool) -> None:
        options = self._options
        times = ", ".join(f"{name} {1e3 * value:.0f} ms" for name, value in self._times.items())
        guards = options.hysteresis
        state = f"SEG {'ON' if active else 'OFF'}   thr {guards.threshold:.4g}"
        if is_watching(options):
            state = "watching, no threshold yet"
        windows = self._numbers[-1] + 1 if self._numbers else 0
        side = int(options.num_tracks**0.5)
        lines = (
            f"T={options.window} stride={options.stride} grid={side}x{side}",
            f"windows {windows}, late {self._late}   {times}",
            state,
        )
        head = picture[: 18 * len(lines) + 8]
        head[:] = (head * 0.35).astype(np.uint8)
        for row, text in enumerate(lines):
            colour = (255, 255, 255)
            if row == 2:
                colour = (255, 120, 90) if active else (160, 220, 160)
            at = (8, 18 + 18 * row)
            cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)


class _Screen:
    """A window; without a display, or when it fails, nothing is shown and nothing stops."""

    def __init__(self, title: str, fps: float, now: Callable[[], float] = time.monotonic) -> None:
        self._title, self._now = title, now
        self._period = 1.0 / fps if fps > 0.0 else 0.0
        self._next = 0.0
        self._works = _has_display()
        if not self._works:
            print("note: there is no display; nothing is shown", file=sys.stderr)

    def due(self) -> bool:
        """Say whether it is time for the next picture."""
        if not self._works or self._now() < self._next:
            return False
        self._next = self._now() + self._period
        return True

    def show(self, picture: Image) -> bool:
        """Show a picture; False when q was pressed."""
        window: Any = cv2
        try:
            window.imshow(self._title, picture[..., ::-1])
            return (window.waitKey(1) & 0xFF) not in QUIT
        except cv2.error as problem:
            self._works = False
            print(f"note: the window failed ({problem}); going on without", file=sys.stderr)
            return True

    def close(self) -> None:
        if self._works:
            self._works = False
            try:
                cv2.destroyWindow(self._title)
            except cv2.error:  # it was never opened
                return


def _has_display() -> bool:
    try:
        require_display()
    except RenderError:
        return False
    return True

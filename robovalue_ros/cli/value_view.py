"""`robovalue value view`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from rich.console import Console

from robovalue_ros.cli.console import BarProgress
from robovalue_ros.cli.options import parse
from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.contracts.tools import ReadOptions
from robovalue_ros.pipelines.view import (
    FrameLoader,
    Shown,
    open_view,
    write_still,
    write_video,
)
from robovalue_ros.pipelines.view_config import ViewConfig, ViewReading
from robovalue_ros.report.view.window import require_display, show
from robovalue_ros.wiring import open_reader

ABOUT = """Look at one scored episode: its pictures beside its value curve, in a window, as a
picture or as a video. Keys: a / left and d / right step by 1, w / up and s / down by 10 (w back,
s on), q or Esc quits; a click on the curve goes there.

Example: robovalue value view --hdf5-path episode_0.hdf5 --cache-dir value_cache --out-png look.png"""


def run(words: Sequence[str]) -> int:
    """Run the command; a window opens when nothing is to be written."""
    config = parse(ViewConfig, words, "robovalue value view", ABOUT)
    window = not (config.no_gui or config.out_png or config.out_video)
    if window:
        require_display()
    told = {item.name: getattr(config.read, item.name) for item in fields(ViewReading)}
    reader = open_reader(config.hdf5_path, ReadOptions(fps=config.fps, **told))
    try:
        shown = open_view(
            config.cache_dir, reader, config.hdf5_path, episode=config.episode, curve=config.curve,
            threshold=config.value_threshold, lookahead=config.lookahead,
            segments=config.segments,
        )  # fmt: skip
        try:
            if window:
                _show(shown, config)
            else:
                _write(shown, config)
        finally:
            shown.episode.close()
    finally:
        reader.close()
    return 0


def _show(shown: Shown, config: ViewConfig) -> None:
    show(
        shown.view, shown.shapes, FrameLoader(shown.sources), scale=config.scale,
        plot_px=config.plot_height, interval_ms=config.repeat_interval_ms,
    )  # fmt: skip


def _write(shown: Shown, config: ViewConfig) -> None:
    console = Console()
    png = config.out_png
    if png is None and config.out_video is None:
        png = Path(f"{Path(shown.view.name).name}_value.png")
    if png is not None:
        write_still(shown, _named(png, ".png"), scale=config.scale, plot_px=config.plot_height)
        console.print(f"picture: {png}", soft_wrap=True, highlight=False, markup=False)
    if config.out_video is not None:
        target = _named(config.out_video, ".mp4")
        with BarProgress() as progress:
            frames = write_video(
                shown, target, fps=config.fps, scale=config.scale, plot_px=config.plot_height,
                progress=progress,
            )  # fmt: skip
        console.print(
            f"video: {target} ({frames} frames)", soft_wrap=True, highlight=False, markup=False
        )


def _named(path: Path, suffix: str) -> Path:
    """Raise where a file would get a name that nothing opens, or cannot be made."""
    if path.suffix.lower() != suffix:
        raise ConfigError(f"{path} does not end in {suffix}", f"a file name with {suffix}")
    if path.is_dir():
        raise ConfigError(f"{path} is a folder", "a file name")
    return path

"""`robovalue value view`: one scored episode as a still, a video or a window."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from robovalue_ros.contracts.errors import ConfigError, DataError, nearest
from robovalue_ros.contracts.frames import FrameSource, Image
from robovalue_ros.contracts.ports import EpisodeReader
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Episode, Finding
from robovalue_ros.data.atomic import write_bytes
from robovalue_ros.data.value_store.causal import (
    CAUSAL_FOLDER,
    FLAGS,
    CausalValues,
    read_causal,
)
from robovalue_ros.data.value_store.episode import EpisodeValues, read_values
from robovalue_ros.data.value_store.naming import VALUES_FOLDER
from robovalue_ros.data.value_store.rows import ROWS_FILE, SCORING, Row, read_rows
from robovalue_ros.data.video import encode_video
from robovalue_ros.pipelines.results import THERE, file_name_of
from robovalue_ros.pipelines.shown_actions import ActionLists, action_frames
from robovalue_ros.pipelines.view_config import CurveChoice
from robovalue_ros.report.view.model import EpisodeView, ViewAction, ViewCurve
from robovalue_ros.report.view.painter import Painter
from robovalue_ros.report.view.still import draw_still, strip_frames

DEFAULT_PROGRESS = SilentProgress()
CRF, FPS = 18, 30.0
KEPT_FRAMES = 64
LISTED = 8


@dataclass(frozen=True, slots=True)
class Shown:
    """An episode that is open for viewing; frames stay lazy. Close the episode afterwards."""

    view: EpisodeView
    episode: Episode

    @property
    def sources(self) -> tuple[FrameSource, ...]:
        return tuple(self.episode.cameras.values())

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        return tuple(source.shape for source in self.sources)


def open_view(
    out: Path,
    reader: EpisodeReader,
    path: Path,
    *,
    episode: str | None = None,
    curve: CurveChoice = "both",
    threshold: float | None = None,
    lookahead: int = 0,
    segments: Path | None = None,
) -> Shown:
    """Find the values of a recording in a results folder and open its frames.

    path: the file or data set that `reader` reads. episode: which one of it, where it holds
    several. segments: where its actions are listed, which then stand below the curves. Raises
    DataError or ConfigError that names what is there instead.
    """
    lists = None if segments is None else ActionLists(segments)
    ids = reader.episode_ids()
    names = _names(out, path.resolve())
    chosen, name = _chosen(names, ids, path, episode, out)
    hindsight, causal = _stored(out, name)
    opened = reader.open(chosen)
    try:
        view = _view(name, opened, hindsight, causal, curve, threshold, lookahead)
        if lists is not None:
            view = replace(view, actions=_actions(lists, opened, [path.stem, chosen, name]))
    except (DataError, ConfigError):
        opened.close()
        raise
    return Shown(view, opened)


def write_still(shown: Shown, path: Path, *, scale: float = 1.0, plot_px: int = 320) -> None:
    """Write a PNG: a strip of frames over the curve. Damaged frames stay grey."""
    wanted = strip_frames(shown.view, shown.shapes, scale=scale)
    pictures = {
        camera: {frame: _or_grey(source, frame) for frame in wanted}
        for camera, source in shown.episode.cameras.items()
    }
    write_bytes(path, draw_still(shown.view, pictures, scale=scale, plot_px=plot_px))


def write_video(
    shown: Shown,
    path: Path,
    *,
    fps: float | None = None,
    scale: float = 1.0,
    plot_px: int = 300,
    progress: Progress = DEFAULT_PROGRESS,
) -> int:
    """Write an MP4 that every player shows, in one pass over the frames; returns their number.

    fps: frames per second, default the recording's own rate.
    """
    painter = Painter(shown.view, shown.shapes, scale=scale, plot_px=plot_px)
    rate = fps or shown.view.rate_hz or FPS
    with progress.stage("video", len(shown.view)) as tick:

        def painted() -> Iterator[Image]:
            view = shown.view
            streams = [source.iterate(view.first, view.stop) for source in shown.sources]
            for frame in range(view.first, view.stop):
                yield painter.paint(frame, [next(stream) for stream in streams])
                tick(1)

        return encode_video(path, painted(), rate, CRF, gop=25, pixel_format="yuv420p")


class FrameLoader:
    """Reads the images of a frame, all cameras; keeps the ones used last."""

    def __init__(self, sources: tuple[FrameSource, ...]) -> None:
        self._sources = sources
        self._kept: OrderedDict[int, list[Image | None]] = OrderedDict()

    def __call__(self, frame: int) -> list[Image | None]:
        """Return one image per camera, None for one that is damaged."""
        images = self._kept.pop(frame, None)
        if images is None:
            images = [_or_none(source, frame) for source in self._sources]
        self._kept[frame] = images
        if len(self._kept) > KEPT_FRAMES:
            self._kept.popitem(last=False)
        return images


def _or_none(source: FrameSource, frame: int) -> Image | None:
    try:
        return source.read(frame)
    except DataError:
        return None


def _or_grey(source: FrameSource, frame: int) -> Image:
    image = _or_none(source, frame)
    return np.full((*source.shape, 3), 208, np.uint8) if image is None else image


def _actions(lists: ActionLists, episode: Episode, names: Sequence[str]) -> tuple[ViewAction, ...]:
    findings: list[Finding] = []
    listed = lists.of(names, list(episode.cameras), findings)
    if listed is None and findings:
        raise DataError(lists.path, findings[0].found, "a list of actions")
    if listed is None:
        raise DataError(
            lists.path, f"lists no actions of {episode.id}", "a list of this name",
            nearest(names[-1], lists.names),
        )  # fmt: skip
    stamps_s = (episode.stamps_ns - episode.stamps_ns[0]) / 1e9
    return tuple(ViewAction(*one) for one in action_frames(listed, stamps_s))


def _names(out: Path, path: Path) -> dict[str, str]:
    """Return result files of a recording or data set -> episode within it.

    The log knows which file belongs to which recording. A folder that was moved away from its
    recordings, or lost its log, is searched by file name.
    """
    rows = read_rows(out / ROWS_FILE) if (out / ROWS_FILE).is_file() else ()
    scored = [row for row in rows if row.stage in SCORING and row.status in THERE]
    scored = [row for row in scored if "out_npz" in row.details]
    exact = {_file(row): _episode(row) for row in scored if path in _places(row)}
    if exact:
        return exact
    by_name = {_file(row): _episode(row) for row in scored if Path(row.hdf5).name == path.name}
    if by_name:
        return by_name
    plain = path.name
    there = any((out / f / f"{plain}.npz").is_file() for f in (VALUES_FOLDER, CAUSAL_FOLDER))
    return {plain: path.stem} if there else {}


def _file(row: Row) -> str:
    return file_name_of(str(row.details["out_npz"]))


def _episode(row: Row) -> str:
    return str(row.details.get("episode", Path(row.hdf5).stem))


def _places(row: Row) -> tuple[Path, ...]:
    # Rows name recordings as they were given, perhaps through a link.
    return Path(row.hdf5).resolve(), Path(str(row.details.get("data", row.hdf5))).resolve()


def _chosen(
    names: dict[str, str], ids: tuple[str, ...], path: Path, episode: str | None, out: Path
) -> tuple[str, str]:
    """Return the episode within the data and the name of its result files."""
    if not names:
        raise DataError(
            out, f"holds no values of {path.name}", "a folder in which it was scored",
            "Score it with robovalue value estimate.",
        )  # fmt: skip
    if episode is not None:
        found = [name for name, told in names.items() if told == episode]
        if not found:
            raise ConfigError(f"no scored episode is called {episode!r}",
                              hint=nearest(episode, names.values()))  # fmt: skip
    else:
        found = list(names)
    if len(found) > 1:
        listed = ", ".join(sorted(set(names.values()))[:LISTED])
        more = " ..." if len(set(names.values())) > LISTED else ""
        if len(set(names.values())) > 1:
            raise ConfigError(f"{path} holds {len(found)} scored episodes", "--episode NAME",
                              f"There are {listed}{more}")  # fmt: skip
        raise ConfigError(f"{path.name} was scored from several places: {', '.join(sorted(found))}",
                          "the path that was scored")  # fmt: skip
    told = names[found[0]]
    if told in ids:
        return told, found[0]
    if len(ids) == 1:
        return ids[0], found[0]
    raise DataError(path, f"has no episode {told!r}", "the recording that was scored",
                    nearest(told, ids))  # fmt: skip


def _stored(out: Path, name: str) -> tuple[EpisodeValues | None, CausalValues | None]:
    values, stream = (out / folder / f"{name}.npz" for folder in (VALUES_FOLDER, CAUSAL_FOLDER))
    hindsight = read_values(values) if values.is_file() else None
    causal = read_causal(stream) if stream.is_file() else None
    if hindsight is None and causal is None:
        raise DataError(values, "is absent", "values of the recording", "Run the estimate again.")
    return hindsight, causal


def _view(
    name: str,
    episode: Episode,
    hindsight: EpisodeValues | None,
    causal: CausalValues | None,
    choice: CurveChoice,
    threshold: float | None,
    lookahead: int,
) -> EpisodeView:
    task = str(hindsight.meta["task"]) if hindsight is not None else causal.task if causal else ""
    success = causal.success if causal is not None else None
    if hindsight is not None and success is None:
        success = bool(hindsight.meta["is_success"])
    if choice == "hindsight":
        causal = None
    if choice == "causal":
        hindsight = None
    curves = []
    if hindsight is not None:
        curves.append(ViewCurve("hindsight", hindsight.values.astype(np.float64),
                                int(hindsight.meta["trim_start"])))  # fmt: skip
    if causal is not None:
        curves.append(ViewCurve("causal", causal.values, 0))
    if not curves:
        raise ConfigError(f"{name} has no {choice} curve", "one that was written",
                          "The other one is there; leave --curve out.")  # fmt: skip
    first, stop = min(c.first for c in curves), max(c.stop for c in curves)
    if stop > len(episode):
        raise DataError(
            episode.id, f"has {len(episode)} frames, but values for {stop}",
            "the recording that was scored", "It was recorded or cut anew; score it again.",
        )  # fmt: skip
    flags = {} if causal is None else {flag: getattr(causal, flag)[first:stop] for flag in FLAGS}
    return EpisodeView(
        task=task, name=name, success=success, first=first, stop=stop, origin=curves[0].first,
        rate_hz=episode.rate_hz, curves=tuple(curves), flags=flags, threshold=threshold,
        lookahead=lookahead,
    )  # fmt: skip

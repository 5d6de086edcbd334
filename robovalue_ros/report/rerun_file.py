"""Episodes as a Rerun recording (.rrd): pictures, curves and flags on one timeline.

Everything goes to a file; no viewer is started and nothing is sent anywhere. Episodes lie beside
each other below `/<episode>`, each on the time since its own first frame, and the file carries a
layout with a tab per episode.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import DataError, MissingExtra
from robovalue_ros.contracts.frames import FrameSource, Image
from robovalue_ros.contracts.types import Array
from robovalue_ros.contracts.validate import frozen_array, require

APPLICATION = "robovalue"
TIME, FRAME = "time", "frame"
COLOURS = ((36, 86, 199), (194, 80, 11), (10, 122, 104), (163, 48, 138), (125, 99, 0))
# Pictures go out in small runs, so that an episode of any length takes the memory of one run.
RUN = 64
Damaged = Callable[[str, DataError], None]


@dataclass(frozen=True, slots=True, eq=False)
class RerunEpisode:
    """One episode: stamps_ns (T,), cameras of T frames, curves and flags (T,) by name.

    Curve values that are NaN are left out. about: shown as text.
    """

    id: str
    stamps_ns: NDArray[np.int64]
    cameras: Mapping[str, FrameSource] = field(default_factory=dict)
    curves: Mapping[str, Array] = field(default_factory=dict)
    flags: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    about: str = ""

    def __post_init__(self) -> None:
        require(bool(self.id), "id", "a non-empty text", repr(self.id))
        stamps = frozen_array("stamps_ns", self.stamps_ns, dtype=np.int64, ndim=1)
        require(len(stamps) > 0, "stamps_ns", "at least one frame", "none")
        sizes = {name: len(source) for name, source in self.cameras.items()}
        sizes |= {name: len(row) for name, row in (*self.curves.items(), *self.flags.items())}
        for name, size in sizes.items():
            require(size == len(stamps), name, f"{len(stamps)} entries", size)


def write_rerun(
    path: Path,
    episodes: Iterable[RerunEpisode],
    *,
    longest_px: int = 320,
    quality: int = 80,
    name: str | None = None,
    damaged: Damaged | None = None,
) -> int:
    """Write a recording and return its number of pictures.

    longest_px: pictures are made smaller to this side, never larger. name: of the recording, default the file's. damaged: hears of a camera
    that cannot be read to its end (its later pictures are left out); without it DataError is
    raised. Raises MissingExtra when the Rerun SDK is not installed.
    """
    rr = _sdk()
    stream = rr.RecordingStream(APPLICATION, recording_id=name or path.stem, send_properties=False)
    pictures = 0
    written: list[RerunEpisode] = []
    try:
        stream.save(path)
        for episode in episodes:
            _log_curves(rr, stream, episode)
            for name, source in episode.cameras.items():
                try:
                    pictures += _log_camera(rr, stream, episode, name, source, longest_px, quality)
                except DataError as problem:
                    if damaged is None:
                        raise
                    damaged(episode.id, problem)
            written.append(episode)
        stream.send_blueprint(_layout(written), make_active=True, make_default=True)
        stream.flush()
    finally:
        stream.disconnect()
    return pictures


def _sdk() -> Any:
    try:
        import rerun
    except ImportError:
        raise MissingExtra("rerun-sdk", "viz", "a Rerun file") from None
    return rerun


def _part(*names: str) -> str:
    path: str = _sdk().new_entity_path(list(names))
    return path


def _index(rr: Any, episode: RerunEpisode, frames: NDArray[np.int64]) -> list[Any]:
    since = (episode.stamps_ns - episode.stamps_ns[0])[frames]
    return [
        rr.TimeColumn(TIME, duration=since.astype("timedelta64[ns]")),
        rr.TimeColumn(FRAME, sequence=frames),
    ]


def _log_curves(rr: Any, stream: Any, episode: RerunEpisode) -> None:
    if episode.about:
        stream.log(_part(episode.id, "about"), rr.TextDocument(episode.about), static=True)
    shown = [("value", name, values) for name, values in episode.curves.items()]
    shown += [("flags", name, values) for name, values in episode.flags.items()]
    for place, (group, name, values) in enumerate(shown):
        entity = _part(episode.id, group, name)
        style = rr.SeriesLines(names=[name], colors=[COLOURS[place % len(COLOURS)]])
        stream.log(entity, style, static=True)
        numbers = np.asarray(values, np.float64)
        known = np.flatnonzero(~np.isnan(numbers))
        if len(known):
            stream.send_columns(
                entity, indexes=_index(rr, episode, known),
                columns=rr.Scalars.columns(scalars=numbers[known]),
            )  # fmt: skip


def _log_camera(
    rr: Any,
    stream: Any,
    episode: RerunEpisode,
    name: str,
    source: FrameSource,
    longest_px: int,
    quality: int,
) -> int:
    entity, count, run = _part(episode.id, "cameras", name), 0, list[bytes]()

    def send() -> int:
        frames = np.arange(count, count + len(run))
        stream.send_columns(
            entity, indexes=_index(rr, episode, frames),
            columns=rr.EncodedImage.columns(blob=run, media_type=["image/jpeg"] * len(run)),
        )  # fmt: skip
        return count + len(run)

    try:
        for image in source.iterate():
            run.append(_jpeg(image, longest_px, quality))
            if len(run) == RUN:
                count = send()
                run = []
    finally:
        if run:
            count = send()
    return count


def _jpeg(image: Image, longest_px: int, quality: int) -> bytes:
    import cv2

    height, width = image.shape[:2]
    scale = longest_px / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    done, coded = cv2.imencode(
        ".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality]
    )  # fmt: skip
    require(bool(done), "image", "a picture that JPEG can hold", image.shape)
    content: bytes = coded.tobytes()
    return content


def _layout(episodes: list[RerunEpisode]) -> Any:
    """Return a blueprint: a tab per episode, its cameras above its curves and flags."""
    import rerun.blueprint as rrb

    tabs = []
    for episode in episodes:
        views: list[Any] = [
            rrb.Spatial2DView(origin=_part(episode.id, "cameras", name), name=name)
            for name in episode.cameras
        ]
        plots = [
            rrb.TimeSeriesView(origin=_part(episode.id, group), name=group)
            for group, there in (("value", episode.curves), ("flags", episode.flags))
            if there
        ]
        rows: list[Any] = [*([rrb.Horizontal(*views)] if views else []), *plots]
        if rows:
            tabs.append(rrb.Vertical(*rows, name=episode.id))
    return rrb.Blueprint(rrb.Tabs(*tabs), collapse_panels=True)

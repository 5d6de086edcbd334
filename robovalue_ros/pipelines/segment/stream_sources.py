"""What a source holds: videos, the cameras of recorded episodes, or one live camera."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

import numpy as np

from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.frames import FrameSource
from robovalue_ros.contracts.types import Frame
from robovalue_ros.data.media.listing import VIDEO_SUFFIXES
from robovalue_ros.data.video import VideoFrames
from robovalue_ros.pipelines.recordings import Opener
from robovalue_ros.pipelines.segment.stream_config import OVERRIDE, Kind, SegmentStreamConfig
from robovalue_ros.pipelines.segment.video_list import files_below

What = Literal["video", "episode", "live"]
CAMERA = "camera"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to cut; small, so that it travels to another process.

    key: names it among all of a source. name: of its folder of results. video: what its list of actions
    calls it. place: file, data set, URL or number of a camera.
    """

    what: What
    place: str
    key: str
    name: str
    video: str
    episode: str = ""
    camera: str = ""

    @property
    def version(self) -> tuple[int, int]:
        """Bytes and time of change (ns) of a file, to tell whether it is still the same."""
        path = Path(self.place)
        if self.what == "live" or not path.exists():
            return 0, 0
        status = path.stat()
        return status.st_size, status.st_mtime_ns


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """Recorded frames. fps, duration_s: by their stamps. Can be read again from the start."""

    item: Item
    source: FrameSource
    stamps_ns: Sequence[int]
    close: Callable[[], None]

    @property
    def fps(self) -> float:
        """Frames per second that were recorded, 0 when one frame tells nothing."""
        span = self.stamps_ns[-1] - self.stamps_ns[0]
        return (len(self.stamps_ns) - 1) * 1e9 / span if span > 0 else 0.0

    @property
    def duration_s(self) -> float:
        return len(self.stamps_ns) / self.fps if self.fps > 0.0 else 0.0

    def frames(self) -> Iterator[Frame]:
        """Yield the frames in order."""
        for number, stamp in enumerate(self.stamps_ns):
            yield Frame(int(stamp), {CAMERA: self.source.read(number)})


def find_items(
    config: SegmentStreamConfig,
    opener: Opener,
    environment: Mapping[str, str] | None = None,
) -> list[Item]:
    """Return what the source holds, in a stable order, each with a name of its own.

    Raises ConfigError when nothing says what to cut, DataError when nothing is there.
    """
    forced = (os.environ if environment is None else environment).get(OVERRIDE)
    source, kind = (forced, "file") if forced else (config.source, config.input.kind)
    if source is None:
        raise ConfigError(
            "there is nothing to cut", "a video, folder, data set, bag, URL or number of a camera",
            "Name it, or a parameter file that does.",
        )  # fmt: skip
    kind = _kind(source, kind)
    if kind in ("camera", "rtsp"):
        return [_live(source, kind, config.input.video_name_template)]
    if kind == "dataset":
        return _episodes(Path(source), opener, config)
    return _videos(Path(source), config)


def open_footage(item: Item, opener: Opener) -> Footage:
    """Open recorded frames; raises DataError when they are damaged."""
    if item.what == "video":
        frames = VideoFrames(Path(item.place))
        stamps = frames.index.stamps_ns()
        if np.any(np.diff(stamps) <= 0):
            raise DataError(item.place, "two frames are less than a nanosecond apart")
        return Footage(item, frames, stamps.tolist(), frames.close)
    reader = opener(Path(item.place))
    episode = reader.open(item.episode)

    def close() -> None:
        episode.close()
        reader.close()

    return Footage(item, episode.cameras[item.camera], episode.stamps_ns.tolist(), close)


def renamed(name: str, template: str) -> str:
    """Return a video's name by a template with {name} and {id}, what stands before the first _."""
    if not template:
        return name
    return template.replace("{name}", name).replace("{id}", name.partition("_")[0]) or name


def _kind(source: str, kind: Kind) -> Kind:
    path = Path(source)
    if kind in ("file", "folder"):
        return "folder" if path.is_dir() else "file"
    if kind != "auto":
        return kind
    if source.isdigit() and not path.exists():
        return "camera"
    if "://" in source:
        return "rtsp"
    if path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES:
        return "file"
    if path.is_dir() and not (path / "meta/info.json").is_file() and _only_videos(path):
        return "folder"
    return "dataset"


def _only_videos(folder: Path) -> bool:
    """Say whether a folder is one of videos: what a reader of episodes would make cameras of."""
    for number, path in enumerate(folder.rglob("*")):
        name = path.name.lower()
        if name.endswith((".hdf5", ".h5", ".mcap", ".db3", "metadata.yaml")) or ".tfrecord" in name:
            return False
        if number > 20_000:
            break
    return any(path.suffix.lower() in VIDEO_SUFFIXES for path in folder.rglob("*"))


def _live(source: str, kind: Kind, template: str) -> Item:
    name = f"camera_{source}"
    if kind == "camera":
        if not source.isdigit():
            raise ConfigError(f"the camera is {source!r}", "the number of a camera, such as 0")
    else:
        name = PurePosixPath(urlsplit(source).path).stem or "rtsp_stream"
    name = renamed(_folder_name(name), template)
    return Item("live", source, source, name, name)


def _videos(root: Path, config: SegmentStreamConfig) -> list[Item]:
    suffixes = tuple(f".{ext.lower().lstrip('.')}" for ext in config.input.video_exts)
    files = files_below(root, suffixes)
    if not config.input.recursive and root.is_dir():
        files = [path for path in files if path.parent == root]
        if not files:
            raise DataError(root, "holds no videos", f"files ending in {', '.join(suffixes)}")
    keys = [path.name if root.is_file() else path.relative_to(root).as_posix() for path in files]
    template = config.input.video_name_template
    names = _names(keys, [renamed(Path(key).stem, template) for key in keys])
    return [
        Item("video", str(path), key, name, path.name)
        for path, key, name in zip(files, keys, names, strict=True)
    ]


def _episodes(path: Path, opener: Opener, config: SegmentStreamConfig) -> list[Item]:
    found: list[tuple[str, str, str]] = []
    with closing(opener(path)) as reader:
        for episode_id in reader.episode_ids():
            try:
                with closing(reader.open(episode_id)) as episode:
                    cameras = tuple(episode.cameras)
            except DataError:
                cameras = ("",)  # told when it is its turn
            for camera in cameras:
                key = f"{episode_id}_{camera}" if len(cameras) > 1 else episode_id
                found.append((key, episode_id, camera))
    keys = [key for key, _, _ in found]
    template = config.input.video_name_template
    names = _names(keys, [renamed(_folder_name(Path(key).name), template) for key in keys])
    return [
        Item("episode", str(path), key, name, key, episode, camera)
        for (key, episode, camera), name in zip(found, names, strict=True)
    ]


def _folder_name(text: str) -> str:
    """Return a text as the name of a folder."""
    return re.sub(r"[^\w.\-]+", "_", text).strip(".") or "unnamed"


def _names(keys: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return a name for each key: the one that is wanted, with its folders where several want it."""
    counts = Counter(wanted)
    names = []
    for key, name in zip(keys, wanted, strict=True):
        path = PurePosixPath(key)
        if counts[name] > 1:
            folders = "__".join(path.parts[:-1])
            name = f"{folders}__{name}" if folders else name
        names.append(name)
    twice = Counter(names)
    # What still shares a name differs in its ending, or in how its folders are spelled.
    return [
        name if twice[name] == 1 else key.replace("/", "__")
        for key, name in zip(keys, names, strict=True)
    ]

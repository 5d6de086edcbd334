"""`robovalue segment preprocess`: the tracks of every recording, one HDF5 file each."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import yaml
from numpy.typing import NDArray

from robovalue_ros.contracts.config import to_mapping
from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.ports import PointTracker
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Episode, Finding
from robovalue_ros.data.atomic import write_text
from robovalue_ros.data.detect import detect_format
from robovalue_ros.data.media.listing import ONLY_CAMERA
from robovalue_ros.data.settings import read_yaml
from robovalue_ros.data.tracks.reader import TracksFile
from robovalue_ros.data.tracks.writer import has_view, writing_tracks
from robovalue_ros.pipelines.recordings import Opener
from robovalue_ros.pipelines.segment.following import follow_frames, kept_frames, picture_size
from robovalue_ros.pipelines.segment.pool import Jobs
from robovalue_ros.pipelines.segment.preprocess_config import PreprocessConfig
from robovalue_ros.pipelines.segment.video_list import videos_below
from robovalue_ros.segment.grid import cells_per_side
from robovalue_ros.segment.pictures import Imaging
from robovalue_ros.segment.tracking import StepTracker

DEFAULT_PROGRESS = SilentProgress()
DEFAULT_IMAGING = Imaging()
CONFIG = "config.yaml"
DECIDING = ("follow", "tracks")  # sections that the numbers in a file depend on
BLOCK = 16  # frames that are written together
TrackerMaker = Callable[[], PointTracker | StepTracker]
"""Makes a tracker; pickles, since every process makes its own."""
Status = Literal["made", "kept", "damaged"]


@dataclass(frozen=True, slots=True)
class Job:
    """One recording. data, episode_id: where it is. name: of its file, without suffix."""

    data: Path
    episode_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a recording. frames: of all its views together."""

    name: str
    status: Status
    frames: int = 0
    notes: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class PreprocessResult:
    """folder: where files are. made, kept: recordings followed now, and before."""

    folder: Path
    made: int
    kept: int
    frames: int
    findings: tuple[Finding, ...]


def preprocess(
    config: PreprocessConfig,
    opener: Opener,
    make_tracker: TrackerMaker,
    *,
    imaging: Imaging = DEFAULT_IMAGING,
    progress: Progress = DEFAULT_PROGRESS,
) -> PreprocessResult:
    """Follow the points of every recording that has no whole file yet.

    A damaged recording is passed over and told. Raises DataError when none is left, ConfigError
    when the folder holds tracks of other settings.
    """
    folder = config.folder
    jobs = list_jobs(config, opener)
    _settle(folder, config)
    # Only a worker in this process can tell single frames.
    alone = config.workers == 1 or len(jobs) < 2
    work = _Work(config, opener, make_tracker, imaging, progress if alone else None)
    findings: list[Finding] = []
    counts: Counter[Status] = Counter()
    frames = 0
    with progress.stage("recordings", len(jobs)) as tick:
        for job, result in Jobs[Job, Made](work, lambda job: job.name).run(jobs, config.workers):
            if isinstance(result, DataError):
                advice = "It is passed over; `robovalue segment check` looks at all of them."
                findings.append(Finding("error", job.name, str(result), advice))
                progress.say(f"passed over {job.name}: {result}")
                counts["damaged"] += 1
            else:
                findings += result.notes
                counts[result.status] += 1
                frames += result.frames
            tick(1)
    if counts["damaged"] == len(jobs):
        raise DataError(
            config.source, f"none of {len(jobs)} recordings can be used", "at least one",
            findings[0].found,
        )  # fmt: skip
    findings.sort(key=lambda finding: finding.subject)  # workers end in any order
    return PreprocessResult(folder, counts["made"], counts["kept"], frames, tuple(findings))


def list_jobs(config: PreprocessConfig, opener: Opener) -> list[Job]:
    """Return every recording of the source: each video file below a folder, else each episode."""
    source, wanted = config.source, config.read.source_format
    if source.is_dir() and (wanted == "video" or (wanted == "auto" and _only_videos(source))):
        return [Job(path, path.stem, name) for name, path in videos_below(source).items()]
    reader = opener(source)
    try:
        ids = reader.episode_ids()
    finally:
        reader.close()
    return [Job(source, episode, _safe(source, episode)) for episode in ids]


def _only_videos(source: Path) -> bool:
    return detect_format(source) == "video"


def _safe(source: Path, episode: str) -> str:
    parts = PurePosixPath(episode).parts
    if not parts or ".." in parts or episode.startswith("/") or "\0" in episode:
        raise DataError(source, f"the episode {episode!r} cannot name a file", "a plain name")
    return episode


def _settle(folder: Path, config: PreprocessConfig) -> None:
    """Write the settings beside the tracks, or refuse to mix them with tracks of other ones."""
    path = folder / CONFIG
    ours = to_mapping(config)
    if path.is_file():
        before = read_yaml(path)
        for section in DECIDING:
            told = before.get(section)
            if not isinstance(told, dict):
                return  # another tool's settings: they stay
            for name, value in ours[section].items():
                if told.get(name) != value:
                    raise ConfigError(
                        f"{folder} holds tracks with {name} {told.get(name)}, not {value}",
                        f"{name} {told.get(name)}, or another --output-dir",
                    )
    for free in ("workers", "overwrite", "device"):
        ours.pop(free)
    write_text(path, yaml.safe_dump(ours, sort_keys=False, allow_unicode=True))


@dataclass(slots=True)
class _Work:
    """Follows one recording; pickles without what it has opened."""

    config: PreprocessConfig
    opener: Opener
    make_tracker: TrackerMaker
    imaging: Imaging
    progress: Progress | None = None
    _tracker: Any = field(default=None, repr=False)

    def __getstate__(self) -> tuple[Any, ...]:
        return (self.config, self.opener, self.make_tracker, self.imaging)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.config, self.opener, self.make_tracker, self.imaging = state
        self.progress = self._tracker = None

    def __call__(self, job: Job) -> Made:
        reader = self.opener(job.data)
        try:
            episode = reader.open(job.episode_id)
            try:
                return self._follow(job, episode)
            finally:
                episode.close()
        finally:
            reader.close()

    def _follow(self, job: Job, episode: Episode) -> Made:
        target = self.config.folder / f"{job.name}.hdf5"
        if not episode.cameras:
            raise DataError(job.data, f"{job.name} has no camera", "at least one")
        views = {
            self.config.view if name == ONLY_CAMERA else name: name for name in episode.cameras
        }
        notes: list[Finding] = []
        kept = kept_frames(episode.stamps_ns, self.config.tracks)
        if self.config.overwrite:
            path = target.with_name(f".new-{target.name}")
            path.unlink(missing_ok=True)
        else:
            path, note = target, self._without_damage(job.name, target, views, len(kept))
            notes += [] if note is None else [note]
        frames = 0
        for view, camera in views.items():
            if has_view(path, view):
                continue
            self._write(path, view, episode, camera, kept)
            frames += len(kept)
        if path != target:
            os.replace(path, target)
        return Made(job.name, "made" if frames else "kept", frames, tuple(notes))

    def _without_damage(
        self, name: str, target: Path, views: dict[str, str], frames: int
    ) -> Finding | None:
        """Remove a file that is damaged or of another recording; return what was wrong with it."""
        if not target.is_file():
            return None
        file = TracksFile(target)
        try:
            known = [(view, file.info(view)) for view in views if view in file.views()]
        except DataError as problem:
            file.close()
            target.unlink()
            return Finding("warning", name, f"damaged: {problem.reason}", "It was made again.")
        finally:
            file.close()
        options = self.config.tracks
        points = cells_per_side(options.num_tracks) ** 2
        for view, info in known:
            told = (info.horizon, info.points, info.grid)
            if told != (options.horizon, points, options.grid):
                raise DataError(
                    target, f"{view} follows {info.points} points ({info.grid}) for {info.horizon} "
                    f"frames", f"{points} points ({options.grid}) for {options.horizon} frames",
                    "Choose another --output-dir, or --overwrite.",
                )  # fmt: skip
            if info.frames != frames:
                target.unlink()
                found = f"holds {info.frames} frames, the recording has {frames}"
                return Finding("warning", name, found, "It was made again.")
        return None

    def _write(
        self, path: Path, view: str, episode: Episode, camera: str, kept: NDArray[np.int64]
    ) -> None:
        options, source = self.config.tracks, episode.cameras[camera]
        if self._tracker is None:
            self._tracker = self.make_tracker()
        followed = follow_frames(source, kept, self._tracker, options, self.imaging)
        stage = (self.progress or DEFAULT_PROGRESS).stage(f"{episode.id} {view}", len(kept))
        size, points = picture_size(source, options), cells_per_side(options.num_tracks) ** 2
        with (
            writing_tracks(
                path, view, horizon=options.horizon, points=points, size=size, grid=options.grid
            ) as writer,
            stage as tick,
        ):
            while block := list(islice(followed, BLOCK)):
                writer.append(
                    np.stack([one.tracks for one in block]),
                    np.stack([one.visible for one in block]),
                )
                tick(len(block))

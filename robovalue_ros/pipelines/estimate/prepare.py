"""One recording made ready for scoring: its trimmed span, task, label and two cameras."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from robovalue_ros.contracts.config import to_mapping
from robovalue_ros.contracts.errors import DataError, nearest
from robovalue_ros.contracts.frames import FrameSource
from robovalue_ros.contracts.tools import ReadOptions
from robovalue_ros.contracts.types import Episode
from robovalue_ros.data.embedding_cache.legacy import Trim
from robovalue_ros.data.value_store.ids import file_id
from robovalue_ros.pipelines.estimate.config import EstimateConfig
from robovalue_ros.pipelines.estimate.sources import FAILURE, SUB_FOLDERS, TELEOP
from robovalue_ros.pipelines.recordings import Readers, Recording
from robovalue_ros.value.fusion import needed_cameras
from robovalue_ros.value.identity import short_id, task_from_file_name
from robovalue_ros.value.trim import Span, trim_span

USUAL = {"high": "cam_high", "wrist": "cam_left_wrist"}
# Words that other recorders put into the names of their cameras, the likeliest first.
WORDS = {
    "high": ("high", "front", "agentview", "top", "head", "base", "external", "scene"),
    "wrist": ("wrist", "hand", "gripper"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A usable recording. span: kept raw frames. names: role -> camera. frames: role -> source.

    label: what the recording itself says of its success; is_success: what its list makes of it.
    """

    recording: Recording
    task: str
    is_success: bool
    label: bool | None
    span: Span
    total: int
    names: Mapping[str, str]
    frames: Mapping[str, FrameSource]
    file_id: str

    @property
    def key(self) -> str:
        """A name that no other recording of a run has and that survives a move of its folder."""
        return recording_key(self.recording)

    @property
    def length(self) -> int:
        return self.span.length

    @property
    def trim(self) -> Trim:
        return Trim(self.span.first, self.span.last, self.length)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A recording that has nothing to score. reason: `trim_none` or `too_long`."""

    reason: str
    total: int = 0


def prepare(
    recording: Recording, readers: Readers, config: EstimateConfig, *, signal: str | None = None
) -> Prepared | Skipped:
    """Open a recording and cut it; raises DataError for damage and absent cameras.

    signal: the one to trim by, where that is not the configured one.
    """
    episode = readers.open(recording)
    try:
        span = _span(episode, signal or config.trim_signal, config.epsilon)
        if span is None:
            return Skipped("trim_none")
        if config.max_episode_len is not None and span.length > config.max_episode_len:
            return Skipped("too_long", span.length)
        names = camera_names(episode, config, recording)
        frames = {role: episode.cameras[name] for role, name in names.items()}
        return Prepared(
            recording, _task(episode, recording, config), _is_success(recording, episode, config),
            episode.success, span, len(episode), names, frames,
            recording_id(recording, readers, config),
        )  # fmt: skip
    finally:
        episode.close()


def recording_key(recording: Recording) -> str:
    """Return a name that no other recording of a run has and that survives a move of its folder."""
    if not recording.whole_file:
        return f"{recording.source}/{recording.episode_id}"
    parent = recording.path.parent.name
    # One list may come from several labelled folders, with the same names in each.
    inner = f"{parent}/" if parent in SUB_FOLDERS else ""
    return f"{recording.source}/{inner}{recording.path.name}"


def recording_id(recording: Recording, readers: Readers, config: EstimateConfig) -> str:
    """Return the id by which stored results know a recording: its path, size and time.

    Options that change what is read from it are part of it; without any it is today's id.
    """
    path = recording.data.resolve() if recording.whole_file else recording.path
    plain = file_id(str(path), *readers.version(recording.data))
    read = reading(config)
    return short_id(f"{plain}|{json.dumps(read, sort_keys=True)}") if read else plain


def reading(config: EstimateConfig) -> dict[str, object]:
    """Return the options that change what is read from a recording, those that are set."""
    told = to_mapping(config.read) | {"high": config.high_camera, "wrist": config.wrist_camera}
    usual: dict[str, object] = to_mapping(ReadOptions())
    return {name: value for name, value in told.items() if value != usual.get(name)}


def _span(episode: Episode, signal: str, epsilon: float) -> Span | None:
    rows = episode.states if signal == "qpos" else episode.actions
    if rows.shape[1] == 0:
        # A video has no joints: all of it counts, if there is anything to compare.
        return Span(0, len(episode) - 1) if len(episode) > 1 else None
    return trim_span(rows, epsilon)


def _is_success(recording: Recording, episode: Episode, config: EstimateConfig) -> bool:
    if recording.source == FAILURE:
        return False
    if recording.source == TELEOP and config.compatible:
        # Stored results took every demonstration for a success, whatever it said itself.
        return True
    return episode.success is not False


def _task(episode: Episode, recording: Recording, config: EstimateConfig) -> str:
    if not config.compatible or config.read.task is not None or not _is_hdf5(recording):
        return episode.task
    from robovalue_ros.data.hdf5.file import EpisodeFile

    file = EpisodeFile(recording.data)
    try:
        found = file.find("/task")
        told = None if found is None or getattr(found, "shape", ()) == () else file.text("/task")
    finally:
        file.close()
    # Stored results of files that do not tell their task have the time of day in it.
    return task_from_file_name(recording.path.name, compat=True) if told is None else told


def _is_hdf5(recording: Recording) -> bool:
    return recording.whole_file and recording.data.suffix in (".hdf5", ".h5")


def camera_names(episode: Episode, config: EstimateConfig, recording: Recording) -> dict[str, str]:
    """Return the camera of each role that the camera mode needs; raises DataError without one."""
    wanted = {"high": config.high_camera, "wrist": config.wrist_camera}
    names = {}
    for role in needed_cameras(config.camera_mode):
        name = wanted[role] or guessed_camera(role, episode.cameras)
        if name is None or name not in episode.cameras:
            known = nearest(name or role, episode.cameras)
            raise DataError(
                recording.path, f"has no camera for the role {role}",
                f"{name or USUAL[role]}, or one named by --{role}-camera", known,
            )  # fmt: skip
        names[role] = name
    return names


def guessed_camera(role: str, cameras: Iterable[str]) -> str | None:
    """Return the camera that fits a role by its name; a single camera fits `high`."""
    known = list(cameras)
    if USUAL[role] in known:
        return USUAL[role]
    for word in WORDS[role]:
        for name in known:
            if word in name.lower():
                return name
    others = [name for name in known if not any(w in name.lower() for w in WORDS["wrist"])]
    return others[0] if role == "high" and others else None

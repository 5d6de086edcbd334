"""The names that files of a cut video have."""

from __future__ import annotations

from pathlib import PurePosixPath


def clip_name(number: int, window: int, ext: str = ".mp4") -> str:
    """Return the file name of an action's clip. number: counts also actions that were not kept."""
    return f"segment_{number:04d}_startwin_{window:06d}{ext}"


def codes_name(clip: str) -> str:
    """Return the file name of a clip's motion codes."""
    return f"{PurePosixPath(clip).stem}.codes.json"


def segment_label(number: int) -> str:
    """Return the name of an action in the list of segments."""
    return f"segment_{number}"


def prequant_name(window: int) -> str:
    """Return the file name of a window's tokens before rounding."""
    return f"prequant_win_{window:06d}.npy"


def energy_path(
    pattern: str, video: str, source: str, mode: str, segments_folder: str | None
) -> str:
    """Return where a video's energies go.

    pattern: path whose file name may hold {video_name}, {source} and {mode}; the plain name
    stream_energy gets source and mode appended. segments_folder: where segments go, or None when
    nothing is cut; then the pattern's own folder.
    """
    path = PurePosixPath(pattern)
    name = path.name
    if path.stem == "stream_energy":
        name = f"{path.stem}_{source}_{mode}{path.suffix}"
    for key, value in (("video_name", video), ("source", source), ("mode", mode)):
        name = name.replace(f"{{{key}}}", value)
    folder = path.parent if segments_folder is None else PurePosixPath(segments_folder)
    return str(folder / video / name)

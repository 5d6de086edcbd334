"""`robovalue segment split`: long videos into pieces, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.video import VideoFrames, encode_video, frame_index
from robovalue_ros.pipelines.segment.pool import Jobs
from robovalue_ros.pipelines.segment.video_list import videos_below
from robovalue_ros.pipelines.segment.videos_config import SplitConfig

DEFAULT_PROGRESS = SilentProgress()
FULL_COLOUR = "444"


@dataclass(frozen=True, slots=True)
class SplitResult:
    """videos: that gave pieces. made, kept: pieces written now, and before."""

    videos: int
    made: int
    kept: int
    findings: tuple[Finding, ...]


def split_videos(config: SplitConfig, *, progress: Progress = DEFAULT_PROGRESS) -> SplitResult:
    """Write every video's pieces; those that are there already are kept.

    A damaged video is passed over and told. Raises DataError when none is left.
    """
    videos = videos_below(config.source)
    if config.out.resolve().is_relative_to(config.source.resolve()):
        raise DataError(config.out, "lies inside the source", "a folder of its own")
    findings: list[Finding] = []
    made = kept = 0
    jobs = Jobs[tuple[str, Path], tuple[int, int]](_Split(config), lambda job: job[0])
    with progress.stage("videos", len(videos)) as tick:
        for (name, _), result in jobs.run(list(videos.items()), config.workers):
            if isinstance(result, DataError):
                findings.append(Finding("error", name, str(result), "It is passed over."))
                progress.say(f"passed over {name}: {result}")
            else:
                made, kept = made + result[0], kept + result[1]
            tick(1)
    if len(findings) == len(videos):
        raise DataError(
            config.source, f"none of {len(videos)} videos can be read", "", findings[0].found
        )
    findings.sort(key=lambda finding: finding.subject)
    return SplitResult(len(videos) - len(findings), made, kept, tuple(findings))


def piece_name(name: str, number: int) -> str:
    """Return the file name of a video's piece, counted from 0."""
    return f"{name}_part{number:03d}.mp4"


def piece_spans(frames: int, per_piece: int, least: int) -> list[tuple[int, int]]:
    """Return the frames [start, stop) of each piece; a last one of fewer than `least` is left out."""
    spans = [(at, min(at + per_piece, frames)) for at in range(0, frames, per_piece)]
    return spans[:-1] if len(spans) > 1 and spans[-1][1] - spans[-1][0] < least else spans


@dataclass(frozen=True, slots=True)
class _Split:
    config: SplitConfig

    def __call__(self, job: tuple[str, Path]) -> tuple[int, int]:
        """Split one video; returns pieces written and kept."""
        name, path = job
        config = self.config
        frames = VideoFrames(path)
        try:
            rate = _rate(path)
            least = round(config.min_seconds * rate)
            per_piece = max(1, round(config.seconds * rate))
            made = kept = 0
            for number, (start, stop) in enumerate(piece_spans(len(frames), per_piece, least)):
                target = config.out / piece_name(name, number)
                if _whole(target, stop - start):
                    kept += 1
                    continue
                colour = frame_index(path).pixel_format
                encode_video(
                    target, frames.iterate(start, stop), rate, config.crf,
                    pixel_format="yuv444p" if FULL_COLOUR in colour else "yuv420p",
                )  # fmt: skip
                made += 1
            return made, kept
        finally:
            frames.close()


def _rate(path: Path) -> Fraction:
    """Return frames per second: by the usual step from one frame to the next."""
    index = frame_index(path)
    if len(index) < 2:
        return Fraction(1)
    steps = np.diff(index.pts)
    # The mean keeps 29.97 where stamps are rounded; the median holds against a pause.
    even = steps.max() - steps.min() <= 1
    step = (
        Fraction(int(index.pts[-1] - index.pts[0]), len(steps))
        if even
        else Fraction(int(np.median(steps)))
    )
    return 1 / (step * index.time_base)


def _whole(target: Path, frames: int) -> bool:
    if not target.is_file():
        return False
    try:
        return len(frame_index(target)) == frames
    except DataError:
        return False

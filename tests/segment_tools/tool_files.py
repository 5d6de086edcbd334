"""Videos, energies and lists of segments on disk, and what pickles into worker processes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.fakes import FakeTracker
from robovalue_ros.contracts.tools import ReadOptions
from robovalue_ros.contracts.types import PointTracks
from robovalue_ros.data.video import encode_video
from robovalue_ros.wiring import open_reader

SIZE = (32, 48)
opener = partial(open_reader, options=ReadOptions())


def picture(t: int) -> NDArray[np.uint8]:
    image = np.full((*SIZE, 3), 60, np.uint8)
    image[8:16, 2 * t % 40 : 2 * t % 40 + 8] = 220
    return image


def video(path: Path, frames: int = 24, fps: int = 20) -> Path:
    encode_video(path, [picture(t) for t in range(frames)], fps, pixel_format="yuv420p")
    return path


def cut_off(path: Path) -> Path:
    """Damage a file by taking its second half away."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


class Drift:
    """A PointTracker under which every point goes one pixel right per frame."""

    def track(
        self,
        frames: NDArray[np.uint8],
        points_xy: NDArray[np.float32],
        stamps_ns: NDArray[np.int64],
    ) -> PointTracks:
        steps = np.arange(len(frames), dtype=np.float32)
        xy = np.repeat(np.asarray(points_xy, np.float32)[:, None], len(frames), axis=1)
        xy[..., 0] += steps
        return PointTracks(xy, np.ones(xy.shape[:2], bool), stamps_ns)


class Dying(FakeTracker):
    """A tracker whose process dies at once when the frames have the size of `dies.mp4`."""

    def track(
        self,
        frames: NDArray[np.uint8],
        points_xy: NDArray[np.float32],
        stamps_ns: NDArray[np.int64],
    ) -> PointTracks:
        if frames.shape[1] == 2 * SIZE[0]:
            os._exit(9)
        return super().track(frames, points_xy, stamps_ns)


def energies(
    path: Path, values: Sequence[float] | Mapping[int, float], source: str, mode: str = "l2_mean"
) -> Path:
    pairs = values.items() if isinstance(values, Mapping) else enumerate(values)
    lines = [
        json.dumps({"window": window, "energy": float(value), "source": source, "mode": mode})
        for window, value in pairs
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def segments(
    path: Path,
    spans: Sequence[tuple[float, float]],
    duration: float | None,
    labels: Sequence[str] | None = None,
    **more: Any,
) -> Path:
    names = labels or [f"segment_{n}" for n in range(len(spans))]
    content = {
        "video": f"{path.stem.removesuffix('_segments')}.mp4",
        "segments": [
            {"start_sec": start, "end_sec": stop, "label": name}
            for (start, stop), name in zip(spans, names, strict=True)
        ],
        "video_duration_sec": duration, "fps": 20.0, **more,
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def cut_video(root: Path, name: str, spans: Sequence[tuple[float, float]], **more: Any) -> Path:
    """Write a list of segments where the stream puts it."""
    return segments(root / name / "segmented_videos" / f"{name}_segments.json", spans, None, **more)

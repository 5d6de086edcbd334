"""Made-up motions: something pushes the points near it, straight or in a bow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.data.tracks.writer import writing_tracks

HEIGHT, WIDTH, FRAMES = 60, 80, 16
# In half pictures per frame: so that a push is one to four pixels.
SPEEDS = (0.03, 0.06, 0.12)


def grid(side: int) -> NDArray[np.float64]:
    """Return normalised points (N, 2) as (row, column), row after row."""
    centres = (np.arange(side) + 0.5) / side * 2 - 1
    rows, columns = np.meshgrid(centres, centres, indexing="ij")
    return 0.7 * np.stack([rows.ravel(), columns.ravel()], axis=-1)


def pushes(count: int, rng: np.random.Generator, side: int = 4) -> NDArray[np.float32]:
    """Return positions (count, 1, T, N, 2) of points that are pushed."""
    points = np.empty((count, 1, FRAMES, side * side, 2), np.float32)
    for sample in points[:, 0]:
        centre, angle = rng.uniform(-1, 1, 2), rng.uniform(0, 2 * np.pi)
        turn, speed = 0.1 * rng.normal(), rng.choice(SPEEDS)
        place = grid(side)
        near = np.exp(-((place - centre) ** 2).sum(-1) / 0.8)[:, None]
        for frame in range(FRAMES):
            sample[frame] = place
            way = angle + turn * frame
            place = place + near * speed * np.array([np.sin(way), np.cos(way)])
    return points


def write_recording(
    path: Path, frames: int, rng: np.random.Generator, side: int = 4, still: int = 0
) -> None:
    """Write a track file of pushes; in the last `still` frames nothing moves."""
    points = pushes(frames, rng, side)[:, 0]
    points[frames - still :] = points[frames - still :, :1]
    half = np.array([WIDTH, HEIGHT], np.float32) / 2
    xy = points[..., ::-1] * half + half
    with writing_tracks(
        path, "default", horizon=FRAMES, points=side * side, size=(HEIGHT, WIDTH), grid="cells"
    ) as writer:
        writer.append(xy, np.ones(xy.shape[:3], np.float32))

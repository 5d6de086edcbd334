"""Films for the trackers: a photograph under a camera that moves or rests, and things that cross it.

Every point's way is known. Things move for a while and stop for a while; there is sensor noise, and
the frames went through H.264 as a camera's would.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_sample_image

from robovalue_envs.sim.env import TabletopEnv
from robovalue_envs.sim.expert import Expert
from robovalue_ros.contracts.frames import Image
from robovalue_ros.data.video import VideoFrames, encode_video

HEIGHT, WIDTH, FPS, THINGS = 480, 640, 20, 3
Matrix = NDArray[np.float64]


@dataclass
class Film:
    """frames (T, H, W, 3). ways: where ground (0) and things (1..) lie in each frame, 3x3 each.

    owner (T, H, W): whose pixel it is.
    """

    frames: Image
    ways: list[list[Matrix]]
    owner: NDArray[np.int8]

    def truth(
        self, xy: NDArray[np.float32], start: int, length: int
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the true ways (N, length, 2) of points of frame `start`, and where they are seen."""
        columns, rows = np.rint(xy).astype(int).T
        whose = self.owner[start, rows.clip(0, HEIGHT - 1), columns.clip(0, WIDTH - 1)]
        places = np.empty((len(xy), length, 2))
        seen = np.zeros((len(xy), length), np.bool_)
        homogeneous = np.c_[xy, np.ones(len(xy))]
        for step in range(length):
            for thing, ways in enumerate(self.ways):
                mine = whose == thing
                moved = np.linalg.inv(ways[start]).T @ ways[start + step].T
                places[mine, step] = (homogeneous[mine] @ moved)[:, :2]
            at = np.rint(places[:, step]).astype(int)
            inside = (at >= 0).all(1) & (at[:, 0] < WIDTH) & (at[:, 1] < HEIGHT)
            shown = self.owner[start + step, at[inside, 1], at[inside, 0]]
            seen[inside, step] = shown == whose[inside]
        return places, seen


def make_film(length: int, folder: Path, *, camera_moves: bool, seed: int = 1) -> Film:
    """Film `length` frames and send them through H.264 in `folder`."""
    rng = np.random.default_rng(seed)
    ground = cv2.resize(load_sample_image("china.jpg"), (1280, 854), interpolation=cv2.INTER_CUBIC)
    skin = cv2.resize(load_sample_image("flower.jpg"), (960, 640))
    things = [_thing(rng, skin, length) for _ in range(THINGS)]
    ways = [_camera(rng, length, 1.0 if camera_moves else 0.0), *(thing.ways for thing in things)]
    frames = np.empty((length, HEIGHT, WIDTH, 3), np.uint8)
    owner = np.zeros((length, HEIGHT, WIDTH), np.int8)
    for t in range(length):
        image = cv2.warpAffine(ground, ways[0][t][:2], (WIDTH, HEIGHT))
        for number, thing in enumerate(things, start=1):
            place = thing.ways[t][:2]
            disc = cv2.warpAffine(thing.mask, place, (WIDTH, HEIGHT)) > 127
            image = np.where(
                disc[..., None], cv2.warpAffine(thing.skin, place, (WIDTH, HEIGHT)), image
            )
            owner[t][disc] = number
        noisy = image + rng.normal(0.0, 2.0, image.shape)
        frames[t] = np.clip(np.rint(noisy), 0, 255)
    path = folder / f"film_{'moving' if camera_moves else 'still'}.mp4"
    encode_video(path, frames, FPS, 23, pixel_format="yuv420p")
    return Film(np.stack(list(VideoFrames(path).iterate())), ways, owner)


def simulated(length: int, size: int = 480) -> dict[str, Image]:
    """Return the simulator's cameras (T, H, W, 3) while the expert puts cubes into the box."""
    env = TabletopEnv("put_two_cubes", size=size)
    try:
        observation, _ = env.reset(seed=3)
        expert = Expert(env.unwrapped.world, np.random.default_rng(3))
        shown: dict[str, list[Image]] = {name: [] for name in ("cam_high", "cam_left_wrist")}
        for _ in range(length):
            for name, frames in shown.items():
                frames.append(observation[name])
            observation = env.step(expert.act())[0]
        return {name: np.stack(frames) for name, frames in shown.items()}
    finally:
        env.close()


@dataclass
class _Thing:
    skin: Image
    mask: Image
    ways: list[Matrix] = field(default_factory=list)


def _thing(rng: np.random.Generator, skin: Image, length: int) -> _Thing:
    radius = int(rng.integers(45, 90))
    x, y = rng.integers(radius, 960 - radius), rng.integers(radius, 640 - radius)
    mask = np.zeros((2 * radius, 2 * radius), np.uint8)
    cv2.circle(mask, (radius, radius), radius - 2, 255, -1)
    thing = _Thing(skin[y - radius : y + radius, x - radius : x + radius], mask)
    phase, periods = rng.uniform(0.0, 2 * np.pi, 4), rng.uniform(14.0, 30.0, 2)
    go = np.cumsum(np.sin(np.arange(length) / 40 + phase[2]) > -0.2)
    across, down = WIDTH / 2 - radius - 20, HEIGHT / 2 - radius - 20
    for step in go:
        left = WIDTH / 2 + across * np.sin(step / periods[0] + phase[0])
        top = HEIGHT / 2 + down * np.sin(step / periods[1] + phase[1])
        turn = 0.5 * np.sin(step / 25 + phase[3])
        thing.ways.append(_around(radius, radius, left, top, turn, 1.0))
    return thing


def _camera(rng: np.random.Generator, length: int, amount: float) -> list[Matrix]:
    phase = rng.uniform(0.0, 2 * np.pi, 6)
    ways = []
    for t in range(length):
        x = 640 + amount * (180 * np.sin(t / 45 + phase[0]) + 15 * np.sin(t / 7 + phase[1]))
        y = 427 + amount * (90 * np.sin(t / 60 + phase[2]) + 8 * np.sin(t / 9 + phase[3]))
        turn = amount * 0.08 * np.sin(t / 50 + phase[4])
        zoom = 1.0 + amount * 0.12 * np.sin(t / 70 + phase[5])
        ways.append(_around(x, y, WIDTH / 2, HEIGHT / 2, turn, zoom))
    return ways


def _around(x: float, y: float, to_x: float, to_y: float, turn: float, zoom: float) -> Matrix:
    """Return the map that turns and scales around (x, y) and puts it at (to_x, to_y)."""
    cosine, sine = zoom * np.cos(turn), zoom * np.sin(turn)
    return np.array([
        [cosine, -sine, to_x - cosine * x + sine * y],
        [sine, cosine, to_y - sine * x - cosine * y],
        [0.0, 0.0, 1.0],
    ])  # fmt: skip

"""Numpy fakes of every port: small, deterministic, and honest about the contract they fill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import ContractError, DataError, nearest
from robovalue_ros.contracts.frames import ArrayFrames, Image
from robovalue_ros.contracts.ports import ArmReading, EpisodeRecord, Tick
from robovalue_ros.contracts.types import (
    ActionChunk,
    Array,
    Episode,
    Finding,
    Frame,
    PointTracks,
    Scalar,
    SubstepPlan,
)
from robovalue_ros.contracts.validate import describe, require


class FakeEncoder:
    """Mean colour of a grid of cells, averaged over the clip."""

    def __init__(self, cells: int = 4, clip_frames: int = 8) -> None:
        self._cells = cells
        self._clip_frames = clip_frames

    @property
    def encoder_id(self) -> str:
        return f"fake-mean-colour-{self._cells}x{self._cells}-{self._clip_frames}"

    @property
    def dim(self) -> int:
        return self._cells * self._cells * 3

    @property
    def clip_frames(self) -> int:
        return self._clip_frames

    def encode(self, clips: Image) -> NDArray[np.float32]:
        require(
            clips.ndim == 5 and clips.shape[1] == self._clip_frames and clips.dtype == np.uint8,
            "clips", f"a uint8 array (B, {self._clip_frames}, H, W, 3)", describe(clips),
        )  # fmt: skip
        rows = np.array_split(np.arange(clips.shape[2]), self._cells)
        cols = np.array_split(np.arange(clips.shape[3]), self._cells)
        cells = [
            clips[:, :, r[0] : r[-1] + 1, c[0] : c[-1] + 1].mean(axis=(1, 2, 3), dtype=np.float64)
            for r in rows
            for c in cols
        ]
        return (np.concatenate(cells, axis=1) / 255.0).astype(np.float32)


class FakeTracker:
    """Believes that nothing moves."""

    def track(
        self, frames: Image, points_xy: NDArray[np.float32], stamps_ns: NDArray[np.int64]
    ) -> PointTracks:
        xy = np.repeat(np.asarray(points_xy, np.float32)[:, None, :], len(frames), axis=1)
        return PointTracks(xy, np.ones(xy.shape[:2], bool), stamps_ns)


class FakeScorer:
    """Scores each image by its mean brightness against the length of the text."""

    def score(self, images: Image, texts: Sequence[str]) -> NDArray[np.float32]:
        brightness = images.mean(axis=(1, 2, 3)) / 255.0
        lengths = np.array([(len(text) % 64) / 64.0 for text in texts])
        fit: NDArray[np.float64] = 1.0 - np.abs(brightness[:, None] - lengths[None, :])
        return fit.astype(np.float32)


class FakePlanner:
    """Splits a task at " and " and " then "."""

    def plan(self, task: str) -> SubstepPlan:
        parts = [part.strip() for half in task.split(" then ") for part in half.split(" and ")]
        return SubstepPlan(task, tuple(part for part in parts if part) or (task,))


class FakePolicy:
    """Small random moves around zero, the same for the same generator."""

    def __init__(self, action_dim: int = 7, horizon: int = 8, step_ns: int = 50_000_000) -> None:
        self._shape = (horizon, action_dim)
        self._step_ns = step_ns
        self._rng = np.random.default_rng(0)

    def reset(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def infer(self, frame: Frame, instruction: str) -> ActionChunk:
        require(bool(instruction.strip()), "instruction", "a non-empty text", repr(instruction))
        actions = self._rng.normal(0.0, 0.05, self._shape).clip(-1, 1)
        stamps = frame.stamp_ns + self._step_ns * np.arange(self._shape[0], dtype=np.int64)
        return ActionChunk(actions, stamps, "delta_pose", np.zeros(self._shape[0]))


class FakeReader:
    """Episodes that are already in memory; an id mapped to None plays a damaged one."""

    format = "memory"

    def __init__(self, episodes: Mapping[str, Episode | None]) -> None:
        self._episodes = dict(episodes)
        self.path = Path("memory")

    def episode_ids(self) -> tuple[str, ...]:
        return tuple(self._episodes)

    def open(self, episode_id: str) -> Episode:
        if episode_id not in self._episodes:
            hint = nearest(episode_id, self._episodes)
            raise DataError(self.path, f"no episode {episode_id!r}", hint=hint)
        episode = self._episodes[episode_id]
        if episode is None:
            raise DataError(self.path / episode_id, "damaged on purpose")
        return episode

    def findings(self) -> tuple[Finding, ...]:
        return ()

    def close(self) -> None:
        pass


class FakeWriter:
    """One npz of stamps, states and actions per episode."""

    format = "fake"

    def write(self, root: Path, index: int, episode: Episode, tick: Tick) -> EpisodeRecord:
        name = f"episode_{index:06d}.npz"
        root.mkdir(parents=True, exist_ok=True)
        np.savez(
            root / name, stamps=episode.stamps_ns, states=episode.states, actions=episode.actions
        )
        tick(len(episode))
        return EpisodeRecord(
            index, episode.id, episode.task, len(episode), episode.success, (name,)
        )

    def assemble(self, root: Path, records: Sequence[EpisodeRecord], tick: Tick) -> None:
        lines = [f"{record.index} {record.id} {record.length}" for record in records]
        (root / "index.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


class FakeStore:
    """A dictionary that copies on the way in and out."""

    def __init__(self) -> None:
        self._items: dict[str, tuple[dict[str, Array], dict[str, Scalar]]] = {}

    def put(self, key: str, arrays: Mapping[str, Array], meta: Mapping[str, Scalar]) -> None:
        self._items[key] = ({name: np.array(a) for name, a in arrays.items()}, dict(meta))

    def get(self, key: str) -> tuple[dict[str, Array], dict[str, Scalar]] | None:
        if key not in self._items:
            return None
        arrays, meta = self._items[key]
        return {name: a.copy() for name, a in arrays.items()}, dict(meta)

    def keys(self) -> tuple[str, ...]:
        return tuple(sorted(self._items))


class FakeClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now = start_ns

    def now_ns(self) -> int:
        return self._now

    def sleep_until(self, stamp_ns: int) -> None:
        self._now = max(self._now, int(stamp_ns))


class FakeArm:
    """Is at once where it is sent, and writes down every command; `lost` sensors stay as they were.

    sent: the commands (D,), and None for each stop. lost: "state" or names of cameras.
    """

    def __init__(
        self,
        names: Sequence[str] = ("j1", "j2", "j3", "j4", "j5", "j6", "j7"),
        cameras: Mapping[str, tuple[int, int]] | None = None,
        clock: FakeClock | None = None,
    ) -> None:
        self.names = tuple(names)
        self.cameras = {"cam_high": (24, 32)} if cameras is None else dict(cameras)
        self.clock = clock or FakeClock()
        self.sent: list[Array | None] = []
        self.lost: set[str] = set()
        self.closed = False
        self._state = np.zeros(len(self.names))
        self._told = ArmReading(None, 0)

    def read(self) -> ArmReading:
        now, told = self.clock.now_ns(), self._told
        heard = [camera for camera in self.cameras if camera not in self.lost]
        state, state_ns = (self._state.copy(), now) if "state" not in self.lost else (
            told.state, told.state_ns,
        )  # fmt: skip
        shade = int(abs(self._state.sum()) * 50) % 256
        new = {camera: np.full((*self.cameras[camera], 3), shade, np.uint8) for camera in heard}
        self._told = ArmReading(
            state, state_ns, {**told.images, **new}, {**told.images_ns, **dict.fromkeys(heard, now)}
        )
        return self._told

    def send(self, action: Array) -> None:
        if action.shape != self._state.shape or not np.isfinite(action).all():
            raise ContractError("action", f"{len(self._state)} finite numbers", describe(action))
        self._state = np.array(action, np.float64)
        self.sent.append(self._state.copy())

    def stop(self) -> None:
        self.sent.append(None)

    def close(self) -> None:
        self.closed = True


def fake_episode(
    episode_id: str = "episode_000000",
    frames: int = 12,
    *,
    size: tuple[int, int] = (32, 40),
    cameras: Sequence[str] = ("cam_high", "cam_left_wrist"),
    task: str = "put the red cube in the box",
    success: bool | None = True,
    rng: np.random.Generator | None = None,
) -> Episode:
    """Return a small episode with a moving square, random states and a rising progress signal."""
    rng = rng or np.random.default_rng(0)
    sources = {}
    for number, camera in enumerate(cameras):
        images = np.empty((frames, *size, 3), np.uint8)
        gradient = np.linspace(30, 200, size[1], dtype=np.uint8)
        images[:] = np.stack(
            [gradient, gradient[::-1], np.full(size[1], 60 + 40 * number)], axis=-1
        )
        for t in range(frames):
            left = int(t * (size[1] - 8) / max(1, frames - 1))
            images[t, size[0] // 2 - 4 : size[0] // 2 + 4, left : left + 8] = (220, 40, 30)
        sources[camera] = ArrayFrames(images)
    return Episode(
        id=episode_id,
        task=task,
        stamps_ns=np.arange(frames, dtype=np.int64) * 50_000_000,
        cameras=sources,
        states=rng.normal(size=(frames, 8)).astype(np.float32),
        actions=rng.uniform(-1, 1, size=(frames, 7)).astype(np.float32),
        success=success,
        signals={"progress": np.linspace(0, 1, frames)},
    )

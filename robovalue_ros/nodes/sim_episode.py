"""What happened in one episode of a simulated robot, and the episode of it for a data set."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.types import Array, Episode, Scalar
from robovalue_ros.data.stills import encode_jpeg
from robovalue_ros.nodes.sim_robot import Moment, SimRobot
from robovalue_ros.nodes.snapshot import StillFrames

JPEG_QUALITY = 95
INTERRUPTED = "interrupted"


class EpisodeLog:
    """Counts one episode, and keeps its frames where they shall be written."""

    def __init__(
        self, index: int, robot: SimRobot, first: Moment, begun_ns: int, *, keep: bool
    ) -> None:
        self.index, self.seed, self.task = index, robot.seed, robot.instruction
        self.steps = 0
        self._env = robot.about.env
        self._why = ""
        self._begun_ns = self._now_ns = begun_ns
        self._last = first
        self._return = 0.0
        self._frames = _Frames() if keep else None
        if self._frames is not None:
            self._frames.add(first, begun_ns)

    def add(self, action: Array, moment: Moment, now_ns: int) -> None:
        """Take in a step and what it led to."""
        self.steps += 1
        self._return += moment.reward
        self._last, self._now_ns = moment, now_ns
        if self._frames is not None:
            self._frames.act(action, moment.reward)
            self._frames.add(moment, now_ns)

    def end(self, why: str, still: Array) -> None:
        """Close the episode. why: terminated, truncated, policy (it had finished), interrupted.

        still: the action that holds, which belongs to the last frame.
        """
        self._why = why
        if self._frames is not None:
            self._frames.act(still, 0.0)

    def begin_note(self) -> dict[str, Any]:
        """Say that the episode began, as JSON values."""
        return {"event": "begin", "number": self.index, "seed": self.seed, "task": self.task}

    def end_note(self) -> dict[str, Any]:
        """Say how the episode went, as JSON values."""
        return {
            "event": "end",
            "number": self.index,
            "seed": self.seed,
            "success": self._last.success,
            "steps": self.steps,
            "length_s": round((self._now_ns - self._begun_ns) * 1e-9, 6),
            "return": self._return,
            "progress": self._last.progress,
            "why": self._why,
        }

    def episode(self) -> Episode | None:
        """Return the episode, frame t before action t; None unless it was kept and came to an end."""
        if self._frames is None or self._why == INTERRUPTED:
            return None
        return self._frames.episode(
            f"episode_{self.index:06d}", self.task, self._last.success,
            {"seed": self.seed, "env_id": self._env, "ended": self._why},
        )  # fmt: skip


class _Frames:
    """The frames of an episode, pictures as JPEG so that a long one fits into memory."""

    def __init__(self) -> None:
        self._stamps_ns: list[int] = []
        self._stills: dict[str, list[bytes]] = {}
        self._states: list[NDArray[np.float32]] = []
        self._numbers: list[dict[str, Scalar]] = []
        self._actions: list[NDArray[np.float32]] = []
        self._rewards: list[float] = []

    def add(self, moment: Moment, now_ns: int) -> None:
        self._stamps_ns.append(now_ns)
        for name, image in moment.images.items():
            self._stills.setdefault(name, []).append(encode_jpeg(image, JPEG_QUALITY))
        self._states.append(np.asarray(moment.state, np.float32))
        self._numbers.append(dict(moment.numbers))

    def act(self, action: Array, reward: float) -> None:
        self._actions.append(np.array(action, np.float32))
        self._rewards.append(reward)

    def episode(
        self, name: str, task: str, success: bool | None, meta: dict[str, Scalar]
    ) -> Episode:
        # What `info` holds only sometimes is no signal of the whole episode.
        shared = set.intersection(*map(set, self._numbers))
        signals = {key: np.array([row[key] for row in self._numbers]) for key in sorted(shared)}
        return Episode(
            id=name,
            task=task,
            stamps_ns=np.array(self._stamps_ns, np.int64),
            cameras={camera: StillFrames(stills) for camera, stills in self._stills.items()},
            states=np.stack(self._states),
            actions=np.stack(self._actions),
            success=success,
            signals={**signals, "reward": np.array(self._rewards)},
            meta=meta,
        )

"""The ports: what the house asks of weights, files, robots and clocks.

Each is a Protocol with a numpy fake in `fakes.py`, so that every door runs without weights, GPU
or ROS, and one conformance test that the fake and every real implementation must pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.progress import Tick as Tick
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


@runtime_checkable
class FrameEncoder(Protocol):
    """Clips in, one vector each out."""

    @property
    def encoder_id(self) -> str:
        """Changes whenever the same clip could give another vector (weights, size, dtype)."""
        ...

    @property
    def dim(self) -> int: ...

    @property
    def clip_frames(self) -> int:
        """How many frames one clip holds."""
        ...

    def encode(self, clips: Image) -> NDArray[np.float32]:
        """Turn (B, clip_frames, H, W, 3) uint8 RGB into (B, dim); row i depends on clip i only."""
        ...


@runtime_checkable
class PointTracker(Protocol):
    """Follows points through a short window of frames."""

    def track(
        self, frames: Image, points_xy: NDArray[np.float32], stamps_ns: NDArray[np.int64]
    ) -> PointTracks:
        """Follow (N, 2) pixel positions of the first frame through frames (T, H, W, 3)."""
        ...


@runtime_checkable
class ImageTextScorer(Protocol):
    """How well does each image fit each text?"""

    def score(self, images: Image, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (B, len(texts)) for images (B, H, W, 3); larger fits better."""
        ...


@runtime_checkable
class Planner(Protocol):
    """Falls a task into short instructions."""

    def plan(self, task: str) -> SubstepPlan: ...


@runtime_checkable
class VlaPolicy(Protocol):
    """A policy that answers a frame and an instruction with a chunk of actions."""

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the last episode; every draw of the next one comes from `rng`."""
        ...

    def infer(self, frame: Frame, instruction: str) -> ActionChunk: ...


@runtime_checkable
class EpisodeReader(Protocol):
    """Random access to the episodes of a file or folder."""

    @property
    def path(self) -> Path: ...

    @property
    def format(self) -> str:
        """The format's short name, as `robovalue data inspect` prints it."""
        ...

    def episode_ids(self) -> tuple[str, ...]:
        """The episodes that were found, in a stable order; cheap, reads no frames."""
        ...

    def open(self, episode_id: str) -> Episode:
        """Read one episode (frames stay lazy); raises DataError naming file and reason."""
        ...

    def findings(self) -> tuple[Finding, ...]:
        """What was noticed so far: assumptions made, damage passed over."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class EpisodeRecord:
    """What a writer remembers of one written episode; travels as JSON through the journal.

    extra: whatever the writer needs to assemble the data set, JSON values only.
    """

    index: int
    id: str
    task: str
    length: int
    success: bool | None
    files: tuple[str, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class EpisodeWriter(Protocol):
    """Writes episodes into a folder that is still being staged.

    `write` puts the files of one episode below `root` and nothing else; called again for the same
    index it writes the same bytes. `assemble` turns the parts of all episodes into the finished
    data set; it may be called again after an interruption and leaves the same bytes. Names of
    temporary parts start with `.parts/`, a folder that is removed once all is assembled.
    """

    @property
    def format(self) -> str: ...

    def write(self, root: Path, index: int, episode: Episode, tick: Tick) -> EpisodeRecord: ...

    def assemble(self, root: Path, records: Sequence[EpisodeRecord], tick: Tick) -> None: ...


@runtime_checkable
class Store(Protocol):
    """Named results: arrays and small metadata, written whole or not at all."""

    def put(self, key: str, arrays: Mapping[str, Array], meta: Mapping[str, Scalar]) -> None: ...

    def get(self, key: str) -> tuple[dict[str, Array], dict[str, Scalar]] | None:
        """Return what was put, or None when nothing is there; raises DataError when damaged."""
        ...

    def keys(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True, eq=False)
class ArmReading:
    """The newest that a robot told, each part with the stamp of its own measurement.

    state: measured positions (D,) in the order of the link's `names`, None before the first.
    images: camera -> (H, W, 3) uint8 RGB; a camera that was never heard is missing. The stamps are
    those of the measurements in the link's clock, never the time of reading: whoever commands the
    arm tells by them whether a sensor was lost.
    """

    state: Array | None
    state_ns: int
    images: Mapping[str, Image] = field(default_factory=dict)
    images_ns: Mapping[str, int] = field(default_factory=dict)


@runtime_checkable
class ArmLink(Protocol):
    """A robot arm that takes target positions and tells what it measures.

    Positions are those of its named coordinates, joints or a hand's pose, in rad and m. A link
    checks nothing but shape and NaN: limits are the business of whoever commands it.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """The D coordinates that can be commanded and are measured, in this order."""
        ...

    @property
    def cameras(self) -> Mapping[str, tuple[int, int]]:
        """Height and width of the pictures of each camera; a link scales to what it promises."""
        ...

    @property
    def clock(self) -> Clock:
        """The clock that all stamps are of."""
        ...

    def read(self) -> ArmReading:
        """Return the newest of everything at once, without waiting for anything newer."""
        ...

    def send(self, action: Array) -> None:
        """Move to these positions (D,) and stay there, also when nobody sends anything more.

        Raises ContractError on NaN or a wrong shape.
        """
        ...

    def stop(self) -> None:
        """Hold still, now, until the next `send`; allowed at any time and any number of times."""
        ...

    def close(self) -> None:
        """Let go of the robot, which must be holding; allowed any number of times."""
        ...


@runtime_checkable
class Clock(Protocol):
    """Time in integer nanoseconds: the wall, a bag or a simulator."""

    def now_ns(self) -> int: ...

    def sleep_until(self, stamp_ns: int) -> None: ...

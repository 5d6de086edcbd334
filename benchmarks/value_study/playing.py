"""Episodes of the embedded simulator, and the changes of their pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.value_study.settings import StudyConfig
from robovalue_envs.sim.recording import SimulateConfig, SimulatedEpisodes
from robovalue_envs.sim.tasks import TASKS
from robovalue_ros.contracts.types import Episode, Frame

MODES = ("missed_grasp", "drop", "wrong_place", "never_reaches", "stall", "erratic")
GAIN = (0.85, 1.15)
SHIFT = 3  # pixels, of both cameras alike
STEP_NS = 50_000_000
SENSOR_NOISE = 2.0  # grey levels, standard deviation

Pictures = dict[str, NDArray[np.uint8]]
Order = Sequence[int] | NDArray[np.int64]


@dataclass(frozen=True)
class Altered:
    """A change of every picture. gain: per channel. shift: pixels down and right."""

    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    shift: tuple[int, int] = (0, 0)

    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return changed frames (T, H, W, 3); the edge repeats."""
        down, across = self.shift
        rows = np.clip(np.arange(frames.shape[1]) - down, 0, frames.shape[1] - 1)
        columns = np.clip(np.arange(frames.shape[2]) - across, 0, frames.shape[2] - 1)
        moved = frames[:, rows][:, :, columns]
        changed: NDArray[np.uint8] = np.clip(np.rint(moved * np.array(self.gain)), 0, 255).astype(
            np.uint8
        )
        return changed


def played(
    config: StudyConfig, task: str, count: int, success_rate: float, seed: int, distractors: int = 0
) -> tuple[tuple[str, ...], Callable[[str], Episode]]:
    """Return the names of episodes and what plays one of them by its name."""
    modes = tuple(mode for mode in MODES if not (TASKS[task].drawer and mode == "wrong_place"))
    chosen = SimulateConfig(
        task=task, episodes=count, success_rate=success_rate, seed=seed, modes=modes,
        distractors=distractors, size=config.size,
    )  # type: ignore[arg-type]  # fmt: skip
    reader = SimulatedEpisodes(chosen)
    return reader.episode_ids(), reader.open


def drawn(rng: np.random.Generator) -> Altered:
    """Draw how one episode's pictures are altered."""
    gain = tuple(rng.uniform(*GAIN, 3).tolist())
    down, across = rng.choice([-SHIFT, SHIFT], 2)
    return Altered(gain, (int(down), int(across)))  # type: ignore[arg-type]


def read_pictures(episode: Episode, altered: Altered | None = None) -> Pictures:
    """Read all frames of an episode, altered or as they are."""
    pictures = {name: np.stack(list(source.iterate())) for name, source in episode.cameras.items()}
    return pictures if altered is None else {n: altered(p) for n, p in pictures.items()}


def frames_of(pictures: Pictures, order: Order) -> list[Frame]:
    """Return frames in a new order at the simulator's pace."""
    return [
        Frame(step * STEP_NS, {name: part[int(index)] for name, part in pictures.items()})
        for step, index in enumerate(order)
    ]


def noisy(frames: Sequence[Frame], rng: np.random.Generator) -> list[Frame]:
    """Add sensor noise to every picture."""

    def spoil(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        noise = rng.normal(0.0, SENSOR_NOISE, image.shape)
        return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)

    return [Frame(f.stamp_ns, {n: spoil(i) for n, i in f.images.items()}) for f in frames]

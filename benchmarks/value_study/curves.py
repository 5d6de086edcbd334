"""What one held-out episode gives: the stream's curve, and its curves of tampered copies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.value_study.playing import (
    STEP_NS,
    Altered,
    Order,
    Pictures,
    frames_of,
    noisy,
    read_pictures,
)
from robovalue_ros.contracts.types import Episode, Frame
from robovalue_ros.value.stream.live import stream_samples
from robovalue_ros.value.stream.model import ValueModel

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

STEPS_PER_S = 1_000_000_000 // STEP_NS
HELD = 2 * STEPS_PER_S  # frames for which one frame is repeated
STILL_M = 0.002  # metres of the hand or the fingers
PARTS = ("values", "stall", "unknown", "declared", "order")


@dataclass(frozen=True)
class Curve:
    """What the stream said, (N,) each. order: which frame of the episode was shown."""

    values: Floats
    stall: Mask
    unknown: Mask
    declared: Mask
    order: NDArray[np.int64]


@dataclass(frozen=True)
class Record:
    """One episode. truth: (T,) true progress. dropped, moving: (T,) bool. starts: event -> frame.

    curves: "plain" and whatever else was shown: shuffled, reversed, frozen, wrong_task, rewound,
    halted, halted_noisy, stalled_noisy.
    """

    mode: str
    success: bool
    truth: Floats
    dropped: Mask
    moving: Mask
    curves: Mapping[str, Curve]
    starts: Mapping[str, int]


def measure(
    model: ValueModel, episode: Episode, rng: np.random.Generator, *,
    altered: Altered | None = None, foreign: ValueModel | None = None,
) -> Record:  # fmt: skip
    """Run a model over an episode and, given a foreign task's model, over tampered copies too."""
    pictures, count = read_pictures(episode, altered), len(episode)
    curves = {"plain": _curve(model, pictures, range(count))}
    starts: dict[str, int] = {}
    if foreign is not None:
        curves["shuffled"] = _curve(model, pictures, rng.permutation(count))
        curves["reversed"] = _curve(model, pictures, np.arange(count)[::-1])
        curves["frozen"] = _curve(model, pictures, np.zeros(count, np.int64))
        curves["wrong_task"] = _curve(foreign, pictures, range(count))
        if episode.success:
            _rewind_and_halt(model, pictures, count, curves, starts, rng)
        elif episode.meta["mode"] == "stall":
            start = _standing_from(episode)
            if count - start > STEPS_PER_S:
                curves["stalled_noisy"] = _curve(model, pictures, range(count), rng)
                starts["stalled_noisy"] = start
    return Record(
        mode=str(episode.meta["mode"]),
        success=bool(episode.success),
        truth=np.asarray(episode.signals["progress"], np.float64),
        dropped=np.asarray(episode.signals["dropped"], np.bool_),
        moving=_moving(episode),
        curves=curves,
        starts=starts,
    )


def _rewind_and_halt(
    model: ValueModel, pictures: Pictures, count: int, curves: dict[str, Curve],
    starts: dict[str, int], rng: np.random.Generator,
) -> None:  # fmt: skip
    turn = int(rng.integers(int(0.5 * count), count))
    back = np.concatenate([np.arange(turn), np.arange(turn - 2, -1, -1)])
    curves["rewound"], starts["rewound"] = _curve(model, pictures, back), turn
    stop = int(rng.integers(int(0.2 * count), int(0.9 * count)))
    held = np.concatenate([np.arange(stop), np.full(HELD, stop - 1)])
    for name, noise in (("halted", None), ("halted_noisy", rng)):
        curves[name] = _curve(model, pictures, held, noise)
        starts[name] = stop - 1


def _curve(
    model: ValueModel, pictures: Pictures, order: Order, noise: np.random.Generator | None = None
) -> Curve:
    frames: list[Frame] = frames_of(pictures, order)
    samples = stream_samples(model, frames if noise is None else noisy(frames, noise))
    return Curve(
        np.array([sample.value for sample in samples]),
        np.array([sample.stall for sample in samples], np.bool_),
        np.array([sample.unknown for sample in samples], np.bool_),
        np.array([sample.declared for sample in samples], np.bool_),
        np.array(order, np.int64),
    )


def _moving(episode: Episode) -> Mask:
    """Return (T,) whether hand or fingers moved during the last half second."""
    states = np.asarray(episode.states, np.float64)
    steps = np.abs(np.diff(states, axis=0)).max(axis=1, initial=0.0)
    total = np.concatenate([[0.0], np.cumsum(steps)])
    before = np.maximum(np.arange(len(total)) - STEPS_PER_S // 2, 0)
    moving: Mask = total - total[before] > STILL_M
    return moving


def _standing_from(episode: Episode) -> int:
    """Return the frame from which the arm stays where it ends."""
    states = np.asarray(episode.states, np.float64)
    away = np.abs(states - states[-1]).max(axis=1) > STILL_M
    return int(np.flatnonzero(away)[-1] + 1) if away.any() else 0


def to_arrays(record: Record) -> dict[str, NDArray[np.generic]]:
    """Return a record as plain arrays."""
    arrays: dict[str, NDArray[np.generic]] = {
        "mode": np.array(record.mode), "success": np.array(record.success),
        "truth": record.truth, "dropped": record.dropped, "moving": record.moving,
        "curves": np.array(sorted(record.curves)), "events": np.array(sorted(record.starts), "U32"),
        "starts": np.array([record.starts[name] for name in sorted(record.starts)], np.int64),
    }  # fmt: skip
    for name, curve in record.curves.items():
        arrays |= {f"{name}.{part}": getattr(curve, part) for part in PARTS}
    return arrays


def from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> Record:
    """Build a record from what `to_arrays` gave."""
    curves = {
        str(name): Curve(*(arrays[f"{name}.{part}"] for part in PARTS))  # type: ignore[arg-type]
        for name in arrays["curves"]
    }
    starts = {str(n): int(s) for n, s in zip(arrays["events"], arrays["starts"], strict=True)}
    return Record(
        str(arrays["mode"]), bool(arrays["success"]), np.asarray(arrays["truth"], np.float64),
        np.asarray(arrays["dropped"], np.bool_), np.asarray(arrays["moving"], np.bool_),
        curves, starts,
    )  # fmt: skip

"""Controls that see frames: the same stream on frames that were shuffled, reversed or frozen."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.progress import Progress
from robovalue_ros.contracts.types import Episode, Finding, Frame, ValueCurve
from robovalue_ros.pipelines.evaluation.truths import Known
from robovalue_ros.pipelines.recordings import Readers
from robovalue_ros.value.stream.live import ValueStream

Order = NDArray[np.int64]
Curves = dict[str, ValueCurve]
WRONG_TASK = "wrong_task"


def require_model(known: Sequence[Known], stream: ValueStream) -> None:
    """Raise ConfigError unless every causal curve was made by this model."""
    ids = {item.scored.causal.model_id for item in known if item.scored.causal is not None}
    others = sorted(ids - {stream.model.id})
    if others:
        raise ConfigError(
            f"the curves were made by the value model {', '.join(others)}, and this is "
            f"{stream.model.id}", "the model that made the curves",
            "Pass it with --model, or estimate again.",
        )  # fmt: skip


def run_controls(
    judged: Sequence[Known],
    readers: Readers,
    stream: ValueStream,
    other: ValueStream | None,
    rng: np.random.Generator,
    progress: Progress,
) -> tuple[dict[str, Curves], list[str], list[Finding]]:
    """Return control -> episode -> curve, the episodes that could not be read, and findings.

    other: a stream of another task's model. The frames of one episode lie on the disk while they
    are pushed in every order; memory holds a few. The draws of an episode depend on its name only.
    """
    made: dict[str, Curves] = {}
    lost: list[str] = []
    findings: list[Finding] = []
    ordered = sorted(judged, key=lambda item: item.truth.episode)
    with progress.stage("controls", len(ordered)) as tick:
        for item, own in zip(ordered, rng.spawn(len(ordered)), strict=True):
            name = item.truth.episode
            try:
                curves = _of_episode(item, readers, stream, other, own)
            except DataError as problem:
                advice = "It is left out of the evaluation of the causal curve."
                findings.append(Finding("error", name, str(problem), advice))
                progress.say(f"left out {name}: {problem}")
                lost.append(name)
            else:
                for control, curve in curves.items():
                    made.setdefault(control, {})[name] = curve
            tick(1)
    return made, lost, findings


def _of_episode(
    item: Known,
    readers: Readers,
    stream: ValueStream,
    other: ValueStream | None,
    rng: np.random.Generator,
) -> Curves:
    episode = readers.open(item.scored.recording)
    count = len(episode)
    if count != item.truth.frames:
        raise DataError(item.truth.episode, f"has {count} frames by now", f"{item.truth.frames}")
    wanted = stream.model.cameras + (() if other is None else other.model.cameras)
    cameras = tuple(dict.fromkeys(name for name in wanted if name in episode.cameras))
    forwards = np.arange(count)
    orders: dict[str, Order] = {
        "shuffled": rng.permutation(count), "reversed": forwards[::-1], "frozen": 0 * forwards,
    }  # fmt: skip
    try:
        with tempfile.TemporaryDirectory(prefix="robovalue-frames-") as folder:
            frames = _decoded(episode, cameras, Path(folder))
            curves = {
                control: _pushed(stream, episode.stamps_ns, frames, order)
                for control, order in orders.items()
            }
            if other is not None:
                curves[WRONG_TASK] = _pushed(other, episode.stamps_ns, frames, forwards)
    finally:
        episode.close()
    return curves


def _decoded(
    episode: Episode, cameras: Sequence[str], folder: Path
) -> dict[str, NDArray[np.uint8]]:
    """Decode every frame once, into files: video cannot be read backwards at a fair price."""
    decoded: dict[str, NDArray[np.uint8]] = {}
    for number, name in enumerate(cameras):
        source = episode.cameras[name]
        shape = (len(episode), *source.shape, 3)
        file = folder / f"{number}.raw"
        stored = np.memmap(file, np.uint8, "w+", shape=shape)
        for index, image in enumerate(source.iterate()):
            stored[index] = image
        decoded[name] = stored
    return decoded


def _pushed(
    stream: ValueStream,
    stamps_ns: NDArray[np.int64],
    frames: Mapping[str, NDArray[np.uint8]],
    order: Order,
) -> ValueCurve:
    """Push frames in an order, with time running forwards as it always does."""

    def shown() -> Iterator[Frame]:
        for stamp, index in zip(stamps_ns.tolist(), order.tolist(), strict=True):
            yield Frame(stamp, {name: np.array(part[index]) for name, part in frames.items()})

    stream.reset()
    samples = [stream.push(frame) for frame in shown()]
    return ValueCurve(
        np.array([sample.value for sample in samples]), stamps_ns, causal=True,
        unknown=np.array([sample.unknown for sample in samples], np.bool_),
    )  # fmt: skip

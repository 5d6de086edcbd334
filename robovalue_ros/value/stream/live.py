"""Value of one frame after the other. Every door and every offline score comes through here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.types import Frame, ValueCurve
from robovalue_ros.value.one_thread import one_thread_products
from robovalue_ros.value.pixels.network import Floats
from robovalue_ros.value.pixels.shrink import shrink
from robovalue_ros.value.stream.core import Answer, Core, Encoders
from robovalue_ros.value.stream.flags import Declaration, Fall, Stillness, coarse
from robovalue_ros.value.stream.model import ValueModel

START_LIMIT = 0.08  # a first frame further along than this did not see the task's beginning


@dataclass(frozen=True, slots=True)
class ValueSample:
    """What is known at one frame, from it and the frames before it.

    value: how far the task has come, 0..1. stall: nothing moves. regression: the value has fallen
    clearly. unknown: no known camera, or unlike any demonstration. declared: the task looks done.
    """

    stamp_ns: int
    value: float
    stall: bool
    regression: bool
    unknown: bool
    declared: bool


@dataclass(slots=True)
class Seen:
    """What one frame's cameras gave, by camera index."""

    coarse: dict[int, Floats]


class ValueStream:
    """Pushes frames of one try at a task through a model. Memory does not grow.

    `reset` (or a new stream) begins the next try. Cameras that the model does not know are left
    aside; a camera may be missing from any frame. encoders: by camera, for a model of the kind
    `matching`, which looks every so often; in between its value holds. Raises ContractError unless
    they are those with which the model was fitted.
    """

    def __init__(self, model: ValueModel, encoders: Encoders | None = None) -> None:
        self._model = model
        self._core: Core = model.knowledge.core(encoders)
        self.reset()

    @property
    def model(self) -> ValueModel:
        return self._model

    def reset(self) -> None:
        """Forget everything seen: the next frame is the first of a new try."""
        rules = self._model.rules
        self._core.reset()
        self._answer: Answer | None = None
        self._waited_s = 0.0
        self._start: float | None = None
        self._first_ns = self._last_ns = 0
        self._started = False
        self._value = 0.0
        self._stillness = Stillness(rules.still, rules.stall_s)
        self._fall = Fall(rules.fall)
        self._declaration = Declaration(rules.done_above, rules.dwell_s)

    def push(self, frame: Frame, small: Mapping[str, Floats] | None = None) -> ValueSample:
        """Return what is known at `frame`; raises ContractError when stamps do not increase.

        small: what `shrink` gives for images of the frame, where somebody made it ahead.
        """
        with one_thread_products():
            return self._push(frame, small or {})

    def _push(self, frame: Frame, small: Mapping[str, Floats]) -> ValueSample:
        elapsed_s = self._tick(frame.stamp_ns)
        now_s = (frame.stamp_ns - self._first_ns) * 1e-9
        seen = self._look(frame, small)
        if not seen.coarse:
            return ValueSample(frame.stamp_ns, self._value, False, False, True, False)
        self._waited_s += elapsed_s
        fresh = self._core.answer()
        if fresh is not None:
            self._answer = fresh
            self._follow(fresh, self._waited_s)
            self._waited_s = 0.0
        answer = self._answer
        return ValueSample(
            frame.stamp_ns,
            self._value,
            stall=self._stillness(now_s, elapsed_s, seen.coarse),
            regression=self._fall(elapsed_s, self._value),
            unknown=answer is None or answer.unknown,
            declared=answer is not None and self._declaration(now_s, answer.done),
        )

    def _tick(self, stamp_ns: int) -> float:
        if not self._started:
            self._started = True
            self._first_ns = self._last_ns = stamp_ns
            return 0.0
        if stamp_ns <= self._last_ns:
            raise ContractError(
                "stamp_ns", f"more than the last, {self._last_ns}", stamp_ns,
                "Call reset() before another try.",
            )  # fmt: skip
        elapsed = (stamp_ns - self._last_ns) * 1e-9
        self._last_ns = stamp_ns
        return elapsed

    def _look(self, frame: Frame, small: Mapping[str, Floats]) -> Seen:
        images: dict[int, Image] = {}
        pictures: dict[int, Floats] = {}
        for index, camera in enumerate(self._model.cameras):
            if camera in frame.images:
                images[index] = frame.images[camera]
                made = small.get(camera)
                pictures[index] = shrink(images[index]) if made is None else made
        if pictures:
            self._core.look((frame.stamp_ns - self._first_ns) * 1e-9, images, pictures)
        return Seen({index: coarse(picture) for index, picture in pictures.items()})

    def _follow(self, answer: Answer, elapsed_s: float) -> None:
        rules = self._model.rules
        if self._start is None:
            self._start = min(START_LIMIT, max(0.0, answer.raw))
            elapsed_s = math.inf
        share = (answer.raw - self._start) / (rules.top - self._start)
        share = min(1.0, max(0.0, share))
        gain = 1.0 if rules.smooth_s == 0.0 else 1.0 - math.exp(-elapsed_s / rules.smooth_s)
        self._value += gain * (share - self._value)


def stream_samples(
    model: ValueModel, frames: Iterable[Frame], encoders: Encoders | None = None
) -> list[ValueSample]:
    """Return the samples of a recorded try, made by a new stream."""
    stream = ValueStream(model, encoders)
    return [stream.push(frame) for frame in frames]


def score_causal(
    model: ValueModel, frames: Iterable[Frame], encoders: Encoders | None = None
) -> ValueCurve:
    """Return the curve of a recorded try: to the bit what a live stream would have given."""
    samples = stream_samples(model, frames, encoders)
    return ValueCurve(
        np.array([sample.value for sample in samples]),
        np.array([sample.stamp_ns for sample in samples], np.int64),
        causal=True,
        unknown=np.array([sample.unknown for sample in samples], np.bool_),
    )

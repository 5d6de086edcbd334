"""From a few successful demonstrations to a value model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.config import check_ranges
from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.contracts.frames import FrameSource, Image
from robovalue_ros.contracts.validate import frozen_array, require
from robovalue_ros.value.one_thread import one_thread_products
from robovalue_ros.value.pixels.labels import elapsed_labels
from robovalue_ros.value.pixels.looking import demo_features, scene_features
from robovalue_ros.value.pixels.network import Answer, PixelNetwork
from robovalue_ros.value.pixels.novelty import learn_bank
from robovalue_ros.value.pixels.scenes import Demonstration, SceneShares, put_back
from robovalue_ros.value.pixels.shrink import SIDE, shrunk
from robovalue_ros.value.pixels.things import find_things
from robovalue_ros.value.pixels.training import TrainingOptions, train_network
from robovalue_ros.value.stream.model import Rules, ValueModel
from robovalue_ros.value.stream.options import FitOptions
from robovalue_ros.value.stream.pixel_kind import PixelKnowledge
from robovalue_ros.value.stream.stillness import picture_changes, still_limit

FEWEST_DEMOS = 2
FEWEST_FRAMES = 8
STEPS_PER_FRAME = 10
SMOOTH_SHARE = 1 / 80
FEWEST_STEPS, MOST_STEPS = 1200, 6000
DONE_SHARE = 0.4
NOT_DONE_QUANTILE = 0.95  # a made-up scene may by chance show nothing undone
NOT_YET = 0.9

Pictures = Mapping[str, FrameSource | Image]
Given = tuple[Pictures, NDArray[np.int64]] | tuple[Pictures, NDArray[np.int64], object]


@one_thread_products()
def fit_value_model(
    demonstrations: Iterable[Given],
    options: FitOptions,
    rng: np.random.Generator,
    progress: Callable[[float], None] | None = None,
) -> ValueModel:
    """Return a model of successful demonstrations of one task.

    demonstrations: (frames by camera, stamps_ns (T,)); anything that follows, such as states, is
    not looked at. The frames of each are read once and kept small. progress: hears the share of
    training that is done. Raises ContractError for too little, or for cameras that differ.
    """
    check_ranges(options, "fitting")
    cameras: tuple[str, ...] = ()
    demos: list[Demonstration] = []
    stamps: list[NDArray[np.int64]] = []
    for number, given in enumerate(demonstrations):
        where = f"demonstration {number}"
        cameras = cameras or tuple(given[0])
        stamps.append(checked_demonstration(given, cameras, where))
        demos.append(_demonstration(given[0], cameras, stamps[-1], options.made_up))
    require(len(demos) >= FEWEST_DEMOS, "demonstrations", f"at least {FEWEST_DEMOS}", len(demos))
    shares = SceneShares() if options.made_up else SceneShares(0.0, 0.0, 0.0)
    steps = training_steps(options, [len(times) for times in stamps])
    training = TrainingOptions(steps, options.batch, shares=shares)
    network = train_network(cameras, demos, training, rng, progress)
    features = [demo_features(network, demo.pictures) for demo in demos]
    banks = tuple(
        learn_bank([part[:, index] for part in features], rng) for index in range(len(cameras))
    )
    answers = [[network.answer(list(row)) for row in part] for part in features]
    rules = Rules(
        top=float(np.median([max(answer.raw for answer in part[-3:]) for part in answers])),
        still=still_limit(
            value
            for demo, times in zip(demos, stamps, strict=True)
            for value in picture_changes(demo.pictures, times)
        ),
        done_above=_done_above(network, demos, stamps, answers, options.dwell_s, rng),
        smooth_s=time_constant_s(options, [1e-9 * float(np.ptp(times)) for times in stamps]),
        stall_s=options.stall_s,
        fall=options.fall,
        dwell_s=options.dwell_s,
    )
    return ValueModel(PixelKnowledge(network, banks), rules)


def training_steps(options: FitOptions, lengths: Sequence[int]) -> int:
    """Return how many steps to train; lengths: frames of each demonstration."""
    if options.steps > 0:
        return options.steps
    wanted = STEPS_PER_FRAME * float(np.median(lengths))
    return int(np.clip(round(wanted), FEWEST_STEPS, MOST_STEPS))


def time_constant_s(options: FitOptions, durations_s: Sequence[float]) -> float:
    """Return the time constant of the value; durations_s: of each demonstration.

    A share of the task, so that the value lags by the same small part of it whether the task is
    short or long, and small steps of long tasks still stand out from noise.
    """
    if options.smooth_s is not None:
        return options.smooth_s
    return SMOOTH_SHARE * float(np.median(durations_s))


def checked_demonstration(given: Given, cameras: tuple[str, ...], where: str) -> NDArray[np.int64]:
    """Return the stamps of a demonstration; raises ContractError for one that cannot teach."""
    pictures, times = given[0], given[1]
    if not cameras or set(pictures) != set(cameras):
        raise ContractError(
            f"{where}: cameras", f"the same cameras everywhere, {sorted(cameras) or 'at least one'}",
            sorted(pictures), "Leave out the cameras that some demonstrations lack.",
        )  # fmt: skip
    stamps: NDArray[np.int64] = frozen_array(f"{where}: stamps_ns", times, dtype=np.int64, ndim=1)
    require(
        len(stamps) >= FEWEST_FRAMES and bool(np.all(np.diff(stamps) > 0)),
        f"{where}: stamps_ns", f"at least {FEWEST_FRAMES} increasing stamps", f"{len(stamps)} stamps",
    )  # fmt: skip
    for camera in cameras:
        require(
            len(pictures[camera]) == len(stamps),
            f"{where}: {camera}", f"{len(stamps)} frames, one per stamp", len(pictures[camera]),
        )  # fmt: skip
    return stamps


def _demonstration(
    pictures: Pictures, cameras: Sequence[str], stamps: NDArray[np.int64], made_up: bool
) -> Demonstration:
    small = np.empty((len(stamps), len(cameras), SIDE, SIDE, 3), np.uint8)
    for index, camera in enumerate(cameras):
        source = pictures[camera]
        frames = source.iterate() if isinstance(source, FrameSource) else iter(source)
        for row, image in enumerate(frames):
            small[row, index] = shrunk(image)
    labels = elapsed_labels(small, stamps)
    return Demonstration(small, labels, find_things(small, labels) if made_up else ())


def _done_above(
    network: PixelNetwork,
    demos: Sequence[Demonstration],
    stamps: Sequence[NDArray[np.int64]],
    answers: Sequence[Sequence[Answer]],
    dwell_s: float,
    rng: np.random.Generator,
) -> float:
    """Return the logit between what is not done (earlier, or made up) and how demonstrations end."""
    ends, others = [], []
    for demo, times, part in zip(demos, stamps, answers, strict=True):
        logits = np.array([answer.done for answer in part])
        held = times >= times[-1] - int(dwell_s * 1e9)
        ends.append(float(logits[held].min()))
        others.append(float(logits[demo.labels < NOT_YET].max()))
        last = len(times) - 1
        for thing in demo.things:
            # Without a colour of its own it may be no thing, and its absence change nothing.
            if thing.erased is not None and thing.taken < last - 1:
                scene = put_back(demo, last, thing, rng)
                others.append(network.answer(list(scene_features(network, scene))).done)
    return done_limit(ends, others)


def done_limit(ends: Sequence[float], others: Sequence[float]) -> float:
    """Return the logit from which a task counts as done.

    ends: of the ends of demonstrations. others: the highest of each thing that is not done.
    """
    low, high = float(np.quantile(others, NOT_DONE_QUANTILE)), float(np.median(ends))
    return low + DONE_SHARE * (high - low) if high > low else high

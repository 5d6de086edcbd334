"""Training scenes: frames of demonstrations, and frames that did not happen but teach.

A network that sees only successes learns where the hand is. These scenes, made from the
demonstrations alone, teach it to look at things:
 put back: the hand of a later moment, the thing still at its start. From there the way back to the
    thing takes as long as the way from it did, so progress is mirrored at the moment it was taken.
    Once the hand is busy with the next thing, exactly the part of this one is missing.
 lost: the thing lies somewhere else on the ground it stood on, the hand is empty.
 mixed: the cameras show different moments; the earlier one counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.frames import Image
from robovalue_ros.value.pixels.parts import Part, part_of
from robovalue_ros.value.pixels.things import Thing

UNSURE = -1.0
DONE_FRAMES = 3
NOT_DONE_BELOW = 0.95
MIXED_WEIGHT = 0.5
DESCENT = 0.12  # share of a part that picking up from the ground costs
LEAST_LEFT = 0.05  # share of a part that a lost thing leaves to do
NEAR_PIXELS = 16.0


@dataclass(frozen=True, slots=True)
class SceneShares:
    """How often each kind of made-up scene is drawn; the rest are true frames."""

    put_back: float = 0.15
    lost: float = 0.15
    mixed: float = 0.10


@dataclass(frozen=True, slots=True, eq=False)
class Demonstration:
    """What fitting keeps of one demonstration. pictures: (T, cameras, S, S, 3) uint8."""

    pictures: Image
    labels: NDArray[np.float64]
    things: Sequence[Thing]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One training sample. picture, first: (cameras, S, S, 3) uint8. done: 1, 0 or UNSURE."""

    picture: Image
    first: Image
    progress: float
    done: float
    weight: float = 1.0


def draw_scene(
    demos: Sequence[Demonstration], index: int, frame: int, shares: SceneShares,
    rng: np.random.Generator,
) -> Scene:  # fmt: skip
    """Return a scene around one frame of one demonstration."""
    demo = demos[index]
    kind = rng.random()
    things = [thing for thing in demo.things if thing.taken < frame - 1]
    if kind < shares.put_back + shares.lost:
        if not things:
            return true_scene(demo, frame)
        thing = things[int(rng.integers(len(things)))]
        if kind < shares.put_back or thing.erased is None or not len(thing.ground):
            return put_back(demo, frame, thing, rng)
        return lost(demo, frame, thing, rng)
    if kind < shares.put_back + shares.lost + shares.mixed and demo.pictures.shape[1] > 1:
        other = demos[int(rng.integers(len(demos)))]
        return mixed(demo, frame, other, int(rng.integers(len(other.labels))), rng)
    return true_scene(demo, frame)


def true_scene(demo: Demonstration, frame: int) -> Scene:
    """Return a frame as it was."""
    progress = float(demo.labels[frame])
    if frame >= len(demo.labels) - DONE_FRAMES:
        done = 1.0
    else:
        done = 0.0 if progress < NOT_DONE_BELOW else UNSURE
    return Scene(demo.pictures[frame], demo.pictures[0], progress, done)


def put_back(demo: Demonstration, frame: int, thing: Thing, rng: np.random.Generator) -> Scene:
    """Return a later frame in which the thing is still where it was at first."""
    picture = _without(demo, frame, thing, rng)
    place = picture[thing.camera]
    picture[thing.camera] = np.where(thing.place[..., None], demo.pictures[0, thing.camera], place)
    part, now = part_of(thing, demo.things, demo.labels), float(demo.labels[frame])
    if _moved_on(part, thing, frame):
        progress = now - part.share
    else:
        progress = max(part.begun, 2.0 * part.taken - now)
    return Scene(picture, demo.pictures[0], progress, 0.0)


def lost(demo: Demonstration, frame: int, thing: Thing, rng: np.random.Generator) -> Scene:
    """Return a later frame in which the thing lies elsewhere on the ground.

    Its distances to the hand (where the thing truly was) and to where it belongs give what is left
    of its part, at the pace in pixels at which the thing was carried.
    """
    assert thing.path is not None
    picture = _without(demo, frame, thing, rng)
    hand, goal, start = thing.path[frame], thing.path[-1], thing.start
    spot = _spot(thing, hand, rng)
    _paste(picture[thing.camera], thing, spot)
    part, now = part_of(thing, demo.things, demo.labels), float(demo.labels[frame])
    carried = float(np.linalg.norm(start - goal))
    pace = (part.done - part.taken) / max(carried, 6.0)
    nearer = carried - float(np.linalg.norm(spot - goal))
    away = float(np.linalg.norm(spot - hand))
    left = DESCENT * part.share + pace * (carried - 0.8 * nearer + away)
    end = now if _moved_on(part, thing, frame) else part.done
    progress = end - float(np.clip(left, LEAST_LEFT * part.share, part.share))
    return Scene(picture, demo.pictures[0], progress, 0.0)


def _moved_on(part: Part, thing: Thing, frame: int) -> bool:
    return part.later and frame > thing.settled


def mixed(
    demo: Demonstration, frame: int, other: Demonstration, moment: int, rng: np.random.Generator
) -> Scene:
    """Return a frame of which one camera shows another moment."""
    cameras = demo.pictures.shape[1]
    picture = demo.pictures[frame].copy()
    swapped = int(rng.integers(1, cameras))
    picture[swapped] = other.pictures[moment, swapped]
    progress = min(float(demo.labels[frame]), float(other.labels[moment]))
    done = 0.0 if progress < NOT_DONE_BELOW else UNSURE
    return Scene(picture, demo.pictures[0], progress, done, MIXED_WEIGHT)


def _without(demo: Demonstration, frame: int, thing: Thing, rng: np.random.Generator) -> Image:
    """Return a frame whose hand is empty."""
    earlier = int(rng.integers(max(1, thing.taken)))
    picture: Image
    if thing.erased is not None:
        picture = thing.erased[frame - thing.taken].copy()
        swap = rng.random() < 0.25  # erasing leaves traces; true empty hands teach to ignore them
    else:
        picture = demo.pictures[frame].copy()
        swap = True
    for camera in range(len(picture)):
        if swap and camera != thing.camera:
            picture[camera] = demo.pictures[earlier, camera]
    return picture


def _spot(thing: Thing, hand: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw where the thing lies: half of the time near the hand, where things fall."""
    ground = thing.ground
    if rng.random() < 0.5:
        near = ground[np.linalg.norm(ground - hand, axis=1) < NEAR_PIXELS]
        ground = near if len(near) else ground
    spot: NDArray[np.intp] = ground[int(rng.integers(len(ground)))]
    return spot


def _paste(picture: Image, thing: Thing, spot: NDArray[np.intp]) -> None:
    """Draw the thing at a spot, behind whatever stands before the ground there."""
    move = spot - np.rint(thing.start).astype(np.intp)
    rows, columns = thing.rows + move[0], thing.columns + move[1]
    side = picture.shape[0]
    inside = (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)
    rows, columns, colours = rows[inside], columns[inside], thing.colours[inside]
    free = np.abs(picture[rows, columns] - thing.plate[rows, columns]).max(axis=-1) < 25.0
    picture[rows[free], columns[free]] = colours[free]

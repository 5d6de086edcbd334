"""What the demonstrations move: small things that leave their place for good.

Found without names or labels: a small region of one camera that changes between the first and the
last pictures, for good from some moment on, and then looks like its surroundings. Where such a
thing has a colour of its own it can also be erased from every picture. Both are the material from
which `scenes.py` makes scenes that did not happen: the hand arrives and the thing does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from robovalue_ros.contracts.frames import Image

CHANGED = 30.0  # grey levels
LARGEST_SHARE = 0.06  # of the picture; more is an arm, a hand or a light
SMALLEST = 4  # pixels
EARLIEST = 0.1  # progress; what changes before that is the hand leaving its start
COLOUR_APART = 0.15
ENDS = 3  # pictures whose median is "the end"
FILL_SIZES = (5, 11, 25, 51)
SETTLED = 4.0  # pixels from where the thing ends
SETTLED_SHARE = 0.8  # of the later frames; in the others something else may hide it

Pixels = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """One moved thing of one demonstration, as camera `camera` saw it.

    taken: frame from which its place stays changed. settled: frame from which it stays where it
    ends; the last one when it has no colour by which to know. place: (S, S) bool. rows, columns,
    colours: the pixels of the thing in the first picture. ground: (N, 2) pixels that look like what it
    stood on. plate: (S, S, 3) the scene without it. path: (T, 2) where its colour is. erased:
    (T - taken, cameras, S, S, 3) pictures from `taken` on without its colour, or None when it has
    no colour of its own.
    """

    camera: int
    taken: int
    settled: int
    place: NDArray[np.bool_]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    colours: NDArray[np.uint8]
    ground: NDArray[np.intp]
    plate: Pixels
    path: NDArray[np.float64] | None
    erased: Image | None

    @property
    def start(self) -> NDArray[np.float64]:
        return np.array([self.rows.mean(), self.columns.mean()])


def find_things(pictures: Image, labels: NDArray[np.float64]) -> list[Thing]:
    """Return the things moved in one demonstration, (T, cameras, S, S, 3) uint8, by time."""
    found = [
        thing
        for camera in range(pictures.shape[1])
        for thing in _in_camera(pictures, labels, camera)
    ]
    return sorted(found, key=lambda thing: thing.taken)


def _in_camera(pictures: Image, labels: NDArray[np.float64], camera: int) -> list[Thing]:
    seen = pictures[:, camera].astype(np.float32)
    first, last = seen[0], np.median(seen[-ENDS:], axis=0)
    regions, count = ndimage.label(np.abs(first - last).max(axis=-1) > CHANGED)
    things = []
    for number in range(1, count + 1):
        region = regions == number
        if not SMALLEST <= int(region.sum()) <= LARGEST_SHARE * region.size:
            continue
        taken = _changed_for_good(seen[:, region], first[region])
        if taken >= len(seen) - 2 or labels[taken] < EARLIEST:
            continue
        place = ndimage.binary_dilation(region)
        around = fill(first[None], place[None])[0]
        # Something left only if what remains looks like the surroundings; an arm that arrives
        # does not.
        remains = np.abs(around - last)[region].mean()
        if remains > 0.5 * np.abs(around - first)[region].mean():
            continue
        thing = _describe(pictures, camera, taken, region, place, around)
        if thing is not None:
            things.append(thing)
    return things


def _changed_for_good(region_TNC: Pixels, first_NC: Pixels) -> int:
    changed = (np.abs(region_TNC - first_NC).max(axis=-1) > CHANGED).mean(axis=1)
    still_there = np.flatnonzero(changed < 0.5)
    return int(still_there[-1] + 1) if still_there.size else 0


def _describe(
    pictures: Image,
    camera: int,
    taken: int,
    region: NDArray[np.bool_],
    place: NDArray[np.bool_],
    around: Pixels,
) -> Thing | None:
    seen = pictures[:, camera].astype(np.float32)
    first = seen[0]
    rows, columns = np.nonzero(region & (np.abs(first - around).max(axis=-1) > CHANGED))
    if not rows.size:
        return None
    plate = np.median(seen[taken:], axis=0)
    below = np.median(around[region], axis=0)
    ground = np.abs(plate - below).max(axis=-1) < 25.0
    colour, surface = chroma(np.median(first[region], axis=0)), chroma(below)
    apart = float(np.abs(colour - surface).sum())
    path = erased = None
    if apart > COLOUR_APART:
        limit = min(0.5 * apart, 0.35)
        path = _path(np.abs(chroma(seen) - colour).sum(axis=-1) < limit)
        erased = np.stack(
            [_erase(pictures[taken:, c], colour, limit) for c in range(pictures.shape[1])], 1
        )
    settled = len(pictures) - 1 if path is None else _settled(path, taken)
    return Thing(
        camera, taken, settled, place, rows, columns, pictures[0, camera][rows, columns],
        np.argwhere(ndimage.binary_erosion(ground)), plate.astype(np.float32), path, erased,
    )  # fmt: skip


def _path(mask_TSS: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return (T, 2) the centre of a mask; where too little is seen, the last known centre."""
    weight = mask_TSS.sum(axis=(1, 2)).astype(np.float64)
    rows = mask_TSS.sum(axis=2) @ np.arange(mask_TSS.shape[1])
    columns = mask_TSS.sum(axis=1) @ np.arange(mask_TSS.shape[2])
    seen = weight > 2
    seen[0] = True
    last = np.maximum.accumulate(np.where(seen, np.arange(len(seen)), 0))
    path = np.stack([rows, columns], axis=1) / np.maximum(weight, 1.0)[:, None]
    known: NDArray[np.float64] = path[last]
    return known


def _settled(path_T2: NDArray[np.float64], taken: int) -> int:
    there = np.linalg.norm(path_T2[taken:] - path_T2[-1], axis=1) < SETTLED
    share = np.cumsum(there[::-1])[::-1] / np.arange(len(there), 0, -1)
    return taken + int(np.argmax(there & (share >= SETTLED_SHARE)))


def _erase(pictures: Image, colour: Pixels, limit: float) -> Image:
    seen = pictures.astype(np.float32)
    mask = np.abs(chroma(seen) - colour).sum(axis=-1) < limit
    mask = ndimage.binary_dilation(mask, structure=np.ones((1, 3, 3)), iterations=2)
    filled: Image = np.rint(np.clip(fill(seen, mask), 0, 255)).astype(np.uint8)
    return filled


def chroma(colours: NDArray[np.generic]) -> Pixels:
    """Return colours (..., 3) without their brightness; dark ones become grey."""
    lifted = np.asarray(colours, np.float32) + np.float32(8.0)
    share: Pixels = lifted / lifted.sum(axis=-1, keepdims=True)
    return share


def fill(pictures: Pixels, mask: NDArray[np.bool_]) -> Pixels:
    """Fill masked pixels (T, S, S) of pictures (T, S, S, 3) with averages from around them."""
    out = pictures.copy()
    left = mask.copy()
    for size in FILL_SIZES:
        which = np.flatnonzero(left.any(axis=(1, 2)))
        if not which.size:
            break
        known = (~mask[which]).astype(np.float32)
        shown = pictures[which] * known[..., None]
        share = ndimage.uniform_filter(known, (0, size, size), mode="nearest")
        total = ndimage.uniform_filter(shown, (0, size, size, 0), mode="nearest")
        use = left[which] & (share > 0.15)
        part = out[which]
        part[use] = total[use] / share[use][:, None]
        out[which] = part
        left[which] &= ~use
    return out

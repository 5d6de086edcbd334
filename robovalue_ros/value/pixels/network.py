"""The network at run time: plain arrays and matrix products, one frame at a time.

Each camera has three convolutions over the picture and its difference to the episode's first
picture, which makes displaced objects visible. Spatial softmax turns each channel into a place in
the picture; two dense layers turn the places of all cameras into progress and a "done" score.
A camera that is absent gives zeros, which training has shown to the dense layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.contracts.validate import frozen_array
from robovalue_ros.value.one_thread import one_thread_products
from robovalue_ros.value.pixels.shrink import SIDE

Floats = NDArray[np.float32]

CHANNELS = (16, 32, 32)
KERNELS = (5, 3, 3)
STRIDES = (2, 2, 1)
GRID = SIDE // 4
FEATURES = 4 * CHANNELS[2]  # per camera: x, y, strongest and mean answer of each channel
HIDDEN = 96
CAMERA_PARTS = ("w1", "b1", "w2", "b2", "w3", "b3", "heat")
HEAD_PARTS = ("h1", "c1", "h2", "c2", "out", "c3")


def camera_shapes() -> dict[str, tuple[int, ...]]:
    """Return the shapes of one camera's arrays; convolutions are (height, width, in, out)."""
    first, second, third = CHANNELS
    return {
        "w1": (5, 5, 6, first), "b1": (first,),
        "w2": (3, 3, first, second), "b2": (second,),
        "w3": (3, 3, second, third), "b3": (third,),
        "heat": (third,),
    }  # fmt: skip


def head_shapes(cameras: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the dense layers."""
    return {
        "h1": (FEATURES * cameras, HIDDEN), "c1": (HIDDEN,),
        "h2": (HIDDEN, HIDDEN), "c2": (HIDDEN,),
        "out": (HIDDEN, 2), "c3": (2,),
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What one frame gives. raw: progress, not yet in 0..1. done: a logit. hidden: (HIDDEN,)."""

    raw: float
    done: float
    hidden: Floats


class PixelNetwork:
    """Frozen weights, and the forward pass of one frame. Raises ContractError on wrong shapes."""

    def __init__(self, cameras: Sequence[str], arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self.cameras = tuple(cameras)
        self.arrays: dict[str, Floats] = {}
        for name, shape in network_shapes(self.cameras).items():
            if name not in arrays:
                raise ContractError("network", f"an array {name!r}", "missing")
            array = frozen_array(name, np.asarray(arrays[name]), dtype=np.float32)
            if array.shape != shape or not np.isfinite(array).all():
                raise ContractError(name, f"finite numbers of shape {shape}", str(array.shape))
            self.arrays[name] = array
        self._layers = [self._prepare(index) for index in range(len(self.cameras))]
        self._axis = np.linspace(-1.0, 1.0, GRID, dtype=np.float32)

    @one_thread_products()
    def begin(self, index: int, first: Floats) -> Floats:
        """Return what the first picture (SIDE, SIDE, 3) of a camera adds to its first layer."""
        layers = self._layers[index]
        flat: Floats = layers.bias - _patches(first, 5, 2) @ layers.on_first
        return flat

    @one_thread_products()
    def look(self, index: int, picture: Floats, begun: Floats) -> Floats:
        """Return the features (FEATURES,) of one picture of camera `index`."""
        layers = self._layers[index]
        one = _patches(picture, 5, 2) @ layers.on_picture
        one += begun
        np.maximum(one, 0.0, out=one)
        side = SIDE // 2
        two = _patches(one.reshape(side, side, CHANNELS[0]), 3, 2) @ layers.w2
        two += layers.b2
        np.maximum(two, 0.0, out=two)
        three = _patches(two.reshape(GRID, GRID, CHANNELS[1]), 3, 1) @ layers.w3
        three += layers.b3
        return self._places(three, layers.heat)

    @one_thread_products()
    def answer(self, features: Sequence[Floats | None]) -> Answer:
        """Return progress, done and hidden units from the features of every camera or None."""
        empty = np.zeros(FEATURES, np.float32)
        seen = np.concatenate([empty if part is None else part for part in features])
        a = self.arrays
        one = np.maximum(seen @ a["head.h1"] + a["head.c1"], np.float32(0.0))
        two = np.maximum(one @ a["head.h2"] + a["head.c2"], np.float32(0.0))
        out = two @ a["head.out"] + a["head.c3"]
        return Answer(float(out[0]), float(out[1]), two)

    def _places(self, three: Floats, heat: Floats) -> Floats:
        top = three.max(axis=0)
        weight = np.exp((three - top) * heat)
        weight /= weight.sum(axis=0)
        map_hwc = weight.reshape(GRID, GRID, CHANNELS[2])
        across = self._axis @ map_hwc.sum(axis=0)
        down = self._axis @ map_hwc.sum(axis=1)
        positive = np.maximum(three, np.float32(0.0))
        return np.concatenate([across, down, np.maximum(top, 0.0), positive.mean(axis=0)])

    @one_thread_products()
    def _prepare(self, index: int) -> _Layers:
        """Fold centring and the difference to the first picture into the first layer.

        The layer sees 2 * [picture - 1/2, picture - first]. Padding pads those with zeros, so the
        constant part is worked out with a padded picture of ones.
        """
        a = {name: self.arrays[f"camera{index}.{name}"] for name in CAMERA_PARTS}
        on_centred = np.float32(2.0) * a["w1"][:, :, :3].reshape(75, -1)
        on_change = np.float32(2.0) * a["w1"][:, :, 3:].reshape(75, -1)
        ones = np.ones((SIDE, SIDE, 3), np.float32)
        constant = _patches(ones, 5, 2) @ on_centred
        bias: Floats = (a["b1"] - np.float32(0.5) * constant).astype(np.float32)
        return _Layers(
            np.ascontiguousarray(on_centred + on_change), np.ascontiguousarray(on_change), bias,
            a["w2"].reshape(-1, CHANNELS[1]), a["b2"],
            a["w3"].reshape(-1, CHANNELS[2]), a["b3"], a["heat"],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Layers:
    on_picture: Floats
    on_first: Floats
    bias: Floats
    w2: Floats
    b2: Floats
    w3: Floats
    b3: Floats
    heat: Floats


def network_shapes(cameras: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every array of a network for these cameras."""
    shapes = {
        f"camera{index}.{name}": shape
        for index in range(len(cameras))
        for name, shape in camera_shapes().items()
    }
    return {**shapes, **{f"head.{k}": v for k, v in head_shapes(len(cameras)).items()}}


def _patches(picture: Floats, size: int, stride: int) -> Floats:
    """Return (places, size * size * channels): what a zero-padded convolution looks at."""
    height, width, channels = picture.shape
    pad = size // 2
    padded = np.zeros((height + 2 * pad, width + 2 * pad, channels), np.float32)
    padded[pad:-pad, pad:-pad] = picture
    rows, columns = height // stride, width // stride
    down, across, inside = padded.strides
    # A row of a window lies in one piece of memory, so the window needs one axis fewer.
    view = as_strided(
        padded,
        (rows, columns, size, size * channels),
        (down * stride, across * stride, down, inside),
        writeable=False,
    )
    return np.ascontiguousarray(view).reshape(rows * columns, size * size * channels)

"""Small pictures, the run-time network and what demonstrations move."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.value.pixels.augment import vary
from robovalue_ros.value.pixels.labels import elapsed_labels
from robovalue_ros.value.pixels.network import PixelNetwork, network_shapes
from robovalue_ros.value.pixels.novelty import learn_bank
from robovalue_ros.value.pixels.scenes import Demonstration, SceneShares, draw_scene, put_back
from robovalue_ros.value.pixels.shrink import SIDE, area_weights, shrink
from robovalue_ros.value.pixels.things import fill, find_things
from robovalue_ros.value.pixels.training import forward, initial_weights

CAMERAS = ("table", "wrist")


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_any_size_keeps_the_mean(height: int, width: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    small = shrink(image)
    assert small.shape == (SIDE, SIDE, 3) and small.dtype == np.float32
    assert small.mean() == pytest.approx(image.mean() / 255.0, abs=1e-4)
    assert small.min() >= 0.0 and small.max() <= 1.0 + 1e-5


@pytest.mark.parametrize("size", [64, 128])
def test_whole_blocks_equal_the_general_way(size: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (size, size, 3)).astype(np.uint8)
    weights = area_weights(size, SIDE)
    general = np.einsum("ih,hwc,jw->ijc", weights, image / 255.0, weights, optimize=True)
    np.testing.assert_allclose(shrink(image), general, atol=1e-5)


def test_what_is_no_picture_is_refused() -> None:
    for bad in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ContractError, match="image"):
            shrink(bad)  # type: ignore[arg-type]


def test_the_network_equals_its_training_twin() -> None:
    rng = np.random.default_rng(1)
    weights = initial_weights(CAMERAS, rng)
    network = PixelNetwork(CAMERAS, weights)
    pictures = rng.random((2, 2, SIDE, SIDE, 3), np.float32)
    now, first = pictures
    tensors = {name: torch.from_numpy(value) for name, value in weights.items()}
    for keep in ((1.0, 1.0), (1.0, 0.0), (0.0, 1.0)):
        twin = forward(
            tensors,
            *(torch.from_numpy(p[None]).permute(0, 1, 4, 2, 3) for p in pictures),
            torch.tensor([keep]),
        )[0]
        features = [
            network.look(i, now[i], network.begin(i, first[i])) if keep[i] else None
            for i in range(2)
        ]
        answer = network.answer(features)
        assert answer.raw == pytest.approx(float(twin[0]), abs=1e-5)
        assert answer.done == pytest.approx(float(twin[1]), abs=1e-5)


@pytest.mark.parametrize("damage", ["missing", "shape", "nan"])
def test_damaged_weights_are_refused(damage: str) -> None:
    weights = initial_weights(CAMERAS, np.random.default_rng(0))
    if damage == "missing":
        del weights["head.out"]
    elif damage == "shape":
        weights["head.out"] = weights["head.out"][:-1]
    else:
        weights["head.out"][0, 0] = np.nan
    with pytest.raises(ContractError):
        PixelNetwork(CAMERAS, weights)
    assert set(weights) <= set(network_shapes(CAMERAS))


def test_labels_stand_still_during_a_pause(player) -> None:
    pause = player(3, pause=10)
    stack = np.stack(list(pause.pictures.values()), axis=1)
    labels = elapsed_labels(stack, pause.stamps_ns)
    assert labels[0] == 0.0 and labels[-1] == 1.0 and np.all(np.diff(labels) >= 0)
    plain = player(3)
    quick = elapsed_labels(np.stack(list(plain.pictures.values()), axis=1), plain.stamps_ns)
    assert (np.diff(labels) == 0).sum() == (np.diff(quick) == 0).sum() + 10
    np.testing.assert_allclose(np.unique(labels), np.unique(quick))


def test_labels_of_a_frozen_demonstration_are_finite() -> None:
    still = np.zeros((9, 1, SIDE, SIDE, 3), np.uint8)
    labels = elapsed_labels(still, np.arange(9, dtype=np.int64))
    assert np.isfinite(labels).all() and labels[-1] == 1.0


def test_the_moved_thing_is_found_and_can_be_erased(demos) -> None:
    for demo in demos:
        stack = np.stack([demo.pictures[name] for name in CAMERAS], axis=1)
        things = find_things(stack, elapsed_labels(stack, demo.stamps_ns))
        seen = [thing for thing in things if thing.camera == 0]
        assert len(seen) == 1
        assert abs(seen[0].taken - demo.taken) <= 4
        assert seen[0].erased is not None
        red = seen[0].erased.astype(int)
        assert not ((red[..., 0] > 200) & (red[..., 1] < 60)).any()


def test_putting_back_shows_the_thing_at_its_start_and_little_progress(demos) -> None:
    stack = np.stack([demos[1].pictures[name] for name in CAMERAS], axis=1)
    labels = elapsed_labels(stack, demos[1].stamps_ns)
    demo = Demonstration(stack, labels, find_things(stack, labels))
    thing = next(t for t in demo.things if t.camera == 0)
    scene = put_back(demo, len(labels) - 1, thing, np.random.default_rng(0))
    row, column = np.rint(thing.start).astype(int)
    assert scene.picture[0, row, column, 0] > 180 and scene.picture[0, row, column, 1] < 90
    assert scene.progress < 0.15 and scene.done == 0.0
    np.testing.assert_array_equal(scene.first, stack[0])


@pytest.fixture(scope="module")
def prepared(demos) -> Demonstration:
    stack = np.stack([demos[0].pictures[name] for name in CAMERAS], axis=1)
    labels = elapsed_labels(stack, demos[0].stamps_ns)
    return Demonstration(stack, labels, find_things(stack, labels))


@given(st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_every_scene_is_a_valid_sample(prepared, seed: int) -> None:
    rng = np.random.default_rng(seed)
    stack, labels = prepared.pictures, prepared.labels
    before = stack.copy()
    frame = int(rng.integers(len(labels)))
    scene = draw_scene([prepared], 0, frame, SceneShares(0.3, 0.4, 0.2), rng)
    assert scene.picture.shape == stack[0].shape and scene.picture.dtype == np.uint8
    assert 0.0 <= scene.progress <= 1.0 and scene.done in (-1.0, 0.0, 1.0)
    np.testing.assert_array_equal(stack, before)


def test_filling_uses_the_surroundings() -> None:
    pictures = np.full((1, 20, 20, 3), 7.0, np.float32)
    mask = np.zeros((1, 20, 20), bool)
    mask[0, 5:15, 5:15] = True
    pictures[mask] = 200.0
    np.testing.assert_allclose(fill(pictures, mask), 7.0, atol=1e-3)


def test_varied_pictures_stay_pictures_and_repeat() -> None:
    pictures = torch.rand(3, 2, 2, 3, SIDE, SIDE)
    before = pictures.clone()
    runs = [vary(pictures, torch.Generator().manual_seed(4)) for _ in range(2)]
    for varied in runs:
        assert varied.shape == pictures.shape and varied.min() >= 0 and varied.max() <= 1
    assert torch.equal(runs[0], runs[1]) and torch.equal(pictures, before)


def test_novelty_is_small_at_home_and_large_abroad() -> None:
    rng = np.random.default_rng(0)
    features = [rng.normal(size=(40, 10)).astype(np.float32) for _ in range(4)]
    bank = learn_bank(features, rng)
    assert np.mean([bank.novelty(row) > 1.0 for row in features[0]]) < 0.05
    assert bank.novelty(np.full(10, 20.0, np.float32)) > 1.0

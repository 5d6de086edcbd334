"""The live stream: exactness, flags, missing cameras, storage."""

from __future__ import annotations

import io
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from robovalue_ros.contracts.errors import ConfigError, ContractError
from robovalue_ros.contracts.frames import ArrayFrames
from robovalue_ros.contracts.types import Frame
from robovalue_ros.value.stream.fitting import fit_value_model, time_constant_s, training_steps
from robovalue_ros.value.stream.live import ValueStream, score_causal, stream_samples
from robovalue_ros.value.stream.model import ValueModel
from robovalue_ros.value.stream.options import FitOptions

STEP_NS = 50_000_000


def held(frame: Frame, count: int, start: int, noise: float = 0.0) -> list[Frame]:
    """Repeat a frame, with sensor noise if asked for."""
    rng = np.random.default_rng(5)

    def spoil(image):
        noisy = image + rng.normal(0.0, noise, image.shape)
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)

    return [
        Frame(start + i * STEP_NS, {name: spoil(image) for name, image in frame.images.items()})
        for i in range(count)
    ]


def test_pushing_equals_offline_scoring_to_the_bit(model, player) -> None:
    frames = player(101).frames()
    stream = ValueStream(model)
    live = np.array([stream.push(frame).value for frame in frames])
    curve = score_causal(model, frames)
    assert curve.causal
    np.testing.assert_array_equal(live, curve.values)
    stream.reset()
    again = np.array([stream.push(frame).value for frame in frames])
    np.testing.assert_array_equal(again, live)


def blas_threads() -> list[int]:
    return [part["num_threads"] for part in threadpool_info() if part["user_api"] == "blas"]


def test_values_do_not_depend_on_threads(model, player) -> None:
    """Nor on what others do meanwhile; whoever asked for threads has them back afterwards."""
    # Of a size that is no multiple of the network's, so that shrinking takes products too.
    frames = [
        Frame(frame.stamp_ns, {n: np.kron(i, np.ones((3, 3, 1), np.uint8))[:150, :170]
                               for n, i in frame.images.items()})
        for frame in player(101).frames()
    ]  # fmt: skip
    with threadpool_limits(1, user_api="blas"):
        wanted = stream_samples(model, frames)
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        assert stream_samples(model, frames) == wanted
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(lambda _: stream_samples(model, frames), range(6)))
        assert all(samples == wanted for samples in found)
        assert blas_threads() == before


@given(st.integers(1, 30), st.integers(0, 2**31))
@settings(max_examples=15, deadline=None)
def test_a_prefix_equals_the_prefix_of_the_whole(model, player, stop: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames = []
    for frame in player(int(rng.integers(1000))).frames():
        names = [name for name in frame.images if rng.random() < 0.8]
        jitter = int(rng.integers(0, STEP_NS // 2))
        frames.append(Frame(frame.stamp_ns + jitter, {n: frame.images[n] for n in names}))
    whole = stream_samples(model, frames)
    assert stream_samples(model, frames[:stop]) == whole[:stop]
    assert all(0.0 <= sample.value <= 1.0 for sample in whole)


def test_a_brought_thing_and_a_thing_left_behind_end_apart(model, player) -> None:
    good = [stream_samples(model, player(seed).frames())[-1] for seed in range(200, 206)]
    bad = [stream_samples(model, player(seed, miss=True).frames())[-1] for seed in range(200, 206)]
    assert min(s.value for s in good) > max(s.value for s in bad)
    assert np.mean([s.declared for s in good]) >= 0.5
    assert not any(s.declared for s in bad)


def test_value_follows_the_task_forward_and_backward(model, player) -> None:
    frames = player(300).frames()
    there = score_causal(model, frames).values
    assert np.corrcoef(there, np.arange(len(there)))[0, 1] > 0.9
    back = [Frame(i * STEP_NS, frame.images) for i, frame in enumerate([*frames, *frames[-2::-1]])]
    assert score_causal(model, back).values[-1] < 0.25


def test_a_frozen_first_frame_makes_no_progress(model, player) -> None:
    first = player(301).frames()[0]
    samples = stream_samples(model, held(first, 60, 0))
    assert samples[-1].value <= 0.02
    assert not samples[0].stall and samples[-1].stall


@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_a_stall_is_flagged_within_a_second_and_the_value_rests(model, player, noise) -> None:
    frames = player(302).frames(20)
    still = held(frames[-1], 40, frames[-1].stamp_ns + STEP_NS, noise)
    samples = stream_samples(model, [*frames, *still])
    assert not any(sample.stall for sample in samples[:20])
    assert samples[20 + 20].stall
    rest = np.array([sample.value for sample in samples[22:]])
    assert np.ptp(rest) <= 0.03


def test_the_frame_rate_does_not_matter(model, player) -> None:
    """10 and 50 frames per second of one held picture stall at the same moment."""
    frame = player(303).frames()[0]
    for rate in (10, 20, 50):
        step = 10**9 // rate
        samples = stream_samples(model, [Frame(i * step, frame.images) for i in range(2 * rate)])
        first = next(sample.stamp_ns for sample in samples if sample.stall)
        assert abs(first * 1e-9 - model.rules.stall_s) <= 1.0 / rate + 1e-9


def test_a_gap_is_no_stall(model, player) -> None:
    frame = player(304).frames()[0]
    samples = stream_samples(model, [Frame(0, frame.images), Frame(5 * 10**9, frame.images)])
    assert not samples[-1].stall


def test_a_fall_is_flagged(model, player) -> None:
    frames = player(305).frames()
    samples = stream_samples(
        model, [Frame(i * STEP_NS, f.images) for i, f in enumerate([*frames, *frames[::-1]])]
    )
    assert not any(s.regression for s in samples[:10])
    assert samples[len(frames) + 20].regression


def test_one_camera_is_enough_and_none_is_unknown(model, player) -> None:
    frames = player(306).frames()
    for name in ("table", "wrist"):
        alone = [Frame(f.stamp_ns, {name: f.images[name], "other": f.images[name]}) for f in frames]
        values = score_causal(model, alone).values
        assert np.isfinite(values).all()
    empty = [Frame(frames[0].stamp_ns, {}), *frames[1:]]
    samples = stream_samples(model, empty)
    assert samples[0].unknown and samples[0].value == 0.0
    stream = ValueStream(model)
    before = [stream.push(frame) for frame in frames][-1]
    after = stream.push(Frame(frames[-1].stamp_ns + STEP_NS, {}))
    assert after.unknown and after.value == before.value and not after.declared


def test_strange_pictures_are_unknown(model, player) -> None:
    rng = np.random.default_rng(0)
    frames = [
        Frame(i * STEP_NS, {n: rng.integers(0, 256, (64, 64, 3)).astype(np.uint8) for n in model.cameras})
        for i in range(10)
    ]  # fmt: skip
    assert np.mean([s.unknown for s in stream_samples(model, frames)]) > 0.8
    usual = stream_samples(model, player(307).frames())
    assert np.mean([s.unknown for s in usual]) < 0.2


def test_any_picture_size_gives_about_the_same(model, player) -> None:
    frames = player(308).frames()
    large = [
        Frame(f.stamp_ns, {n: i.repeat(3, axis=0).repeat(2, axis=1) for n, i in f.images.items()})
        for f in frames
    ]
    here, there = score_causal(model, frames).values, score_causal(model, large).values
    np.testing.assert_allclose(here, there, atol=1e-3)


def test_stamps_must_increase(model, player) -> None:
    stream = ValueStream(model)
    frame = player(309).frames()[1]
    stream.push(frame)
    with pytest.raises(ContractError, match=r"reset\(\)"):
        stream.push(frame)


def test_memory_stays_flat(model, player) -> None:
    images = player(310).frames()[0].images
    stream = ValueStream(model)
    for i in range(50):
        stream.push(Frame(i * STEP_NS, images))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for i in range(50, 450):
        stream.push(Frame(i * STEP_NS, images))
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 50_000


def test_a_model_survives_an_npz_without_pickle(model, player) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **model.to_arrays())
    buffer.seek(0)
    with np.load(buffer, allow_pickle=False) as stored:
        again = ValueModel.from_arrays(dict(stored))
    assert again.id == model.id and again.cameras == ("table", "wrist")
    frames = player(311).frames()
    assert stream_samples(again, frames) == stream_samples(model, frames)


@pytest.mark.parametrize("name", ["version", "cameras", "rules", "network.head.out", "bank1.limit"])
def test_an_incomplete_model_is_refused(model, name: str) -> None:
    arrays = model.to_arrays()
    del arrays[name]
    with pytest.raises(ContractError, match=name.split(".")[-1]):
        ValueModel.from_arrays(arrays)


def test_a_model_of_another_version_is_refused(model) -> None:
    arrays = {**model.to_arrays(), "version": np.array(99)}
    with pytest.raises(ContractError, match="99"):
        ValueModel.from_arrays(arrays)
    broken = {**model.to_arrays(), "rules": np.full(7, np.nan)}
    with pytest.raises(ContractError, match="finite"):
        ValueModel.from_arrays(broken)


def test_the_same_seed_gives_the_same_model(demos) -> None:
    given = [(d.pictures, d.stamps_ns) for d in demos[:3]]
    lazy = [
        ({n: ArrayFrames(p) for n, p in d.pictures.items()}, d.stamps_ns, None) for d in demos[:3]
    ]
    heard: list[float] = []
    options = FitOptions(steps=15, batch=4)
    one = fit_value_model(given, options, np.random.default_rng(3), heard.append)
    two = fit_value_model(lazy, options, np.random.default_rng(3))
    assert one.id == two.id and heard[-1] == 1.0
    assert fit_value_model(given, options, np.random.default_rng(4)).id != one.id


def test_one_camera_of_any_name_can_be_fitted(demos, player) -> None:
    given = [({"eye": d.pictures["table"]}, d.stamps_ns) for d in demos[:4]]
    model = fit_value_model(given, FitOptions(steps=60, batch=4), np.random.default_rng(0))
    frames = [Frame(f.stamp_ns, {"eye": f.images["table"]}) for f in player(400).frames()]
    assert model.cameras == ("eye",)
    assert len(score_causal(model, frames).values) == len(frames)


def test_what_cannot_be_fitted_is_named(demos) -> None:
    rng = np.random.default_rng(0)
    first, second = demos[:2]
    options = FitOptions(steps=1)
    with pytest.raises(ContractError, match="at least 2"):
        fit_value_model([(first.pictures, first.stamps_ns)], options, rng)
    other = {"table": second.pictures["table"]}
    with pytest.raises(ContractError, match="demonstration 1: cameras"):
        fit_value_model(
            [(first.pictures, first.stamps_ns), (other, second.stamps_ns)], options, rng
        )
    with pytest.raises(ContractError, match="one per stamp"):
        fit_value_model([(first.pictures, first.stamps_ns[:-1])], options, rng)
    with pytest.raises(ContractError, match="increasing"):
        fit_value_model([(first.pictures, first.stamps_ns[::-1].copy())], options, rng)
    with pytest.raises(ConfigError, match="steps"):
        fit_value_model([], FitOptions(steps=-1), rng)


def test_training_is_as_long_as_demonstrations_ask() -> None:
    assert training_steps(FitOptions(steps=17), [5000]) == 17
    assert training_steps(FitOptions(), [90, 120, 400]) == 1200
    assert training_steps(FitOptions(), [10, 12]) == 1200
    assert training_steps(FitOptions(), [9000]) == 6000


def test_the_value_lags_by_the_same_share_of_short_and_long_tasks() -> None:
    short, long = (time_constant_s(FitOptions(), [t, t, 9 * t]) for t in (4.0, 40.0))
    assert long == pytest.approx(10 * short) and 0.0 < short < 0.04 * 4.0
    assert time_constant_s(FitOptions(smooth_s=0.0), [40.0]) == 0.0

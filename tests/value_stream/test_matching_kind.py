"""Value models that match clips of any encoder: exact, causal, no clock, and stored whole."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robovalue_ros.backends.encoders.pixels import PixelsEncoder
from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.contracts.fakes import FakeEncoder
from robovalue_ros.contracts.frames import ArrayFrames
from robovalue_ros.contracts.ports import FrameEncoder
from robovalue_ros.contracts.types import Frame
from robovalue_ros.value.stream.live import ValueStream, score_causal, stream_samples
from robovalue_ros.value.stream.match_fitting import embed_demonstration, fit_matching_model
from robovalue_ros.value.stream.match_options import MatchOptions
from robovalue_ros.value.stream.model import ValueModel
from robovalue_ros.value.stream.options import FitOptions

STEP_NS = 50_000_000
OPTIONS = MatchOptions(stride_s=0.1)


def matched(demos, encoders: Mapping[str, FrameEncoder], sampling, options=OPTIONS) -> ValueModel:
    embedded = [
        embed_demonstration((demo.pictures, demo.stamps_ns), encoders, sampling, options)
        for demo in demos
    ]
    return fit_matching_model(embedded, encoders, sampling, FitOptions(), options)


@pytest.fixture(scope="module")
def pixels(model) -> dict[str, FrameEncoder]:
    return {name: PixelsEncoder(model.network, i) for i, name in enumerate(model.cameras)}


@pytest.fixture(scope="module")
def cells() -> dict[str, FrameEncoder]:
    return dict.fromkeys(("table", "wrist"), FakeEncoder(cells=8, clip_frames=3))


@pytest.fixture(scope="module")
def on_pixels(demos, pixels) -> ValueModel:
    return matched(demos, pixels, "since_start")


@pytest.fixture(scope="module")
def on_cells(demos, cells) -> ValueModel:
    return matched(demos, cells, "recent")


def order_of(values: np.ndarray) -> float:
    """Spearman of values and time."""
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return float(np.corrcoef(ranks, np.arange(len(values)))[0, 1])


def test_values_follow_the_task(on_pixels, pixels, on_cells, cells, player) -> None:
    for model, encoders, least in ((on_pixels, pixels, 0.95), (on_cells, cells, 0.9)):
        curves = [score_causal(model, player(s).frames(), encoders).values for s in range(500, 506)]
        assert np.mean([order_of(curve) for curve in curves]) > least
        assert np.median([curve[0] for curve in curves]) < 0.1
        assert np.median([curve[-1] for curve in curves]) > 0.9


def test_standing_still_is_no_progress(on_pixels, pixels, on_cells, cells, player) -> None:
    """A clock would rise: one held frame gives one value, wherever in the task it is."""
    for model, encoders in ((on_pixels, pixels), (on_cells, cells)):
        for seed, stop in ((510, 1), (511, 12), (512, 20)):
            frames = player(seed).frames(stop)
            held = [
                Frame(frames[-1].stamp_ns + (i + 1) * STEP_NS, frames[-1].images)
                for i in range(200)
            ]
            values = score_causal(model, [*frames, *held], encoders).values
            assert np.ptp(values[stop + 20 :]) < 0.02
            if stop == 1:
                assert values.max() < 0.05
            samples = stream_samples(model, [*frames, *held], encoders)
            assert samples[-1].stall and not any(sample.stall for sample in samples[:stop])


def test_going_back_is_seen(on_cells, cells, player) -> None:
    frames = player(520).frames()
    again = [Frame(i * STEP_NS, f.images) for i, f in enumerate([*frames, *frames[::-1]])]
    samples = stream_samples(on_cells, again, cells)
    assert samples[-1].value < 0.3 and any(s.regression for s in samples[len(frames) :])
    assert not any(s.regression for s in samples[: len(frames)])


def test_a_thing_left_behind_ends_apart(on_pixels, pixels, player) -> None:
    def ends(miss: bool) -> list:
        return [
            stream_samples(on_pixels, player(seed, miss=miss).frames(), pixels)[-1]
            for seed in range(530, 536)
        ]

    good, bad = ends(False), ends(True)
    assert np.mean([s.value for s in good]) > np.mean([s.value for s in bad]) + 0.2
    assert np.mean([s.declared for s in good]) > np.mean([s.declared for s in bad])


def test_pushing_equals_offline_scoring_to_the_bit(on_pixels, pixels, player) -> None:
    frames = player(540).frames()
    stream = ValueStream(on_pixels, pixels)
    for _ in range(2):
        live = [stream.push(frame) for frame in frames]
        assert live == stream_samples(on_pixels, frames, pixels)
        curve = score_causal(on_pixels, frames, pixels)
        np.testing.assert_array_equal([sample.value for sample in live], curve.values)
        stream.reset()


@given(st.integers(1, 35), st.integers(0, 2**31))
@settings(max_examples=12, deadline=None)
def test_a_prefix_equals_the_prefix_of_the_whole(
    on_cells, cells, player, stop: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    frames = []
    for frame in player(int(rng.integers(1000))).frames():
        names = [name for name in frame.images if rng.random() < 0.8]
        jitter = int(rng.integers(0, STEP_NS // 2))
        frames.append(Frame(frame.stamp_ns + jitter, {n: frame.images[n] for n in names}))
    whole = stream_samples(on_cells, frames, cells)
    assert stream_samples(on_cells, frames[:stop], cells) == whole[:stop]
    assert all(0.0 <= sample.value <= 1.0 for sample in whole)


def test_fitting_looks_exactly_as_the_stream_does(demos, cells, on_cells) -> None:
    """The vectors of fitting are those that a live stream of the demonstration would embed."""
    demo = demos[0]
    seen: list[np.ndarray] = []

    class Watching(FakeEncoder):
        def encode(self, clips):
            vectors = super().encode(clips)
            seen.append(vectors)
            return vectors

    watching = dict.fromkeys(cells, Watching(cells=8, clip_frames=3))
    stream_samples(on_cells, demo.frames(), watching)
    embedded = embed_demonstration((demo.pictures, demo.stamps_ns), cells, "recent", OPTIONS)
    live = np.concatenate(seen)
    np.testing.assert_array_equal(live[0::2], embedded.vectors["table"])
    np.testing.assert_array_equal(live[1::2], embedded.vectors["wrist"])


def test_between_looks_the_value_holds(demos, cells, player) -> None:
    model = matched(demos, cells, "recent", MatchOptions(stride_s=0.2))
    values = score_causal(model, player(550).frames(), cells).values
    assert np.all(values[1:4] == values[0]) and len(np.unique(values)) <= 1 + len(values) // 4


def test_the_frame_rate_does_not_matter(on_cells, cells, player) -> None:
    frames = player(551).frames()
    slow = score_causal(on_cells, frames, cells)
    quick = [
        Frame(frame.stamp_ns + part * STEP_NS // 2, frame.images)
        for frame in frames
        for part in range(2)
    ]
    values = score_causal(on_cells, quick, cells).values[::2]
    np.testing.assert_allclose(values, slow.values, atol=0.15)  # one look sooner or later


def test_strange_pictures_are_unknown_and_worth_nothing(on_cells, cells, player) -> None:
    rng = np.random.default_rng(0)
    noise = [
        Frame(i * STEP_NS, {n: rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for n in cells})
        for i in range(12)
    ]
    samples = stream_samples(on_cells, noise, cells)
    assert all(s.unknown for s in samples) and max(s.value for s in samples) < 0.05
    usual = stream_samples(on_cells, player(560).frames(), cells)
    assert np.mean([s.unknown for s in usual]) < 0.2


def test_one_camera_is_enough_and_none_is_unknown(on_cells, cells, player) -> None:
    frames = player(561).frames()
    for name in ("table", "wrist"):
        alone = [Frame(f.stamp_ns, {name: f.images[name]}) for f in frames]
        assert order_of(score_causal(on_cells, alone, cells).values) > 0.7
    samples = stream_samples(on_cells, [Frame(0, {}), *frames[1:]], cells)
    assert samples[0].unknown and samples[0].value == 0.0 and samples[-1].value > 0.8


def test_a_model_survives_an_npz_without_pickle(on_cells, cells, player) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **on_cells.to_arrays())
    buffer.seek(0)
    with np.load(buffer, allow_pickle=False) as stored:
        again = ValueModel.from_arrays(dict(stored))
    assert (again.id, again.kind, again.network) == (on_cells.id, "matching", None)
    frames = player(562).frames()
    assert stream_samples(again, frames, cells) == stream_samples(on_cells, frames, cells)


@pytest.mark.parametrize(
    "name", ["kind", "encoder_ids", "numbers", "value_N", "bank1.centres_MD", "bank0.counts_N"]
)
def test_an_incomplete_model_is_refused(on_cells, name: str) -> None:
    arrays = on_cells.to_arrays()
    del arrays[name]
    with pytest.raises(ContractError, match=name):
        ValueModel.from_arrays(arrays)


def test_damaged_numbers_are_refused(on_cells) -> None:
    arrays = on_cells.to_arrays()
    for name, value in (
        ("kind", np.array("other")), ("sampling", np.array("sometimes")),
        ("numbers", np.full(6, np.nan)), ("bank0.numbers", np.array([0.0, -1.0, 1.0])),
        ("bank0.std_D", np.zeros_like(arrays["bank0.std_D"])),
        ("bank1.centres_MD", arrays["bank1.centres_MD"][1:]),
        ("value_N", arrays["value_N"][1:]),
    ):  # fmt: skip
        with pytest.raises(ContractError):
            ValueModel.from_arrays({**arrays, name: value})


def test_other_encoders_are_refused(on_cells, cells) -> None:
    with pytest.raises(ContractError, match="encoder of camera table is none"):
        ValueStream(on_cells)
    with pytest.raises(ContractError, match=r"fake-mean-colour-4x4.*8x8"):
        ValueStream(on_cells, {**cells, "wrist": FakeEncoder(cells=4, clip_frames=3)})


def test_what_cannot_be_fitted_is_named(demos, cells) -> None:
    with pytest.raises(ContractError, match="at least 2"):
        matched(demos[:1], cells, "recent")
    with pytest.raises(ContractError, match="--stride-s"):
        matched(demos, cells, "recent", MatchOptions(stride_s=10.0))
    blind = [
        type(demos[0])({n: np.zeros_like(p) for n, p in d.pictures.items()}, d.stamps_ns, 0)
        for d in demos[:3]
    ]
    with pytest.raises(ContractError, match="sees too little"):
        matched(blind, cells, "recent")


def test_the_same_demonstrations_give_the_same_model(demos, cells, on_cells) -> None:
    lazy = [
        ({n: ArrayFrames(p) for n, p in demo.pictures.items()}, demo.stamps_ns) for demo in demos
    ]
    ticks: list[int] = []
    embedded = [
        embed_demonstration(item, cells, "recent", OPTIONS, tick=ticks.append) for item in lazy
    ]
    again = fit_matching_model(embedded, cells, "recent", FitOptions(), OPTIONS)
    assert again.id == on_cells.id and sum(ticks) == sum(len(d.stamps_ns) for d in demos)


def test_memory_stays_flat(on_cells, cells, player) -> None:
    images = player(570).frames()[0].images
    stream = ValueStream(on_cells, cells)
    tracemalloc.start()
    sizes = []
    for start in (0, 100, 200):
        for i in range(start, start + 100):
            stream.push(Frame(i * STEP_NS, images))
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[2] - sizes[0] < 20_000


def test_a_video_encoder_with_weights(demos, player) -> None:
    """The random V-JEPA 2 of the vectors through the code that a published one takes."""
    pytest.importorskip("transformers")
    from robovalue_ros.backends.encoders.config import VJepa2EncoderConfig
    from robovalue_ros.wiring import make_encoder

    weights = Path(__file__).parents[1] / "vectors/data/vjepa2_tiny_a.pt"
    encoder = make_encoder(
        "vjepa2", VJepa2EncoderConfig(weights, img_size=64, num_frames=8, heads=4)
    )
    encoders = dict.fromkeys(("table", "wrist"), encoder)
    model = matched(demos[:4], encoders, "recent")
    frames = player(580).frames()
    samples = stream_samples(model, frames, encoders)
    stream = ValueStream(model, encoders)
    assert [stream.push(frame) for frame in frames] == samples
    assert stream_samples(model, frames[:17], encoders) == samples[:17]
    assert order_of(np.array([sample.value for sample in samples])) > 0.6

"""One conformance test per port, run against the fake here and against every real implementation.

A new implementation adds itself to the list of its port below.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from robovalue_ros.contracts import fakes, ports
from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.fakes import fake_episode
from robovalue_ros.contracts.types import Frame


def tiny_vjepa2() -> ports.FrameEncoder:
    """The random V-JEPA 2 checkpoint of the vectors, in the published layout."""
    from robovalue_ros.backends.encoders.config import VJepa2EncoderConfig
    from robovalue_ros.backends.encoders.vjepa2 import build_vjepa2

    weights = Path(__file__).parents[1] / "vectors/data/vjepa2_tiny_a.pt"
    return build_vjepa2(VJepa2EncoderConfig(weights, img_size=64, num_frames=8, heads=4))


def untrained_pixels() -> ports.FrameEncoder:
    """The weights-free encoder with random weights, looking with its second camera."""
    from robovalue_ros.backends.encoders.pixels import PixelsEncoder
    from robovalue_ros.value.pixels.network import PixelNetwork
    from robovalue_ros.value.pixels.training import initial_weights

    cameras = ("cam_high", "cam_left_wrist")
    return PixelsEncoder(
        PixelNetwork(cameras, initial_weights(cameras, np.random.default_rng(0))), 1
    )


def wall_clock() -> ports.Clock:
    """The clock of this machine."""
    from robovalue_envs.real_arm.wall_clock import WallClock

    return WallClock()


def lucas_kanade() -> ports.PointTracker:
    """Each point by itself."""
    from robovalue_ros.backends.trackers.lucas_kanade import LucasKanade

    return LucasKanade()


def dis_flow() -> ports.PointTracker:
    """One dense flow for all points."""
    from robovalue_ros.backends.trackers.dis_flow import DisFlow

    return DisFlow()


def hub_tracker() -> ports.PointTracker:
    """A network from a folder that torch.hub reads, in place of the published one."""
    from robovalue_ros.backends.trackers.cotracker import CoTracker

    repo = Path(__file__).parents[1] / "segment_stream/hub_repository"
    return CoTracker(repo, repo / "weights.pt", "constant_drift", "cpu")


ENCODERS: list[Callable[[], ports.FrameEncoder]] = [
    fakes.FakeEncoder,
    tiny_vjepa2,
    untrained_pixels,
]
TRACKERS: list[Callable[[], ports.PointTracker]] = [
    fakes.FakeTracker,
    lucas_kanade,
    dis_flow,
    hub_tracker,
]
SCORERS: list[Callable[[], ports.ImageTextScorer]] = [fakes.FakeScorer]
PLANNERS: list[Callable[[], ports.Planner]] = [fakes.FakePlanner]
POLICIES: list[Callable[[], ports.VlaPolicy]] = [fakes.FakePolicy]
STORES: list[Callable[[], ports.Store]] = [fakes.FakeStore]
ARMS: list[Callable[[], ports.ArmLink]] = [fakes.FakeArm]
CLOCKS: list[Callable[[], ports.Clock]] = [fakes.FakeClock, wall_clock]


@pytest.mark.parametrize("build", ENCODERS)
def test_frame_encoder(build: Callable[[], ports.FrameEncoder]) -> None:
    encoder = build()
    assert isinstance(encoder, ports.FrameEncoder)
    rng = np.random.default_rng(3)
    clips = rng.integers(0, 256, (3, encoder.clip_frames, 24, 32, 3), dtype=np.uint8)
    vectors = encoder.encode(clips)
    assert vectors.shape == (3, encoder.dim) and vectors.dtype == np.float32
    assert np.isfinite(vectors).all() and encoder.encoder_id
    # A row depends on its own clip only, and the same clip gives the same vector.
    assert np.array_equal(encoder.encode(clips[1:2])[0], vectors[1])
    assert not np.array_equal(vectors[0], vectors[1])


@pytest.mark.parametrize("build", TRACKERS)
def test_point_tracker(build: Callable[[], ports.PointTracker]) -> None:
    tracker = build()
    assert isinstance(tracker, ports.PointTracker)
    frames = np.zeros((5, 24, 32, 3), np.uint8)
    points = np.array([[3, 4], [20, 10]], np.float32)
    stamps = np.arange(5) * 10
    tracks = tracker.track(frames, points, stamps)
    assert tracks.xy.shape == (2, 5, 2)
    assert np.allclose(tracks.xy[:, 0], points)
    assert np.array_equal(tracks.stamps_ns, stamps)


@pytest.mark.parametrize("build", SCORERS)
def test_image_text_scorer(build: Callable[[], ports.ImageTextScorer]) -> None:
    scorer = build()
    assert isinstance(scorer, ports.ImageTextScorer)
    images = np.random.default_rng(0).integers(0, 256, (2, 24, 32, 3), dtype=np.uint8)
    scores = scorer.score(images, ["a cube", "a drawer that is open"])
    assert scores.shape == (2, 2) and np.isfinite(scores).all()
    assert np.array_equal(scorer.score(images[1:], ["a cube"]), scores[1:, :1])


@pytest.mark.parametrize("build", PLANNERS)
def test_planner(build: Callable[[], ports.Planner]) -> None:
    planner = build()
    assert isinstance(planner, ports.Planner)
    plan = planner.plan("pick up the cube and put it in the box")
    assert plan.task == "pick up the cube and put it in the box"
    assert len(plan.substeps) >= 1
    assert planner.plan(plan.task).substeps == plan.substeps


@pytest.mark.parametrize("build", POLICIES)
def test_vla_policy(build: Callable[[], ports.VlaPolicy]) -> None:
    policy = build()
    assert isinstance(policy, ports.VlaPolicy)
    frame = Frame(100, {"cam_high": np.zeros((24, 32, 3), np.uint8)}, np.zeros(8))
    chunks = []
    for _ in range(2):
        policy.reset(np.random.default_rng(5))
        chunks.append(policy.infer(frame, "pick up the cube"))
    assert np.array_equal(chunks[0].actions, chunks[1].actions)
    assert chunks[0].stamps_ns[0] >= frame.stamp_ns


@pytest.mark.parametrize("build", STORES)
def test_store(build: Callable[[], ports.Store]) -> None:
    store = build()
    assert isinstance(store, ports.Store)
    assert store.get("a") is None and store.keys() == ()
    values = np.arange(4.0)
    store.put("b/c", {"values": values}, {"causal": True, "name": "x"})
    values[0] = 9
    found = store.get("b/c")
    assert found is not None
    assert found[0]["values"].tolist() == [0, 1, 2, 3]
    assert found[1] == {"causal": True, "name": "x"}
    store.put("a", {}, {})
    assert store.keys() == ("a", "b/c")


@pytest.mark.parametrize("build", ARMS)
def test_arm_link(build: Callable[[], ports.ArmLink]) -> None:
    arm = build()
    assert isinstance(arm, ports.ArmLink) and isinstance(arm.clock, ports.Clock)
    before = arm.read()
    assert before.state is not None and before.state.shape == (len(arm.names),)
    assert {name: image.shape for name, image in before.images.items()} == {
        name: (*size, 3) for name, size in arm.cameras.items()
    }
    assert set(before.images_ns) == set(arm.cameras)
    kept = before.state.copy()
    arm.send(kept + 0.1)
    arm.clock.sleep_until(arm.clock.now_ns() + 50_000_000)
    after = arm.read()
    assert after.state is not None and not np.array_equal(after.state, kept)
    assert np.array_equal(before.state, kept), "what was read does not change afterwards"
    assert before.state_ns < after.state_ns <= arm.clock.now_ns()
    arm.stop()
    arm.stop()
    for wrong in (np.full(len(arm.names), np.nan), np.zeros(len(arm.names) + 1)):
        with pytest.raises(ValueError, match="finite"):
            arm.send(wrong)
    arm.send(after.state)
    arm.stop()
    arm.close()
    arm.close()


@pytest.mark.parametrize("build", CLOCKS)
def test_clock(build: Callable[[], ports.Clock]) -> None:
    clock = build()
    assert isinstance(clock, ports.Clock)
    start = clock.now_ns()
    clock.sleep_until(start + 1_000_000)
    assert clock.now_ns() >= start + 1_000_000
    clock.sleep_until(start)
    assert clock.now_ns() >= start + 1_000_000


def test_fake_reader_and_writer_fill_their_ports(tmp_path: Path) -> None:
    reader = fakes.FakeReader({"a": fake_episode("a"), "b": None})
    writer = fakes.FakeWriter()
    assert isinstance(reader, ports.EpisodeReader) and isinstance(writer, ports.EpisodeWriter)
    assert reader.open("a").id == "a"
    for missing in ("b", "c"):
        with pytest.raises(DataError):
            reader.open(missing)
    records = [writer.write(tmp_path, 0, reader.open("a"), lambda _: None)]
    writer.assemble(tmp_path, records, lambda _: None)
    assert (tmp_path / records[0].files[0]).is_file()

"""What the writer writes, the reader gives back; and other tools can read it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rosbags.highlevel import AnyReader

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.fakes import fake_episode
from robovalue_ros.contracts.frames import ArrayFrames
from robovalue_ros.contracts.ports import EpisodeReader, EpisodeWriter
from robovalue_ros.contracts.tools import Packing, WriteOptions
from robovalue_ros.contracts.types import Episode
from robovalue_ros.data.rosbag.reader import RosbagReader
from robovalue_ros.data.rosbag.writer import RosbagWriter

LOSSLESS = WriteOptions(format="rosbag", frames="lossless")
LOSSY = WriteOptions(format="rosbag", frames="lossy")


def silent(_: int) -> None:
    pass


def written(root: Path, episode: Episode, options: WriteOptions = LOSSLESS) -> Episode:
    RosbagWriter(options).write(root, 0, episode, silent)
    return RosbagReader(root).open(episode.id)


def same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    return (
        one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    )


def any_array(dtypes: list[str], rows: int, columns: int | None) -> st.SearchStrategy[np.ndarray]:
    shape = (rows,) if columns is None else (rows, columns)
    return st.sampled_from(dtypes).flatmap(
        lambda name: hnp.arrays(np.dtype(name), shape, elements={"allow_nan": False}
                                if name.startswith("f") else None)
    )  # fmt: skip


NAMES = st.text(min_size=1, max_size=12).filter(lambda name: name.strip("\0") == name)


@st.composite
def episodes(draw: st.DrawFn) -> Episode:
    rows = draw(st.integers(1, 5))
    steps = draw(st.lists(st.integers(1, 10**10), min_size=rows, max_size=rows))
    floats, every = ["float16", "float32", "float64"], [
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float16", "float32", "float64",
    ]  # fmt: skip
    signals = {
        name: draw(any_array(every, rows, draw(st.sampled_from([None, 0, 1, 3]))))
        for name in draw(st.lists(NAMES, max_size=3, unique=True))
    }
    width = draw(st.integers(0, 4))
    meta = draw(
        st.dictionaries(
            st.text(max_size=5),
            st.one_of(
                st.text(max_size=5), st.booleans(), st.integers(), st.floats(allow_nan=False)
            ),
            max_size=3,
        )
    )
    cameras = {
        name: ArrayFrames(np.full((rows, 2, 3, 3), i, np.uint8))
        for i, name in enumerate(draw(st.lists(NAMES, max_size=3, unique=True)))
    }
    return Episode(
        draw(NAMES),
        draw(st.text(max_size=20)),
        np.cumsum(np.array(steps, np.int64)) - draw(st.sampled_from([0, steps[0]])),
        cameras,
        draw(any_array(floats, rows, width)),
        draw(any_array(floats, rows, draw(st.integers(0, 3)))),
        draw(st.sampled_from([None, True, False])),
        signals,
        tuple(f"name {i}" for i in range(width)) if draw(st.booleans()) else (),
        meta=meta,
    )


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(episode=episodes())
def test_everything_comes_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, episode: Episode
) -> None:
    again = written(tmp_path_factory.mktemp("bag"), episode)
    assert same_bits(again.stamps_ns, episode.stamps_ns)
    assert same_bits(again.states, episode.states)
    assert same_bits(again.actions, episode.actions)
    assert list(again.signals) == list(episode.signals)
    assert all(same_bits(again.signals[n], episode.signals[n]) for n in episode.signals)
    assert (again.id, again.task, again.success) == (episode.id, episode.task, episode.success)
    assert again.state_names == episode.state_names and dict(again.meta) == dict(episode.meta)
    assert list(again.cameras) == list(episode.cameras)
    for name, source in episode.cameras.items():
        assert np.array_equal(
            again.cameras[name].gather(range(len(episode))), source.gather(range(len(episode)))
        )


def test_integers_beyond_the_floats_survive(tmp_path: Path) -> None:
    episode = fake_episode(frames=2)
    signals = {
        "signed": np.array([2**53 + 1, -(2**63)], np.int64),
        "unsigned": np.array([[2**64 - 1], [2**53 + 1]], np.uint64),
        "flag": np.array([True, False]),
    }
    episode = Episode(
        "e", "t", episode.stamps_ns, {}, episode.states, episode.actions, signals=signals
    )
    again = written(tmp_path, episode)
    assert all(same_bits(again.signals[name], signals[name]) for name in signals)


@pytest.mark.parametrize("packing", ["none", "zstd"])
@pytest.mark.parametrize("options", [LOSSLESS, LOSSY], ids=["lossless", "lossy"])
def test_frames_and_other_readers(tmp_path: Path, options: WriteOptions, packing: Packing) -> None:
    episode = fake_episode("first try", 9)
    record = RosbagWriter(options, packing).write(tmp_path, 3, episode, silent)
    assert record.files == (
        "episode_000003/episode_000003_0.mcap", "episode_000003/metadata.yaml"
    )  # fmt: skip
    reader = RosbagReader(tmp_path)
    assert reader.episode_ids() == ("first try",) and reader.format == "rosbag"
    again = pickle.loads(pickle.dumps(reader.open("first try").cameras))  # noqa: S301 - our own bytes
    for name, source in episode.cameras.items():
        assert again[name].shape == source.shape
        for frame, original in zip(again[name].iterate(), source.iterate(), strict=True):
            error = np.mean((frame.astype(float) - original) ** 2)
            assert error == 0 if options is LOSSLESS else 10 * np.log10(255**2 / error) > 35
    assert reader.findings() == ()
    with AnyReader([tmp_path / "episode_000003"]) as bag:
        messages = list(bag.messages())
        assert bag.message_count == len(messages) == 2 + 9 * 5
        stamps = [
            when for connection, when, raw in messages
            if connection.topic == "/joint_states"
            and bag.deserialize(raw, connection.msgtype).header.stamp.nanosec == when % 10**9
        ]  # fmt: skip
    assert stamps == episode.stamps_ns.tolist()


def test_the_same_episode_gives_the_same_bytes(tmp_path: Path) -> None:
    episode = fake_episode(frames=6)
    writer = RosbagWriter(LOSSY)
    for name in ("a", "b", "b"):  # the second time over what is there
        writer.write(tmp_path / name, 0, episode, silent)
        writer.assemble(tmp_path / name, [], silent)
    one, other = (
        {p.relative_to(tmp_path / n): p.read_bytes() for p in sorted((tmp_path / n).rglob("*.*"))}
        for n in "ab"
    )
    assert one == other and len(one) == 2


def test_metadata_has_the_version_that_humble_reads(tmp_path: Path) -> None:
    name = 'quotes "and"\nlines: é \U0001f916 \x85'
    RosbagWriter(LOSSY).write(tmp_path, 0, fake_episode(name, 3), silent)
    content = yaml.safe_load((tmp_path / "episode_000000" / "metadata.yaml").read_text("utf-8"))
    info = content["rosbag2_bagfile_information"]
    assert info["version"] == 5 and info["message_count"] == 2 + 3 * 5
    assert {
        t["topic_metadata"]["offered_qos_profiles"] for t in info["topics_with_message_count"]
    } == {""}
    assert info["custom_data"]["robovalue_episode"] == name
    assert RosbagReader(tmp_path).episode_ids() == (name,)


def test_ports_and_closing(tmp_path: Path) -> None:
    writer = RosbagWriter()
    assert isinstance(writer, EpisodeWriter)
    ticks: list[int] = []
    writer.write(tmp_path, 0, fake_episode(frames=4), ticks.append)
    assert sum(ticks) == 4
    reader = RosbagReader(tmp_path)
    assert isinstance(reader, EpisodeReader)
    episode = reader.open("episode_000000")
    source = episode.cameras["cam_high"]
    before = source.read(2)
    episode.close()
    reader.close()
    assert np.array_equal(source.read(2), before)
    with pytest.raises(IndexError):
        source.read(4)
    with pytest.raises(DataError, match="Did you mean 'episode_000000'"):
        reader.open("episode_00000")


def test_stamps_that_no_header_holds_are_refused(tmp_path: Path) -> None:
    fake = fake_episode(frames=2)
    for stamps in ([-1, 5], [0, 2**31 * 10**9]):
        episode = Episode("e", "t", np.array(stamps), {}, fake.states, fake.actions)
        with pytest.raises(DataError, match="stamps in 0"):
            RosbagWriter().write(tmp_path, 0, episode, silent)
    assert list(tmp_path.iterdir()) == []


def test_description_is_plain_json_on_a_topic(tmp_path: Path) -> None:
    RosbagWriter(LOSSY).write(tmp_path, 0, fake_episode(frames=2), silent)
    with AnyReader([tmp_path / "episode_000000"]) as bag:
        wanted = [c for c in bag.connections if c.topic == "/robovalue/episode"]
        ((connection, _, raw),) = bag.messages(connections=wanted)
        content = json.loads(bag.deserialize(raw, connection.msgtype).data)
    assert content["cameras"][0] == ["cam_high", "/cam_high/image_raw/compressed"]
    assert content["states"] == {"dtype": "float32", "shape": [8], "topic": "/joint_states"}

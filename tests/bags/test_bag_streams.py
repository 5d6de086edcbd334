"""Bags as streams: in order, in little memory, and as much of a damaged one as can be had."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bag_maker import FLOATS, IMAGE, MS, TEXT, array, flat_image, image, text, write_bag
from mcap.writer import CompressionType, Writer
from test_bag_score import scored, table_samples
from toy_bags import (
    START_NS,
    STEP_NS,
    contents,
    frames_of,
    serialised,
    storage_file,
    streamed,
    toy_messages,
)

from robovalue_ros.cli.main import main
from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.rosbag.copying import known_topic
from robovalue_ros.pipelines.bag.score import AHEAD
from robovalue_ros.value.pixels.shrink import SIDE
from robovalue_ros.value.stream.live import stream_samples
from robovalue_ros.value.stream.model import ValueModel


def chunked(path: Path, entries: list[tuple[str, int, bytes]], **options: object) -> Path:
    """Write String messages with the mcap package itself, in the order given."""
    topic = known_topic("", TEXT)
    with path.open("wb") as stream:
        writer = Writer(stream, chunk_size=400, **options)  # type: ignore[arg-type]
        writer.start()
        schema = writer.register_schema(TEXT, "ros2msg", topic.definition)
        channels: dict[str, int] = {}
        for name, log, raw in entries:
            if name not in channels:
                channels[name] = writer.register_channel(name, "cdr", schema)
            writer.add_message(channels[name], log, raw, log, len(channels))
        writer.finish()
    return path


def texts(count: int, topic: str = "/a") -> list[tuple[str, int, bytes]]:
    kinds = [(topic, TEXT, START_NS + i * MS, text(f"message {i}")) for i in range(count)]
    return serialised(kinds)


@pytest.mark.parametrize(
    "options",
    [
        {"compression": CompressionType.NONE}, {"compression": CompressionType.ZSTD},
        {"compression": CompressionType.LZ4}, {"use_chunking": False},
        {"repeat_channels": False, "repeat_schemas": False}, {"use_statistics": False},
    ],
)  # fmt: skip
def test_messages_come_by_log_time_however_they_were_written(
    tmp_path: Path, options: dict[str, object]
) -> None:
    first, second = texts(60, "/a"), texts(60, "/b")
    path = chunked(tmp_path / "x.mcap", [*first, *second], **options)
    found = contents(path)
    assert sorted(found) == sorted([*first, *second])
    if options.get("use_chunking", True):
        assert [when for _, when, _ in found] == sorted(when for _, when, _ in found)


def test_parts_of_a_split_bag_follow_each_other(tmp_path: Path) -> None:
    entries = texts(40)
    (tmp_path / "run").mkdir()
    chunked(tmp_path / "run" / "run_0.mcap", entries[:20])
    chunked(tmp_path / "run" / "run_1.mcap", entries[20:])
    assert contents(tmp_path / "run") == entries
    (tmp_path / "run" / "run_0.mcap").write_bytes(b"nothing")
    messages, said = streamed(tmp_path / "run")
    assert len(messages) == 20 and "does not begin like an mcap" in said


@pytest.mark.parametrize("codec", [CompressionType.NONE, CompressionType.ZSTD])
def test_a_cut_file_gives_everything_before_the_cut(tmp_path: Path, codec: CompressionType) -> None:
    entries = texts(80)
    path = chunked(tmp_path / "x.mcap", entries, compression=codec)
    whole = path.read_bytes()
    counts = []
    for cut in np.linspace(len(whole) - 1, 300, 60).astype(int):
        path.write_bytes(whole[:cut])
        try:
            messages, said = streamed(path)
        except DataError:
            counts.append(0)
            continue
        found = [(one.topic.name, one.log_ns, bytes(one.data)) for one in messages]
        assert found == entries[: len(found)]
        assert "salvaged" in said
        counts.append(len(found))
    assert counts[0] == 80 and counts == sorted(counts, reverse=True) and len(set(counts)) > 8


def test_flipped_bytes_cost_one_chunk_or_nothing(tmp_path: Path) -> None:
    entries = texts(80)
    path = chunked(tmp_path / "x.mcap", entries)
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    lost = 0
    for place in rng.integers(8, len(whole) - 8, 150):
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            messages, said = streamed(path)
        except DataError as problem:
            assert str(path) in str(problem)
            continue
        found = [(one.topic.name, one.log_ns, bytes(one.data)) for one in messages]
        wrong = set(found) - set(entries)
        assert not {raw for _, _, raw in wrong} - {raw for _, _, raw in entries}
        if len(found) < len(entries):
            lost += 1
            assert said, "what is lost is told"
    assert lost > 20


def test_damaged_sqlite(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "run", toy_messages(packed=False), "sqlite3", version=8)
    file = storage_file(bag)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cut off"):
        streamed(bag)
    rng = np.random.default_rng(2)
    for place in rng.integers(100, len(whole), 60):
        damaged = bytearray(whole)
        damaged[place : place + 64] = bytes(64)
        file.write_bytes(damaged[: len(whole)])
        try:
            streamed(bag)
        except DataError as problem:
            assert str(bag) in str(problem)


def test_a_cut_bag_is_scored_up_to_the_cut(model: ValueModel, tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "run", toy_messages(packed=False))
    everything = stream_samples(model, frames_of(bag))
    file = storage_file(bag)
    whole = file.read_bytes()
    lengths = []
    for number, cut in enumerate(np.linspace(len(whole) * 0.95, len(whole) * 0.3, 5).astype(int)):
        file.write_bytes(whole[:cut])
        outcome = scored(model, tmp_path / f"out{number}", bag)
        found = table_samples(outcome)
        # Of the last moment a camera may be missing.
        assert found[:-1] == everything[: len(found) - 1]
        assert outcome.score is not None
        assert any("salvaged" in note.found for note in outcome.score.findings)
        assert "salvaged" not in streamed(outcome.files.bag)[1]
        lengths.append(len(found))
    assert lengths == sorted(lengths, reverse=True) and len(set(lengths)) > 3


def peak_bytes(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_memory_does_not_grow_with_the_bag(model: ValueModel, tmp_path: Path, storage: str) -> None:
    peaks = []
    pixels = np.random.default_rng(0).integers(0, 256, (160, 200, 3), np.uint8)
    for length in (20, 20, 140):
        messages = [
            (f"/{camera}/image_raw", IMAGE, START_NS + i * STEP_NS,
             image(START_NS + i * STEP_NS, pixels))
            for i in range(length) for camera in ("cam_high", "cam_left_wrist")
        ]  # fmt: skip
        bag = write_bag(tmp_path / f"bag{len(peaks)}", messages, storage, version=8)  # type: ignore[arg-type]
        del messages
        work = lambda bag=bag: scored(model, tmp_path / "out", bag, storage=storage)  # noqa: E731
        peaks.append(peak_bytes(work))
    # The first pays for what is loaded once. How far decoding runs ahead of the stream depends on
    # how busy the machine is: the window may be full in one run and nearly empty in another.
    picture = 2 * pixels.nbytes + SIDE * SIDE * 3 * 4  # as recorded, decoded, made small
    window = 2 * (AHEAD + 2) * picture
    whole = 2 * 140 * pixels.nbytes
    assert peaks[2] < peaks[1] + window < whole / 3 + peaks[1], (peaks, window)


def test_info(tmp_path: Path, model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = write_bag(tmp_path / "run", toy_messages(keep=lambda c, i: i not in range(5, 10)))
    assert main(["bag", "info", str(bag), "--json", "--model",
                 str(model_file)]) == 0  # fmt: skip
    (info,) = json.loads(capsys.readouterr().out)["bags"]
    topics = {topic["name"]: topic for topic in info["topics"]}
    high = topics["/cam_high/image_raw/compressed"]
    assert high["use"] == "camera cam_high, timeline" and high["count"] == 19
    assert high["longest_gap_s"] == pytest.approx(0.3)
    assert topics["/joint_states"]["use"] == "state"
    assert topics["/joint_states"]["rate_hz"] == pytest.approx(20.0)
    assert topics["/task"]["use"] == "task" and "type and name" in info["why"]
    file = storage_file(bag)
    file.write_bytes(file.read_bytes()[:-2000])
    blind = write_bag(tmp_path / "blind", [("/numbers", FLOATS, START_NS, array([1.0])),
                                           ("/depth", IMAGE, START_NS, flat_image(1, 2))])  # fmt: skip
    words = ["bag", "info", str(bag), str(blind), "--model", str(model_file)]
    assert main(words) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "salvaged" in said and "bag score" in said and "none of the model's" in said
    file.write_bytes(b"")
    assert main(["bag", "info", str(bag)]) == 2

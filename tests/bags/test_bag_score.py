"""`bag score`: the values of the live stream, beside the original messages, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bag_maker import FLOATS, MS, array, flat_image, write_bag
from mcap.reader import make_reader
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore
from toy_bags import (
    CAMERAS,
    START_NS,
    STEP_NS,
    contents,
    episode_of,
    frames_of,
    serialised,
    storage_file,
    streamed,
    toy_messages,
)

from robovalue_ros.cli.main import main
from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.rosbag.score_table import FLAGS, read_scores
from robovalue_ros.data.rosbag.value_topics import EVENT, OURS, STATE, VALUE
from robovalue_ros.pipelines.bag.config import BagScoreConfig, CameraChoice
from robovalue_ros.pipelines.bag.score import Outcome, score_bags
from robovalue_ros.value.stream.live import ValueSample, ValueStream, stream_samples
from robovalue_ros.value.stream.model import ValueModel

STORE = get_typestore(Stores.ROS2_HUMBLE)


def score(model: ValueModel, out: Path, *bags: Path, **options: object) -> list[Outcome]:
    config = BagScoreConfig(bags=bags, model=Path("unused"), out=out, **options)  # type: ignore[arg-type]
    return list(score_bags(config, ValueStream(model)))


def scored(model: ValueModel, out: Path, bag: Path, **options: object) -> Outcome:
    (outcome,) = score(model, out, bag, **options)
    assert outcome.score is not None, outcome.problem
    return outcome


def table_samples(outcome: Outcome) -> list[ValueSample]:
    columns = read_scores(outcome.files.table)
    flags = [columns[name].tolist() for name in FLAGS]
    return [
        ValueSample(*row)
        for row in zip(columns["stamp_ns"].tolist(), columns["value"].tolist(), *flags, strict=True)
    ]


def said(outcome: Outcome) -> str:
    assert outcome.score is not None
    return " | ".join(finding.found for finding in outcome.score.findings)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_samples_are_those_of_a_stream_over_the_readers_frames(
    model: ValueModel, tmp_path: Path, storage: str, packed: bool
) -> None:
    messages = toy_messages(packed=packed)
    bag = write_bag(tmp_path / "run", messages, storage, version=8)  # type: ignore[arg-type]
    outcome = scored(model, tmp_path / "out", bag)
    assert table_samples(outcome) == stream_samples(model, frames_of(bag))
    assert said(outcome) == ""


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_the_bag_written_is_the_old_one_and_three_topics(
    model: ValueModel, tmp_path: Path, storage: str
) -> None:
    messages = toy_messages()
    bag = write_bag(tmp_path / "run", messages)
    outcome = scored(model, tmp_path / "out", bag, storage=storage)
    copied = contents(outcome.files.bag)
    assert [one for one in copied if one[0] not in OURS] == serialised(messages)
    times = [when for _, when, _ in copied]
    assert times == sorted(times)
    samples = table_samples(outcome)
    logs = read_scores(outcome.files.table)["log_ns"].tolist()
    values = [(when, raw) for topic, when, raw in copied if topic == VALUE]
    assert [when for when, _ in values] == logs
    received = {when for topic, when, _ in copied if "image" in topic}
    assert set(logs) <= received, "known when the last picture of a moment came"
    decoded = [STORE.deserialize_cdr(raw, "std_msgs/msg/Float32").data for _, raw in values]
    assert np.allclose(decoded, [sample.value for sample in samples], atol=1e-6)
    states = [
        STORE.deserialize_cdr(raw, "diagnostic_msgs/msg/DiagnosticArray")
        for topic, _, raw in copied if topic == STATE
    ]  # fmt: skip
    for state, sample in zip(states, samples, strict=True):
        stamp = state.header.stamp.sec * 10**9 + state.header.stamp.nanosec
        told = {pair.key: pair.value for pair in state.status[0].values}
        assert stamp == sample.stamp_ns and float(told["value"]) == sample.value
        assert told["declared"] == str(sample.declared).lower() and told["model"] == model.id
    events = [
        json.loads(STORE.deserialize_cdr(raw, "std_msgs/msg/String").data)
        for topic, _, raw in copied if topic == EVENT
    ]  # fmt: skip
    first = next(sample.stamp_ns for sample in samples if sample.declared)
    assert next(one["stamp_ns"] for one in events if one["event"] == "done") == first
    assert outcome.score is not None and len(events) == sum(outcome.score.events.values())


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_every_reader_reads_it(model: ValueModel, tmp_path: Path, storage: str) -> None:
    bag = write_bag(tmp_path / "run", toy_messages())
    outcome = scored(model, tmp_path / "out", bag, storage=storage)
    with AnyReader([outcome.files.bag], default_typestore=STORE) as reader:
        found = [(c.topic, when, bytes(raw)) for c, when, raw in reader.messages()]
        assert sorted(found) == sorted(contents(outcome.files.bag))
    if storage == "mcap":
        with storage_file(outcome.files.bag).open("rb") as stream:
            reader = make_reader(stream, validate_crcs=True)
            assert len(list(reader.iter_messages())) == len(found)
    before, after = episode_of(bag), episode_of(outcome.files.bag)
    assert np.array_equal(before.stamps_ns, after.stamps_ns)
    assert before.states.tobytes() == after.states.tobytes()
    assert np.array_equal(before.cameras["cam_high"].read(3), after.cameras["cam_high"].read(3))
    again = scored(model, tmp_path / "again", outcome.files.bag, storage=storage)
    assert contents(again.files.bag) == contents(outcome.files.bag), "scores are replaced"
    assert "replaced" in said(again)


def test_cameras_with_jitter_match_as_the_reader_matches_them(
    model: ValueModel, tmp_path: Path
) -> None:
    rng = np.random.default_rng(4)
    jitter = {(c, i): int(rng.integers(-9, 10)) * MS for c in CAMERAS for i in range(24)}
    bag = write_bag(tmp_path / "run", toy_messages(shift=lambda c, i: jitter[c, i]))
    outcome = scored(model, tmp_path / "out", bag)
    assert table_samples(outcome) == stream_samples(model, frames_of(bag))


def test_a_camera_with_gaps_is_missing_there_and_told(model: ValueModel, tmp_path: Path) -> None:
    gap = range(8, 20)
    whole = write_bag(tmp_path / "whole", toy_messages())
    frames = frames_of(whole)
    wrist = write_bag(
        tmp_path / "wrist", toy_messages(keep=lambda c, i: c == CAMERAS[0] or i not in gap)
    )
    outcome = scored(model, tmp_path / "out", wrist)
    found = table_samples(outcome)
    assert [one.stamp_ns for one in found] == [frame.stamp_ns for frame in frames]
    # The first of the gap has a neighbour; nobody waits for the first picture after so long.
    assert "12 moments lack this camera" in said(outcome)
    assert found[:8] == stream_samples(model, frames)[:8]
    high = write_bag(
        tmp_path / "high", toy_messages(keep=lambda c, i: c == CAMERAS[1] or i not in gap)
    )
    stamps = [one.stamp_ns for one in table_samples(scored(model, tmp_path / "out", high))]
    assert stamps == sorted(set(stamps)) and len(stamps) < 24


def test_topics_by_map_and_by_mistake(model: ValueModel, tmp_path: Path) -> None:
    renamed = [
        (topic.replace("cam_high", "front/left").replace("cam_left_wrist", "hand"), *rest)
        for topic, *rest in toy_messages()
    ]
    bag = write_bag(tmp_path / "run", renamed)  # type: ignore[arg-type]
    (failed,) = score(model, tmp_path / "out", bag)
    assert failed.status == "error" and "none of the model's cameras" in failed.problem
    assert "front_left (/front/left/image_raw/compressed)" in failed.problem
    assert not (tmp_path / "out" / "run").exists()
    lines = ["cameras:", "  cam_high: /front/left/image_raw/compressed",
             "  cam_left_wrist: /hand/image_raw/compressed"]  # fmt: skip
    topics = tmp_path / "map.yaml"
    topics.write_text("\n".join(lines))
    right = write_bag(tmp_path / "right", toy_messages())
    mapped = scored(model, tmp_path / "out", bag, choice=CameraChoice(topics))
    assert table_samples(mapped) == stream_samples(model, frames_of(right))
    topics.write_text("\n".join([lines[0], "  cam_high: /joint_states"]))
    (failed,) = score(model, tmp_path / "out", bag, choice=CameraChoice(topics))
    assert "sensor_msgs/msg/JointState" in failed.problem
    topics.write_text("\n".join([lines[0], "  cam_high: /front/left/image_raw/compresed"]))
    (failed,) = score(model, tmp_path / "out", bag, choice=CameraChoice(topics))
    assert "Did you mean" in failed.problem
    blind = write_bag(tmp_path / "blind", [("/action", FLOATS, START_NS, array([1.0]))])
    (failed,) = score(model, tmp_path / "out", blind)
    assert failed.status == "error" and "no camera topic; found /action" in failed.problem


def test_pictures_that_are_none(model: ValueModel, tmp_path: Path) -> None:
    messages = toy_messages(packed=False)
    at = next(i for i, one in enumerate(messages) if "wrist" in one[0])
    messages[at] = (*messages[at][:3], b"\0\1\0\0" + bytes(40))
    bag = write_bag(tmp_path / "run", messages)
    outcome = scored(model, tmp_path / "out", bag)
    assert "1 of 24 pictures cannot be used" in said(outcome)
    assert len(table_samples(outcome)) == 24
    assert len(contents(outcome.files.bag)) >= len(messages) + 48, "copied all the same"
    depth = [
        (topic, kind, when, flat_image(when, 3)) if "image" in topic else (topic, kind, when, raw)
        for topic, kind, when, raw in messages
    ]
    for _, kind, _, raw in depth:
        if kind.endswith("Image"):
            raw.encoding = "16UC1"
    bag = write_bag(tmp_path / "depth", depth)
    (failed,) = score(model, tmp_path / "out", bag)
    assert failed.status == "error" and "no picture of" in failed.problem


def test_every_try_begins_anew(model: ValueModel, tmp_path: Path) -> None:
    first = toy_messages(5)
    later = START_NS + 24 * STEP_NS
    expected = stream_samples(model, frames_of(write_bag(tmp_path / "one", first)))

    def values(outcome: Outcome) -> list[list[float]]:
        columns = read_scores(outcome.files.table)
        return [
            columns["value"][columns["episode"] == k].tolist()
            for k in range(int(columns["episode"].max()) + 1)
        ]

    pause = write_bag(tmp_path / "pause", first + toy_messages(5, start_ns=later + 100 * 10**9))
    tries = values(scored(model, tmp_path / "out", pause))
    assert tries == [[one.value for one in expected]] * 2
    assert len(values(scored(model, tmp_path / "o2", pause, episode_gap_s=1000.0))) == 1
    told = write_bag(tmp_path / "told", first + toy_messages(5, start_ns=later))
    assert len(values(scored(model, tmp_path / "out", told))) == 1
    tries = values(scored(model, tmp_path / "o2", told, episode_topic="/task"))
    assert tries == [[one.value for one in expected]] * 2
    # A recording of a bag that was played twice: stamps go back, times of receipt do not.
    shift = 30 * STEP_NS
    looped = first + [(topic, kind, when + shift, raw) for topic, kind, when, raw in first]
    outcome = scored(model, tmp_path / "out", write_bag(tmp_path / "looped", looped))
    assert values(outcome) == [[one.value for one in expected]] * 2
    assert outcome.score is not None and len(outcome.score.last) == 2
    (failed,) = score(model, tmp_path / "o3", told, episode_topic="/tusk")
    assert "/tusk" in failed.problem


def test_same_bag_same_bytes_and_kept_until_something_changes(
    model: ValueModel, tmp_path: Path
) -> None:
    write_bag(tmp_path / "bags" / "a", toy_messages(5))
    write_bag(tmp_path / "bags" / "b", toy_messages(6), "sqlite3", version=8)
    outs = [tmp_path / "x", tmp_path / "y"]
    for out in outs:
        found = score(model, out, tmp_path / "bags")
        assert [(one.name, one.status) for one in found] == [("a", "written"), ("b", "written")]
    written = [{p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}
               for out in outs]  # fmt: skip
    assert written[0] == written[1] and len(written[0]) == 8
    kept = score(model, outs[0], tmp_path / "bags")
    assert [one.status for one in kept] == ["reused"] * 2
    assert kept[0].score == found[0].score
    (outs[0] / "a.parquet").unlink()
    storage_file(outs[0] / "b").write_bytes(b"cut")
    again = score(model, outs[0], tmp_path / "bags")
    assert [one.status for one in again] == ["written"] * 2
    assert {p: (outs[0] / p).read_bytes() for p in written[0]} == written[0]
    nested = score(model, tmp_path / "bags" / "out", tmp_path / "bags")
    assert [one.status for one in nested] == ["written"] * 2
    nested = score(model, tmp_path / "bags" / "out", tmp_path / "bags")
    assert [one.name for one in nested] == ["a", "b"], "results are not taken for bags"


def test_a_bag_is_never_written_over(model: ValueModel, tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "run", toy_messages())
    before = contents(bag)
    with pytest.raises(DataError, match="another folder"):
        score(model, tmp_path, bag)
    assert contents(bag) == before


def test_the_command(model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = write_bag(tmp_path / "run", toy_messages())
    out = tmp_path / "out"
    words = ["bag", "score", str(bag), "--model", str(model_file), "--out", str(out)]
    assert main([*words, "--report"]) == 0
    said = capsys.readouterr()
    assert "run: written, 24 frames in 1.1 s, 1 try" in said.out and said.err == ""
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "value, causal" in page and page.count("AAAAIGZ0eXBpc29t") == 2
    assert main(words) == 0 and "reused" in capsys.readouterr().out
    assert main(["bag", "score", str(tmp_path / "nowhere"), "--model", str(model_file)]) == 2
    assert "no such file" in capsys.readouterr().err
    empty = tmp_path / "empty.mcap"
    empty.write_bytes(b"")
    assert main(["bag", "score", str(empty), *words[3:]]) == 2
    assert "is empty" in capsys.readouterr().out
    assert main(["bag", "score", str(bag), "--model", str(empty)]) == 2
    streamed(out / "run")

"""What the segmenter node finds out, and what it reads: its threshold, and codes of a tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

pytest.importorskip("rclpy")

from bag_maker import IMAGE, image, write_bag
from rclpy.parameter import Parameter
from ros_world import call, wait_for
from std_srvs.srv import Trigger
from toy_bags import streamed
from toy_film import NAME, WAY, as_heard, begun, film, frames_of, moves, offline
from toy_robot import START_NS, STEP_NS

from robovalue_ros.backends.motion_tokenizer import KIND
from robovalue_ros.cli.main import main
from robovalue_ros.contracts.config import to_mapping
from robovalue_ros.segment.tokenizer.config import TokenizerConfig
from robovalue_ros.segment.tokenizer.network import new_tokenizer
from robovalue_ros.segment.warm_up import own_threshold
from robovalue_ros.training.checkpoints import with_prefix, write_checkpoint

pytestmark = pytest.mark.ros


def test_with_auto_nothing_is_cut_until_motion_and_stillness_are_known(world) -> None:
    shower = begun(world, threshold_mode="auto", warmup_seconds=6.0)
    frames = frames_of(film(WAY + WAY))
    updates, wanted = offline(frames, shower.node.config)
    shower.show(frames[:100])
    told = shower.ears.next_diagnostic("stream")
    assert (told["threshold"], told["windows_to_watch"]) == ("nan", "8")
    # Another guard may change meanwhile, and changes nothing else; the threshold may not.
    assert shower.node.set_parameters([Parameter("cooldown_windows", value=0)])[0].successful
    (refused,) = shower.node.set_parameters([Parameter("threshold", value=0.5)])
    assert not refused.successful and "watching" in refused.reason
    shower.show(frames[100:])
    shower.node.trigger_deactivate()
    shower.heard()
    watched, after = shower.ears.states[:30], shower.ears.states[30:]
    assert {state.message for state in watched} == {"watching, no threshold yet"}
    assert {state.values["threshold"] for state in watched} == {"nan"}
    energies = [update.reading.energy for update in updates[:30]]
    level = own_threshold(energies, 0.002)
    assert min(energies) < level < max(energies) and level != 0.002
    assert {float(state.values["threshold"]) for state in after} == {level}
    assert shower.ears.of_stream() == as_heard(updates)
    wait_for(lambda: len(shower.ears.told) == len(wanted), "all actions")
    assert shower.ears.told == wanted and wanted[0]["start_win"] >= 30


def test_the_threshold_that_was_found_holds_for_the_next_try_too(world) -> None:
    """With a still camera it is the fixed one, as five windows show no two kinds anyway."""
    shower = begun(world, threshold_mode="auto", warmup_seconds=1.0, threshold=0.003)
    first = frames_of(film(moves((0, 44))))
    shower.show(first)
    assert call(shower.ears.node, Trigger, f"{NAME}/reset").success
    shower.show(frames_of(film(WAY[:60]), first[-1].stamp_ns + STEP_NS))
    shower.heard()
    thresholds = [state.values["threshold"] for state in shower.ears.states]
    assert thresholds[:5] == ["nan"] * 5 and set(thresholds[5:]) == {"0.003"}
    wait_for(lambda: shower.ears.told, "an action")
    assert shower.ears.told[0]["try"] == 1


# Codes of a tokenizer that lies on disk


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network as training writes it, though nobody trained it."""
    shape = TokenizerConfig(num_tracks=16, hidden_dim=16, num_heads=2, codebook_size=64)
    network = new_tokenizer(shape, torch.Generator().manual_seed(5))
    path = tmp_path_factory.mktemp("tokenizer") / "random.safetensors"
    write_checkpoint(
        path,
        with_prefix("network.", network.state_dict()),
        {"kind": KIND, "config": to_mapping(shape)},
    )
    return path


def test_live_codes_are_those_that_the_command_writes(world, tmp_path, tokenizer) -> None:
    topic = "/cam_high/image_raw"
    pictures = film(WAY)
    stamps = [START_NS + index * STEP_NS for index in range(len(pictures))]
    messages = [
        (topic, IMAGE, stamp, image(stamp, picture))
        for stamp, picture in zip(stamps, pictures, strict=True)
    ]
    bag = write_bag(tmp_path / "run", messages, "mcap", version=8)
    words = ["--tokenizer", str(tokenizer), "--num-tracks", "16", "--jsonl-output"]
    done = main(["segment", "stream", str(bag), "--output-dir", str(tmp_path / "cut"), *words])
    assert done == 0
    (folder,) = (tmp_path / "cut").iterdir()
    written = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((folder / "code_indices").glob("*.codes.json"))
    ]
    lines = (folder / "stream_codes.jsonl").read_text(encoding="utf-8").splitlines()
    by_window = {line["window"]: line["codes"] for line in map(json.loads, lines)}
    shower = begun(
        world, topic, image_topic=topic, tokenizer=str(tokenizer), num_tracks=16, early=0.0
    )
    for message in streamed(bag)[0]:
        shower.send(0, bytes(message.data), topic)
    shower.node.trigger_deactivate()
    shower.heard()
    kept = [one for one in shower.ears.told if one.get("kept")]
    wait_for(lambda: shower.ears.told[-1]["event"] == "close", "the last action")
    assert len(kept) == len(written) >= 2
    for told, document in zip(kept, written, strict=True):
        assert told["codes_windows"] == document["codes_windows"] != []
        assert told["selected_win_idxs"] == document["selected_win_idxs"]
        assert told["codes_windows"] == [by_window[w] for w in told["selected_win_idxs"]]
        assert document["segment"].items() <= told.items()
    assert len({tuple(codes) for codes in by_window.values()}) > 5, "codes that tell nothing"

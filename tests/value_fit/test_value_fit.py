"""`robovalue value fit`: what it learns from, what it leaves out and says, and the same bytes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robovalue_ros.backends.encoders.choice import EncoderChoice
from robovalue_ros.cli.main import main
from robovalue_ros.contracts.errors import ConfigError, ContractError, DataError
from robovalue_ros.contracts.frames import ArrayFrames
from robovalue_ros.contracts.tools import ReadOptions
from robovalue_ros.data.value_store.value_model import read_value_model
from robovalue_ros.pipelines.fit import FitConfig, FitReading, FitResult, fit
from robovalue_ros.value.stream.live import score_causal, stream_samples
from robovalue_ros.value.stream.options import FitOptions
from robovalue_ros.wiring import make_encoders, open_reader, open_value_stream

QUICK = FitOptions(steps=30, batch=6)


def fitted(out: Path, *data: Path, **options) -> FitResult:
    config = FitConfig(data, out, fit=options.pop("fit", QUICK), **options)
    return fit(config, lambda path: open_reader(path, config.read.options), make_encoders)


def said(result: FitResult, subject: str) -> str:
    return next((f.found for f in result.findings if f.subject == subject), "")


@pytest.fixture
def damaged_demos(demos: Path, tmp_path: Path) -> Path:
    """The same four episodes; one of the successes is cut off."""
    folder = tmp_path / "damaged"
    shutil.copytree(demos, folder)
    victim = sorted((folder / "success").glob("*.hdf5"))[0]
    victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    return folder


def test_successes_are_learned_and_failures_left_out(demos: Path, tmp_path: Path) -> None:
    result = fitted(tmp_path / "m.npz", demos)
    assert result.path == tmp_path / "m.npz" and result.frames == 3 * 24
    assert said(result, "failures") == "failed episodes left out: 1"
    assert "only 3" in said(result, "demonstrations")
    stored = read_value_model(result.path)
    assert stored.model.id == result.model.id
    about = stored.about
    assert about["task"] == "cross the table" and about["seed"] == 0
    assert about["cameras"] == ["cam_high", "cam_left_wrist"]
    assert [entry["frames"] for entry in about["demonstrations"]] == [24, 24, 24]
    assert about["options"]["steps"] == 30 and about["software"].startswith("robovalue_ros ")
    assert len({entry["content"] for entry in about["demonstrations"]}) == 3


def test_same_seed_same_bytes(demos: Path, tmp_path: Path) -> None:
    one, two, other = (tmp_path / name for name in ("a.npz", "b.npz", "c.npz"))
    fitted(one, demos)
    fitted(two, demos)
    fitted(other, demos, seed=1)
    assert one.read_bytes() == two.read_bytes() != other.read_bytes()


def test_a_model_file_is_replaced_only_when_asked(demos: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.npz"
    out.write_text("precious")
    with pytest.raises(DataError, match="--overwrite"):
        fitted(out, demos)
    assert out.read_text() == "precious"
    fitted(out, demos, overwrite=True)
    assert read_value_model(out).model.cameras == ("cam_high", "cam_left_wrist")
    with pytest.raises(DataError, match="is a folder"):
        fitted(tmp_path, demos)
    assert fitted(tmp_path / "named", demos).path == tmp_path / "named.npz"


def test_several_tasks_need_a_choice(record, toy_try, tmp_path: Path) -> None:
    data = record(
        tmp_path / "mixed",
        [toy_try(seed, task=("sweep", "cross")[seed % 2]) for seed in range(5)],
    )
    with pytest.raises(ConfigError, match=r"2 tasks: 'sweep' \(3\), 'cross' \(2\).*--task"):
        fitted(tmp_path / "m.npz", data)
    with pytest.raises(ConfigError, match="'cross'"):
        fitted(tmp_path / "m.npz", data, task="crosss")
    assert fitted(tmp_path / "m.npz", data, task="sweep").about["task"] == "sweep"
    assert len(read_value_model(tmp_path / "m.npz").about["demonstrations"]) == 3


def test_unlabelled_episodes_count_when_none_is_labelled(record, toy_try, tmp_path: Path) -> None:
    silent = record(tmp_path / "silent", [toy_try(seed, success=None) for seed in range(3)])
    result = fitted(tmp_path / "m.npz", silent, max_demos=2)
    assert "all 3 are taken for successes" in said(result, "labels")
    assert len(result.about["demonstrations"]) == 2
    some = record(
        tmp_path / "some", [toy_try(s, success=(True, True, None)[s % 3]) for s in range(3, 6)]
    )
    result = fitted(tmp_path / "n.npz", some)
    assert "success unknown, left out: 1" in said(result, "labels")
    bad = record(tmp_path / "bad", [toy_try(s, success=(False, None)[s % 2]) for s in range(2)])
    with pytest.raises(DataError, match="none of 2 episodes is a success"):
        fitted(tmp_path / "o.npz", bad)


def test_damaged_demonstrations_are_named_and_left_out(damaged_demos: Path, tmp_path: Path) -> None:
    result = fitted(tmp_path / "m.npz", damaged_demos)
    assert len(result.about["demonstrations"]) == 2
    errors = [finding for finding in result.findings if finding.level == "error"]
    assert len(errors) == 1 and ".hdf5" in errors[0].found
    for file in damaged_demos.rglob("*.hdf5"):
        file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match="no episode can be read"):
        fitted(tmp_path / "n.npz", damaged_demos)
    assert not (tmp_path / "n.npz").exists()


def test_a_frame_that_cannot_be_decoded_leaves_its_episode_out(demos: Path, tmp_path: Path) -> None:
    """The file opens; only reading its frames shows the damage."""
    folder = tmp_path / "spoilt"
    shutil.copytree(demos, folder)
    victim = sorted((folder / "success").glob("*.hdf5"))[0]
    content = bytearray(victim.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64)
    victim.write_bytes(content)
    result = fitted(tmp_path / "m.npz", folder)
    assert len(result.about["demonstrations"]) == 2
    assert any(finding.level == "error" for finding in result.findings)


def test_cameras_that_differ_are_told(record, toy_try, tmp_path: Path) -> None:
    data = record(tmp_path / "d", [toy_try(seed, cameras=1 + seed % 2) for seed in range(3)])
    result = fitted(tmp_path / "m.npz", data)
    assert result.model.cameras == ("cam_high",)
    assert "cam_left_wrist (1 of 3)" in said(result, "cameras")
    both = record(tmp_path / "e", [toy_try(seed) for seed in range(2)])
    reading = FitReading(cameras=("cam_left_wrist",))
    assert fitted(tmp_path / "n.npz", both, read=reading).model.cameras == ("cam_left_wrist",)


def test_several_folders_become_one_model(record, toy_try, demos: Path, tmp_path: Path) -> None:
    more = record(tmp_path / "more", [toy_try(seed) for seed in range(10, 12)])
    result = fitted(tmp_path / "m.npz", demos, more)
    assert [entry["data"] for entry in result.about["demonstrations"]] == ["demos"] * 3 + [
        "more"
    ] * 2


def test_the_options_of_reading_are_those_of_other_tools() -> None:
    assert FitReading().options == ReadOptions()


def test_the_command(demos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "m.npz"
    words = ["value", "fit", str(demos), "--out", str(out), "--steps", "40", "--batch", "8"]
    assert main(words) == 0
    shown = capsys.readouterr().out
    model = read_value_model(out).model
    for text in ("cross the table", "cam_high, cam_left_wrist", "72 (3.", model.id, "only 3"):
        assert text in shown
    assert main(words) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["value", "fit", str(tmp_path / "nowhere"), "--out", str(tmp_path / "x")]) == 2
    assert main(["value", "fit"]) == 2


def test_a_fitted_model_scores_what_it_never_saw(
    demos: Path, tmp_path: Path, toy_frames, quick_model
) -> None:
    result = fitted(tmp_path / "m.npz", demos, fit=FitOptions(steps=120, batch=8))
    values = score_causal(result.model, toy_frames).values
    assert np.corrcoef(values, np.arange(len(values)))[0, 1] > 0.8


def test_short_demonstrations_are_left_out(record, toy_try, tmp_path: Path) -> None:
    short = toy_try(9)
    short = replace(
        short, id="short", stamps_ns=short.stamps_ns[:5], states=short.states[:5],
        actions=short.actions[:5],
        cameras={n: ArrayFrames(s.gather(range(5))) for n, s in short.cameras.items()},
    )  # fmt: skip
    data = record(tmp_path / "d", [toy_try(0), short, toy_try(1)])
    result = fitted(tmp_path / "m.npz", data)
    assert len(result.about["demonstrations"]) == 2
    assert any("at least 8" in finding.found for finding in result.findings)


@pytest.fixture(scope="module")
def tiny_weights() -> Path:
    pytest.importorskip("transformers")
    return Path(__file__).parents[1] / "vectors/data/vjepa2_tiny_a.pt"


def test_an_encoder_with_weights(
    demos: Path, tmp_path: Path, tiny_weights: Path, toy_frames, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.npz"
    words = [
        "value", "fit", str(demos), "--out", str(out), "--encoder", "vjepa2", "--img-size", "64",
        "--weights", str(tiny_weights), "--num-frames", "8", "--heads", "4", "--stride-s", "0.1",
    ]  # fmt: skip
    assert main(words) == 0
    assert "matching: clips seen by vjepa2" in capsys.readouterr().out
    stored = read_value_model(out)
    assert stored.about["kind"] == "matching" and stored.about["options"]["stride_s"] == 0.1
    stream = open_value_stream(out)
    live = [stream.push(frame) for frame in toy_frames]
    choice = EncoderChoice("vjepa2", tiny_weights, 64, 8, 4)
    assert live == stream_samples(
        stored.model, toy_frames, make_encoders(choice, stored.model.cameras)
    )
    # The weights may lie elsewhere, and other ones are refused.
    moved = tmp_path / "moved.pt"
    shutil.copy(tiny_weights, moved)
    assert open_value_stream(out, moved).push(toy_frames[0]) == live[0]
    other = tiny_weights.with_name("vjepa2_tiny_b.pt")
    if other.is_file():
        with pytest.raises((ContractError, DataError)):
            open_value_stream(out, other)
    bytes_before = out.read_bytes()
    assert main([*words, "--overwrite"]) == 0 and out.read_bytes() == bytes_before


def test_a_stream_of_the_pixels_kind_opens_the_same_way(
    demos: Path, tmp_path: Path, toy_frames
) -> None:
    result = fitted(tmp_path / "m.npz", demos)
    stream = open_value_stream(result.path)
    assert [stream.push(f) for f in toy_frames] == stream_samples(result.model, toy_frames)

"""Cutting files: what is written, and that it is the same however frames come."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cutting import (
    MOVE,
    REST,
    config_for,
    cut,
    files_of,
    lines_of,
    make_videos,
    parts,
    parts_with_codes,
    two_moves,
)
from films import film, write_film

from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.types import Frame
from robovalue_ros.data.segment_files import read_energies, read_segments
from robovalue_ros.data.video import VideoFrames
from robovalue_ros.pipelines.segment.stream_config import stream_options
from robovalue_ros.pipelines.segment.stream_cut import cut_recorded
from robovalue_ros.pipelines.segment.stream_results import results_folder
from robovalue_ros.pipelines.segment.stream_sources import find_items, open_footage
from robovalue_ros.segment.documents import segments_document
from robovalue_ros.segment.streamer import SegmentStream, segment_frames
from robovalue_ros.wiring import open_reader


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_film(tmp_path_factory.mktemp("film") / "cup.mp4", film(two_moves()).frames)


def test_a_video_becomes_clips_codes_lists_and_energies(video: Path, tmp_path: Path) -> None:
    config = config_for(
        video,
        tmp_path,
        cut_max_duration_seconds=0.0,
        output_jsonl_output=True,
        output_prequant=True,
    )
    result = cut(config, codes=True)
    (outcome,) = result.outcomes
    assert outcome.status == "cut" and outcome.result is not None
    assert outcome.result.segments == 2 and outcome.result.left_out == 0
    folder = tmp_path / "cup"
    listed = json.loads((folder / "segmented_videos/cup_segments.json").read_text())
    assert listed["video"] == "cup.mp4" and listed["fps"] == 20.0
    assert listed["video_duration_sec"] == pytest.approx(len(two_moves()) / 20.0)
    assert [one["label"] for one in listed["segments"]] == ["segment_0", "segment_1"]
    for one, start in zip(listed["segments"], (REST, 2 * REST + MOVE), strict=True):
        assert one["start_sec"] * 20 == pytest.approx(start, abs=10)
        assert one["end_sec"] * 20 == pytest.approx(start + MOVE, abs=16)
    assert listed["segmentation_params"]["mode"] == "fixed"
    clips = sorted((folder / "segmented_videos").glob("*.mp4"))
    sidecars = sorted((folder / "code_indices").glob("*.json"))
    assert [clip.stem for clip in clips] == [path.name.split(".")[0] for path in sidecars]
    for clip, sidecar, one in zip(clips, sidecars, listed["segments"], strict=True):
        codes = json.loads(sidecar.read_text())
        frames = codes["segment"]["end_frame"] - codes["segment"]["start_frame"] + 1
        assert len(VideoFrames(clip)) == frames
        assert frames == round((one["end_sec"] - one["start_sec"]) * 20)
        assert codes["video_segment_path"] == str(clip)
        assert len(codes["codes_windows"]) == len(codes["selected_win_idxs"]) >= 2
        assert np.shape(codes["quantized_windows"][0]) == (15, 2)
    windows = outcome.result.windows
    energies = read_energies(folder / "stream_energy_velocity_token_diff_l2_mean.jsonl")
    assert list(energies.values) == list(range(windows)) and energies.source == "velocity"
    perf = lines_of(folder / "stream_perf.jsonl")
    assert [line["win"] for line in perf] == list(range(windows))
    assert all(line["budget_s"] == pytest.approx(0.2) for line in perf)
    summary = json.loads((folder / "cup_perf_summary.json").read_text())
    assert summary["windows_done"] == windows and summary["param_count"] == 7
    told = lines_of(folder / "stream_codes.jsonl")
    tokens = sorted((folder / "stream_prequant").iterdir())
    assert [f"prequant_win_{line['window']:06d}.npy" for line in told] == [p.name for p in tokens]
    assert np.load(tokens[0], allow_pickle=False).dtype == np.float32


@pytest.mark.parametrize("codes", [False, True])
def test_pushing_a_file_frame_by_frame_gives_what_cutting_it_gives(
    video: Path, tmp_path: Path, codes: bool
) -> None:
    config = config_for(video, tmp_path)
    cut(config, codes=codes)
    options = stream_options(config, config.cut.threshold or 0.0)
    made = (parts_with_codes if codes else parts)(config)
    stream = SegmentStream(options, made.tracker, made.tokenizer, imaging=made.imaging)
    frames = VideoFrames(video)
    stamps = frames.index.stamps_ns().tolist()
    pushed = [
        Frame(stamp, {"any": image}) for stamp, image in zip(stamps, frames.iterate(), strict=True)
    ]
    closed = segment_frames(stream, pushed)
    path = tmp_path / "cup/segmented_videos/cup_segments.json"
    written = json.loads(path.read_text())
    again = segments_document(
        "cup.mp4", closed, options, mode="fixed", fps=written["fps"],
        duration_s=written["video_duration_sec"], processed_at=written["processed_at"],
    )  # fmt: skip
    assert written == again and written["segments"]
    if codes:
        sidecars = sorted((tmp_path / "cup/code_indices").iterdir())
        found = [json.loads(sidecar.read_text())["codes_windows"] for sidecar in sidecars]
        kept = [one for one in closed if one.kept]
        assert found == [[one.tokens.codes.tolist() for one in action.codes] for action in kept]


def test_played_at_speed_the_results_are_the_same(video: Path, tmp_path: Path) -> None:
    slept: list[float] = []
    written = []
    for name, realtime in (("fast", False), ("slow", True)):
        config = config_for(video, tmp_path / name, run_realtime=realtime)
        (item,) = find_items(config, open_reader, {})
        folder = results_folder(config, item)
        footage = open_footage(item, open_reader)
        cut_recorded(footage, folder, config, parts(config), lambda _: None, sleep=slept.append)
        written.append(files_of(tmp_path / name))
    assert written[0] == written[1] and len(written[0]) > 4
    # Nobody truly slept, so almost every frame was early, the later ones by more.
    assert len(slept) > 100 and slept[-1] > slept[0] > 0.0


def test_several_processes_write_the_same_and_damage_is_passed_over(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    make_videos(videos, ["a/cup.mp4", "b/cup.mp4", "cup.mp4", "b/box.mp4"])
    whole = (videos / "a/cup.mp4").read_bytes()
    (videos / "cut_off.mp4").write_bytes(whole[: len(whole) // 2])
    (videos / "empty.mp4").write_bytes(b"")
    (videos / "text.mkv").write_text("no video")
    results = {}
    for workers in (1, 2):
        out = tmp_path / f"out{workers}"
        result = cut(config_for(videos, out, run_workers=workers))
        assert (result.count("cut"), result.count("damaged")) == (4, 3)
        assert {finding.subject for finding in result.findings} == {"cut_off", "empty", "text"}
        results[workers] = files_of(out)
    assert results[1] == results[2]
    found = {name.split("/")[0] for name in results[1]}
    assert found == {"a__cup", "b__cup", "cup", "box"}, "equal names do not meet"
    assert not list(tmp_path.rglob(".tmp-*"))


def test_finished_videos_are_left_alone_and_others_begun_anew(tmp_path: Path) -> None:
    videos, out = tmp_path / "videos", tmp_path / "out"
    make_videos(videos, ["a.mp4", "b.mp4", "c.mp4"])
    foreign = out / "c/segmented_videos/segment_0000_startwin_000001.mp4"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"of another tool")
    config = config_for(videos, out)
    assert [one.status for one in cut(config).outcomes] == ["cut", "cut", "skipped"]
    first = files_of(out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    again = cut(config)
    assert again.count("skipped") == 3
    assert times == {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert "another tool" in again.findings[0].found and foreign.read_bytes() == b"of another tool"
    # Another threshold would give other actions: it is told, not silently left or redone.
    other = cut(config_for(videos, out, cut_threshold=0.0011))
    assert other.count("skipped") == 3 and len(other.findings) == 3
    redone = cut(config_for(videos, out, cut_threshold=0.02, output_skip_if_exists=False))
    assert redone.count("cut") == 3 and files_of(out) != first
    # A video that changed under the same name is cut again.
    write_film(videos / "a.mp4", film(two_moves(4), seed=9).frames)
    config = config_for(videos, out, cut_threshold=0.02)
    assert [one.status for one in cut(config).outcomes] == ["cut", "skipped", "skipped"]
    (out / "b/segment_run.json").write_text("{")
    assert [one.status for one in cut(config).outcomes] == ["skipped", "cut", "skipped"]


def test_thresholds_of_ones_own_and_of_reports(video: Path, tmp_path: Path) -> None:
    auto = config_for(video, tmp_path / "auto", cut_threshold=None, cut_threshold_mode="auto")
    (outcome,) = cut(auto).outcomes
    assert outcome.result is not None and outcome.result.segments >= 2
    energies = read_energies(
        tmp_path / "auto/cup/stream_energy_velocity_token_diff_l2_mean.jsonl"
    ).values
    assert min(energies.values()) < outcome.result.threshold < max(energies.values())
    report = tmp_path / "best.json"
    report.write_text(json.dumps({"a": {"best_f1": {"thr": 0.0042}}}))
    told = config_for(
        video, tmp_path / "report", cut_threshold_mode="report", cut_report_path=report,
        cut_report_key="a.best_f1.thr",
    )  # fmt: skip
    cut(told)
    params = read_segments(tmp_path / "report/cup/segmented_videos/cup_segments.json").params
    assert params["threshold"] == 0.0042 and params["mode"] == "report"
    with pytest.raises(ConfigError, match=r"Did you mean 'a.best_f1.thr'"):
        cut(config_for(
            video, tmp_path / "x", cut_threshold_mode="report", cut_report_path=report,
            cut_report_key="a.best_f2.thr",
        ))  # fmt: skip
    with pytest.raises(DataError, match=r"none\.json"):
        cut(config_for(
            video, tmp_path / "x", cut_threshold_mode="report", cut_report_path=Path("none.json")
        ))  # fmt: skip
    assert not (tmp_path / "x").exists(), "nothing is begun with a wrong threshold"
    with pytest.raises(ConfigError, match="no threshold of its own"):
        cut(config_for(
            video, tmp_path / "x", cut_threshold=None, cut_energy_source="quantized"
        ))  # fmt: skip


def test_a_still_video_keeps_the_usual_threshold(tmp_path: Path) -> None:
    write_film(tmp_path / "still.mp4", film([0.0] * 80).frames)
    config = config_for(
        tmp_path / "still.mp4", tmp_path / "out", cut_threshold=None, cut_threshold_mode="auto"
    )
    (outcome,) = cut(config).outcomes
    assert outcome.result is not None and outcome.result.threshold == 0.002
    assert outcome.result.segments == 0 and outcome.result.gated == outcome.result.windows


@pytest.mark.parametrize(("codec", "ext"), [("h264", ".mp4"), ("MP4V", ".avi"), ("avc1", ".mkv")])
def test_clips_of_every_kind_play(video: Path, tmp_path: Path, codec: str, ext: str) -> None:
    cut(config_for(video, tmp_path, output_codec=codec, output_ext=ext, run_max_windows=20))
    clips = list((tmp_path / "cup/segmented_videos").glob(f"*{ext}"))
    frames = VideoFrames(clips[0])
    moving = frames.read(len(frames) // 2).astype(int)
    assert moving.shape == (96, 128, 3) and moving.std() > 20


@pytest.mark.parametrize(("codec", "ext"), [("h265x", ".mp4"), ("h264", ".mpg4")])
def test_unknown_kinds_of_clips_are_told_first(tmp_path: Path, codec: str, ext: str) -> None:
    with pytest.raises(ConfigError, match=r"Did you mean"):
        cut(config_for(tmp_path, tmp_path, output_codec=codec, output_ext=ext))


def test_pictures_and_videos_to_look_at(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from robovalue_ros.data.media.still import read_image
    from robovalue_ros.pipelines.segment.stream_watch import make_watcher

    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for theme, style in (("academic_blue", "enhanced"), ("ieee_red", "basic")):
        config = config_for(
            video, tmp_path / theme, output_plot=True, output_overlay=True, look_theme=theme,
            look_viz_style=style, look_show=True, cut_smooth=True, run_max_windows=12,
        )  # fmt: skip
        cut(config, make_watcher=make_watcher)
        folder = tmp_path / theme / "cup"
        picture = read_image(folder / "cup_energy.png")
        assert picture.shape == (320, 1200, 3)
        ground = np.median(picture.reshape(-1, 3), axis=0)
        assert (ground > 200).all() if style == "enhanced" else (ground < 60).all()
        assert len(VideoFrames(folder / "cup_overlay.mp4")) == 16 + 11 * 4
    assert "there is no display" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="Did you mean 'ieee_red'"):
        config = config_for(
            video, tmp_path / "x", output_plot=True, look_theme="ieee_blue",
            output_skip_if_exists=False,
        )  # fmt: skip
        cut(config, make_watcher=make_watcher)


def test_a_trained_tokenizer_gives_codes_and_leaves_threads_alone(
    video: Path, tmp_path: Path
) -> None:
    import torch

    from robovalue_ros.backends.motion_tokenizer import KIND, NETWORK
    from robovalue_ros.contracts.config import to_mapping
    from robovalue_ros.pipelines.segment.stream_run import segment_stream
    from robovalue_ros.segment.tokenizer.config import TokenizerConfig
    from robovalue_ros.segment.tokenizer.network import MotionTokenizer
    from robovalue_ros.training.checkpoints import write_checkpoint
    from robovalue_ros.wiring import make_segment_parts

    made = TokenizerConfig(num_tracks=16, hidden_dim=16, num_heads=2, codebook_size=64)
    network = MotionTokenizer(made)
    weights = {f"{NETWORK}{name}": value for name, value in network.state_dict().items()}
    path = tmp_path / "tokenizer.safetensors"
    write_checkpoint(path, weights, {"kind": KIND, "config": to_mapping(made)})
    config = config_for(
        video, tmp_path / "out", run_tokenizer=path, run_gpu_id=0, cut_num_tracks=16,
        cut_energy_source="quantized", cut_threshold=0.0, gates_motion_gate=False,
    )  # fmt: skip
    threads = torch.get_num_threads()
    (outcome,) = segment_stream(config, open_reader, make_segment_parts).outcomes
    assert torch.get_num_threads() == threads
    assert outcome.result is not None and outcome.result.segments > 2
    for sidecar in (tmp_path / "out/cup/code_indices").iterdir():
        codes = json.loads(sidecar.read_text())["codes_windows"]
        assert len(codes) >= 2 and all(0 <= code < 64 for window in codes for code in window)
    summary = json.loads((tmp_path / "out/cup/cup_perf_summary.json").read_text())
    assert summary["param_count"] == sum(weight.numel() for weight in network.parameters())
    assert summary["t_forward_s"]["max"] > 0.0

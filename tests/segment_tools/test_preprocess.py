"""Tracks from videos and data sets: what files hold, what is kept, what damage costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from tool_files import SIZE, Drift, Dying, cut_off, opener, picture, video

from robovalue_ros.cli.main import main
from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.fakes import fake_episode
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.tracks.reader import TracksFile
from robovalue_ros.data.video import encode_video
from robovalue_ros.pipelines.segment.preprocess import PreprocessResult, preprocess
from robovalue_ros.pipelines.segment.preprocess_config import PreprocessConfig, TracksOptions
from robovalue_ros.segment.grid import grid_points

SMALL = TracksOptions(num_tracks=9, resize_shorter=0)


def run(
    source: Path, out: Path, tracker: type = Drift, tracks: TracksOptions = SMALL, **more: object
) -> PreprocessResult:
    config = PreprocessConfig(source, out, tracks=tracks, **more)  # type: ignore[arg-type]
    return preprocess(config, opener, tracker)


def test_a_video_becomes_one_file_with_a_window_for_every_frame(tmp_path: Path) -> None:
    video(tmp_path / "in" / "a" / "cup.mp4", frames=20)
    result = run(tmp_path / "in", tmp_path / "out")
    assert (result.made, result.kept, result.frames, result.findings) == (1, 0, 20, ())
    file = TracksFile(tmp_path / "out" / "a" / "cup.hdf5")
    info = file.info("default")
    assert (info.frames, info.horizon, info.points) == (20, 16, 9)
    assert (info.height, info.width, info.grid) == (*SIZE, "cells")
    tracks, vis = file.read("default", 0, 20)
    points = grid_points(9, *SIZE)
    assert np.array_equal(tracks[7, 3, :, 0], points[:, 0] + 3)
    assert np.array_equal(tracks[:, 0], np.repeat(points[None], 20, axis=0))
    assert vis.min() == 1.0
    settings = yaml.safe_load((tmp_path / "out" / "config.yaml").read_text())
    assert settings["tracks"]["num_tracks"] == 9 and settings["follow"]["tracker"] == "lucas_kanade"


def test_every_reader_serves_and_cameras_become_views(tmp_path: Path) -> None:
    from robovalue_ros.contracts.tools import WriteOptions
    from robovalue_ros.wiring import make_writer

    writer = make_writer(WriteOptions(format="hdf5"))
    root = tmp_path / "set"
    records = [writer.write(root, 0, fake_episode("episode_000000", 6), lambda _: None)]
    writer.assemble(root, records, lambda _: None)
    result = run(root, tmp_path / "out")
    assert (result.made, result.frames) == (1, 12)
    (path,) = (tmp_path / "out").rglob("*.hdf5")
    assert TracksFile(path).views() == ("cam_high", "cam_left_wrist")


def test_fewer_frames_are_looked_at_when_a_rate_is_asked_for(tmp_path: Path) -> None:
    video(tmp_path / "in.mp4", frames=21, fps=20)
    for name, rate, wanted in (("slots", 10.0, 11), ("decimate", 7.0, 7), ("native", 5.0, 21)):
        tracks = TracksOptions(num_tracks=4, resize_shorter=16, target_fps=rate, resample=name)  # type: ignore[arg-type]
        run(tmp_path / "in.mp4", tmp_path / name, tracks=tracks)
        info = TracksFile(tmp_path / name / "in.hdf5").info("default")
        assert (info.frames, info.height, info.width) == (wanted, 16, 24)


def test_a_second_run_keeps_whole_files_and_makes_damaged_ones_again(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        video(tmp_path / "in" / f"{name}.mp4", frames=18)
    run(tmp_path / "in", tmp_path / "out")
    files = {name: tmp_path / "out" / f"{name}.hdf5" for name in ("a", "b", "c")}
    before = files["a"].read_bytes()
    cut_off(files["b"])
    files["c"].unlink()
    again = run(tmp_path / "in", tmp_path / "out")
    assert (again.made, again.kept) == (2, 1)
    assert [finding.subject for finding in again.findings] == ["b"]
    assert files["a"].read_bytes() == before == files["b"].read_bytes().replace(b"b.mp4", b"a.mp4")
    assert TracksFile(files["c"]).info("default").frames == 18
    assert run(tmp_path / "in", tmp_path / "out").kept == 3
    assert run(tmp_path / "in", tmp_path / "out", overwrite=True).made == 3


def test_a_recording_that_changed_is_followed_again(tmp_path: Path) -> None:
    video(tmp_path / "a.mp4", frames=18)
    run(tmp_path / "a.mp4", tmp_path / "out")
    video(tmp_path / "a.mp4", frames=22)
    result = run(tmp_path / "a.mp4", tmp_path / "out")
    assert result.made == 1 and "18 frames" in result.findings[0].found


def test_tracks_of_other_settings_are_not_mixed(tmp_path: Path) -> None:
    video(tmp_path / "a.mp4", frames=18)
    run(tmp_path / "a.mp4", tmp_path / "out")
    with pytest.raises(ConfigError, match="num_tracks 9, not 16"):
        run(tmp_path / "a.mp4", tmp_path / "out", tracks=TracksOptions(num_tracks=16))
    (tmp_path / "out" / "config.yaml").write_text("points: 9\n")  # of another tool
    with pytest.raises(DataError, match="follows 9 points"):
        run(tmp_path / "a.mp4", tmp_path / "out", tracks=TracksOptions(num_tracks=16))
    assert (tmp_path / "out" / "config.yaml").read_text() == "points: 9\n"


def test_damaged_videos_are_passed_over_by_workers_too(tmp_path: Path) -> None:
    for n in range(4):
        video(tmp_path / "in" / f"v{n}.mp4", frames=17)
    cut_off(tmp_path / "in" / "v1.mp4")
    (tmp_path / "in" / "v2.mp4").write_bytes(b"")
    alone = run(tmp_path / "in", tmp_path / "one")
    many = run(tmp_path / "in", tmp_path / "two", workers=2)
    assert (alone.made, many.made) == (2, 2)

    def named(findings: tuple[Finding, ...]) -> list[str]:
        return [finding.subject for finding in findings]

    assert named(alone.findings) == named(many.findings) == ["v1", "v2"]
    for name in ("v0.hdf5", "v3.hdf5"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert not list((tmp_path / "two").rglob(".*"))


def test_a_process_that_dies_costs_its_recording_only(tmp_path: Path) -> None:
    for n in range(3):
        video(tmp_path / "in" / f"v{n}.mp4", frames=16)
    large = [np.repeat(np.repeat(picture(t), 2, axis=0), 2, axis=1) for t in range(16)]
    encode_video(tmp_path / "in" / "dies.mp4", large, 20, pixel_format="yuv420p")
    result = run(tmp_path / "in", tmp_path / "out", tracker=Dying, workers=2)
    assert result.made + result.kept == 3
    assert [finding.subject for finding in result.findings] == ["dies"]
    assert "died" in result.findings[0].found


def test_the_command_follows_points_that_truly_move(tmp_path: Path) -> None:
    video(tmp_path / "in" / "cup.mp4", frames=20)
    words = [str(tmp_path / "in"), "--output-dir", str(tmp_path / "out"), "--resize-shorter", "0"]
    assert main(["segment", "preprocess", *words, "--num-tracks", "100"]) == 0
    tracks, _ = TracksFile(tmp_path / "out" / "cup.hdf5").read("default", 2, 3)
    moved = np.abs(tracks[0, 8] - tracks[0, 0]).max(axis=1)
    assert moved.max() > 8.0 and np.median(moved) == 0.0  # the square, and the still table


def test_no_damage_ends_the_run(tmp_path: Path) -> None:
    whole = video(tmp_path / "whole.mp4", frames=18).read_bytes()
    rng = np.random.default_rng(5)
    folder = tmp_path / "in"
    folder.mkdir()
    for n in range(24):
        content = bytearray(whole)
        if n % 3 == 0:
            del content[int(rng.integers(len(content))) :]
        elif n % 3 == 1:
            at = int(rng.integers(len(content) - 40))
            content[at : at + 40] = rng.bytes(40)
        else:
            for at in rng.integers(len(content), size=12):
                content[at] = int(rng.integers(256))
        (folder / f"v{n:02d}.mp4").write_bytes(content)
    video(folder / "z.mp4", frames=18)
    result = run(folder, tmp_path / "out")
    told = {finding.subject for finding in result.findings if finding.level == "error"}
    assert len(told) + result.made == 25 and len(told) >= 10
    made = {path.stem for path in (tmp_path / "out").glob("*.hdf5")}
    assert "z" in made and not made & told


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").write_bytes(b"no video")
    with pytest.raises(DataError, match="none of 1 recordings"):
        run(tmp_path / "in", tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.hdf5"))

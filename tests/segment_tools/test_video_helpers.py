"""Splitting long videos, finding damaged files, removing them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tool_files import cut_off, video

from robovalue_ros.cli.main import main
from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.video import VideoFrames
from robovalue_ros.pipelines.segment.check import check_files, clean_files
from robovalue_ros.pipelines.segment.split import piece_spans, split_videos
from robovalue_ros.pipelines.segment.videos_config import CheckConfig, CleanConfig, SplitConfig


@given(st.integers(1, 500), st.integers(1, 60), st.integers(0, 60))
def test_pieces_hold_every_frame_once_but_for_a_short_rest(
    frames: int, per_piece: int, least: int
) -> None:
    spans = piece_spans(frames, per_piece, least)
    held = [frame for start, stop in spans for frame in range(start, stop)]
    assert held == list(range(len(held)))
    assert frames - len(held) < max(1, least)
    assert all(stop - start <= per_piece for start, stop in spans)


def test_a_long_video_falls_into_pieces_with_the_same_frames(tmp_path: Path) -> None:
    source = video(tmp_path / "in" / "day" / "long.mp4", frames=50, fps=20)
    config = SplitConfig(tmp_path / "in", tmp_path / "out", seconds=1.0)
    result = split_videos(config)
    assert (result.videos, result.made, result.kept) == (1, 3, 0)
    pieces = sorted((tmp_path / "out" / "day").iterdir())
    assert [path.name for path in pieces] == [f"long_part00{n}.mp4" for n in range(3)]
    lengths = [len(VideoFrames(path)) for path in pieces]
    assert lengths == [20, 20, 10]
    first, last = VideoFrames(pieces[0]), VideoFrames(pieces[2])
    whole = VideoFrames(source)
    for piece, at, frame in ((first, 0, 0), (first, 19, 19), (last, 9, 49)):
        difference = np.abs(piece.read(at).astype(int) - whole.read(frame).astype(int))
        assert difference.mean() < 3.0
    assert first.index.stamps_ns()[1] == 50_000_000


def test_pieces_that_are_there_are_kept_and_broken_ones_made_again(tmp_path: Path) -> None:
    for name in ("a", "b"):
        video(tmp_path / "in" / f"{name}.mp4", frames=40)
    (tmp_path / "in" / "c.mp4").write_bytes(b"torn")
    config = SplitConfig(tmp_path / "in", tmp_path / "out", seconds=1.0, workers=2)
    first = split_videos(config)
    assert (first.made, [finding.subject for finding in first.findings]) == (4, ["c"])
    cut_off(tmp_path / "out" / "b_part001.mp4")
    again = split_videos(config)
    assert (again.made, again.kept) == (1, 3)
    with pytest.raises(DataError, match="inside the source"):
        split_videos(SplitConfig(tmp_path / "in", tmp_path / "in" / "pieces"))


def test_check_names_what_is_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video(tmp_path / "fine.mp4")
    cut_off(video(tmp_path / "torn.mp4"))
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "empty.mov").write_bytes(b"")
    (tmp_path / "tracks.hdf5").write_bytes(b"no hdf5")
    checked = check_files(CheckConfig(tmp_path, workers=2))
    assert {one.path.name: one.state for one in checked} == {
        "fine.mp4": "fine", "torn.mp4": "damaged", "empty.mov": "damaged", "tracks.hdf5": "damaged",
    }  # fmt: skip
    assert main(["segment", "check", str(tmp_path), "--verbose"]) == 1
    assert "1 of 4 files are fine, 24 frames" in capsys.readouterr().out
    assert check_files(CheckConfig(tmp_path / "fine.mp4", min_frames=25))[0].state == "damaged"


def test_damage_inside_a_video_is_seen_by_decoding(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mp4", frames=60)
    content = bytearray(path.read_bytes())
    middle = len(content) * 2 // 3
    content[middle : middle + 200] = os.urandom(200)
    path.write_bytes(content)
    assert check_files(CheckConfig(path, quick=True))[0].state == "fine"
    assert check_files(CheckConfig(path))[0].state == "damaged"


def test_clean_removes_what_is_damaged_and_nothing_else(tmp_path: Path) -> None:
    keep = [video(tmp_path / "in" / "fine.mp4"), tmp_path / "in" / "notes.txt"]
    keep[1].write_text("mine")
    torn = cut_off(video(tmp_path / "in" / "x" / "torn.mp4"))
    stale = tmp_path / "in" / ".tmp-0123456789ab-a.hdf5"
    fresh = tmp_path / "in" / ".tmp-ba9876543210-b.hdf5"
    for path in (stale, fresh):
        path.write_bytes(b"half")
    os.utime(stale, (1, 1))
    tried = clean_files(CleanConfig(tmp_path / "in", dry_run=True))
    assert set(tried.removed) == {torn, stale} and torn.exists() and stale.exists()
    clean_files(CleanConfig(tmp_path / "in", move_to=tmp_path / "away"))
    assert (tmp_path / "away" / "x" / "torn.mp4").exists() and not torn.exists()
    assert not stale.exists() and fresh.exists() and all(path.exists() for path in keep)
    cut_off(keep[0])
    assert main(["segment", "clean", str(tmp_path / "in")]) == 0
    assert not keep[0].exists() and keep[1].exists()

"""Pictures and videos of an episode, made as a user makes them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from robovalue_ros.cli.main import main
from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.pipelines.view import open_view, write_still
from robovalue_ros.report.view.painter import Painter
from robovalue_ros.report.view.panel import ABOVE, ACTION_COLOUR, BELOW
from robovalue_ros.wiring import open_reader

LENGTH, FIRST, LAST = 40, 4, 33
RATE = 50.0  # of recordings that do not tell their rate


def view(scene: Any, *words: str) -> int:
    base = ["value", "view", "--hdf5-path", str(scene.recording), "--cache-dir", str(scene.out)]
    return main([*base, *words])


def opened(scene: Any, **how: Any) -> Any:
    return open_view(scene.out, open_reader(scene.recording), scene.recording, **how)


def frames_of(path: Path) -> list[Any]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def has_colour(picture: Any, colour: str, least: int = 20) -> bool:
    wanted = np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)])
    near = np.abs(np.asarray(picture, int)[..., :3] - wanted).max(axis=-1) < 12
    return int(near.sum()) >= least


def test_picture(scene: Any, tmp_path: Path) -> None:
    target = tmp_path / "look.png"
    assert view(scene, "--no-gui", "--out-png", str(target)) == 0
    again = tmp_path / "again.png"
    assert view(scene, "--no-gui", "--out-png", str(again)) == 0
    assert target.read_bytes() == again.read_bytes()
    with Image.open(target) as picture:
        assert picture.width > 1200 and picture.height > 600
        pixels = np.asarray(picture.convert("RGB"))
    # A frame of each camera stands above the curve.
    assert (pixels[..., 0] == 250).sum() > 1000
    assert (pixels[..., 2] == 250).sum() > 1000


def test_without_a_name_the_picture_lies_here(
    scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert view(scene, "--no-gui") == 0
    assert [p.name for p in tmp_path.iterdir()] == ["episode_0.hdf5_value.png"]


def test_threshold_colours_points(scene: Any, tmp_path: Path) -> None:
    target = tmp_path / "look.png"
    assert view(scene, "--curve", "hindsight", "--out-png", str(target)) == 0
    with Image.open(target) as picture:
        assert not has_colour(picture.convert("RGB"), ABOVE)
    words = ["--curve", "hindsight", "--value-threshold", "0.5", "--lookahead", "5"]
    assert view(scene, *words, "--out-png", str(target)) == 0
    with Image.open(target) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    half = len(pixels) // 2
    assert has_colour(pixels[half:], ABOVE) and has_colour(pixels[half:], BELOW)


def test_video_shows_every_frame_with_its_own_picture(
    scene: Any, makers: Any, tmp_path: Path
) -> None:
    target = tmp_path / "film.mp4"
    assert view(scene, "--curve", "hindsight", "--out-video", str(target), "--fps", "30") == 0
    with av.open(str(target)) as container:
        assert container.streams.video[0].average_rate == 30
    found = frames_of(target)
    assert len(found) == LAST - FIRST + 1
    shown = opened(scene, curve="hindsight")
    painter = Painter(shown.view, shown.shapes)
    (left, top, width, height), _ = painter._boxes
    for t in (0, 7, len(found) - 1):
        middle = found[t][int(top + height / 2), int(left + width / 2)].astype(int)
        assert abs(middle[1] - makers.shade(FIRST + t)) <= 6, t


def listed(folder: Path, name: str, spans: list[tuple[int, int]]) -> Path:
    """Write a list of actions, told as frames [first, stop)."""
    file = folder / name / "segmented_videos" / f"{name}_segments.json"
    file.parent.mkdir(parents=True)
    segments = [
        {"start_sec": a / RATE, "end_sec": b / RATE, "label": f"segment_{n}"}
        for n, (a, b) in enumerate(spans)
    ]
    content = {"video": name, "segments": segments, "fps": RATE}
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def test_actions_stand_below_the_curve_at_their_frames(
    scene: Any, makers: Any, tmp_path: Path
) -> None:
    found = tmp_path / "segments"
    listed(found, "episode_0_cam_high", [(2, 10), (10, 20), (24, 24), (30, 90)])
    shown = opened(scene, segments=found)
    actions = [(one.first, one.stop, one.label) for one in shown.view.actions]
    assert actions == [(2, 10, "action 0"), (10, 20, "action 1"), (30, LENGTH, "action 3")]
    assert shown.view.action_at(19).label == "action 1" and shown.view.action_at(20) is None
    assert opened(scene).view.actions is None
    stills = {}
    for name, words in {"with": ["--segments", str(found)], "without": []}.items():
        assert view(scene, *words, "--out-png", str(tmp_path / f"{name}.png")) == 0
        with Image.open(tmp_path / f"{name}.png") as picture:
            stills[name] = np.asarray(picture.convert("RGB"))
    assert len(stills["with"]) > len(stills["without"])
    half = len(stills["with"]) // 2
    strong = "#ac449c"  # nine tenths of the colour on the grey of the row
    assert has_colour(stills["with"][half:], strong, 200)
    assert not has_colour(stills["without"], strong)


def test_the_moving_view_names_the_action_under_its_marker(scene: Any, tmp_path: Path) -> None:
    listed(tmp_path, "episode_0", [(0, 10), (20, 30)])
    shown = opened(scene, segments=tmp_path)
    painter = Painter(shown.view, shown.shapes)
    images = [source.read(0) for source in shown.sources]
    left, top, width, height = painter._readout
    read = {
        frame: painter.paint(frame, images)[top : top + height, left : left + width]
        for frame in (5, 15, 25)
    }
    assert has_colour(read[5], ACTION_COLOUR) and has_colour(read[25], ACTION_COLOUR)
    assert not has_colour(read[15], ACTION_COLOUR)
    # What is yet to come is pale.
    early, late = painter.paint(FIRST, images), painter.paint(LENGTH - 1, images)
    row = (slice(-120, None), slice(painter.column(22), painter.column(28)))
    assert late[row].astype(int).sum() < early[row].astype(int).sum()


def test_lists_that_do_not_fit_are_told(
    scene: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = listed(tmp_path, "episode_00", [(0, 10)])
    words = ["--no-gui", "--out-png", str(tmp_path / "x.png"), "--segments"]
    assert view(scene, *words, str(tmp_path)) == 2
    assert "lists no actions of episode_0" in (told := capsys.readouterr().err)
    assert "Did you mean 'episode_00'" in told
    damaged = listed(tmp_path / "more", "episode_0", [])
    damaged.write_text("{", encoding="utf-8")
    assert view(scene, *words, str(damaged)) == 2
    assert "is no JSON" in capsys.readouterr().err
    assert view(scene, *words, str(tmp_path / "nothing")) == 2
    assert "lists of segments" in capsys.readouterr().err
    assert other.is_file() and not (tmp_path / "x.png").exists()


def test_causal_curve_covers_the_whole_recording(scene: Any, tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    assert view(scene, "--curve", "causal", "--out-video", str(target)) == 0
    assert len(frames_of(target)) == LENGTH
    shown = opened(scene)
    assert (shown.view.first, shown.view.stop, shown.view.origin) == (0, LENGTH, FIRST)
    assert shown.view.raised == ("stall", "declared")
    assert opened(scene, curve="causal").view.origin == 0
    assert opened(scene, curve="hindsight").view.raised == ()


def test_values_stand_at_their_frames(scene: Any) -> None:
    hindsight = opened(scene).view.curves[0]
    assert hindsight.at(FIRST - 1) is None and hindsight.at(LAST + 1) is None
    assert hindsight.at(FIRST) == 0.0 and hindsight.at(LAST) == 1.0
    later = hindsight.ahead(3)
    assert later is not None
    assert later.at(FIRST) == hindsight.at(FIRST + 3) and later.at(LAST - 2) is None
    assert hindsight.ahead(1000) is None


def test_a_moved_result_folder_is_found_by_name(scene: Any, tmp_path: Path) -> None:
    out = tmp_path / "elsewhere"
    shutil.copytree(scene.out, out)
    recording = tmp_path / "copy" / scene.recording.name
    recording.parent.mkdir()
    shutil.copy(scene.recording, recording)
    assert len(open_view(out, open_reader(recording), recording).view.curves) == 2
    (out / "hdf5_to_vjepa_value_map.jsonl").unlink()
    assert len(open_view(out, open_reader(recording), recording).view.curves) == 2


def test_a_data_set_needs_the_name_of_an_episode(makers: Any, tmp_path: Path) -> None:
    for n in range(2):
        path = makers.record(tmp_path / "data" / f"episode_{n}.hdf5")
        makers.score(tmp_path / "out", path)
    # Each file was scored by itself; seen from the folder, both are episodes of it.
    lines = (tmp_path / "out" / "hdf5_to_vjepa_value_map.jsonl").read_text().splitlines()
    reader = open_reader(tmp_path / "data")
    ids = reader.episode_ids()
    rows = [json.loads(line) for line in lines]
    for row, name in zip(rows, ids, strict=True):
        row |= {"data": str((tmp_path / "data").resolve()), "episode": name}
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "out" / "hdf5_to_vjepa_value_map.jsonl").write_text(text)
    with pytest.raises(ConfigError, match=r"2 scored episodes.*--episode"):
        open_view(tmp_path / "out", reader, tmp_path / "data")
    with pytest.raises(ConfigError, match="Did you mean"):
        open_view(tmp_path / "out", reader, tmp_path / "data", episode=f"{ids[0]}x")
    shown = open_view(tmp_path / "out", reader, tmp_path / "data", episode=ids[1])
    assert shown.view.name == "episode_1.hdf5" and shown.episode.id == ids[1]


def test_what_is_not_there_is_told(makers: Any, scene: Any, tmp_path: Path) -> None:
    other = makers.record(tmp_path / "episode_9.hdf5")
    with pytest.raises(DataError, match=r"holds no values of episode_9\.hdf5"):
        open_view(scene.out, open_reader(other), other)
    makers.score(tmp_path / "out", other, causal=False)
    with pytest.raises(ConfigError, match="no causal curve"):
        open_view(tmp_path / "out", open_reader(other), other, curve="causal")


def test_a_recording_that_was_cut_is_refused(makers: Any, scene: Any, tmp_path: Path) -> None:
    import h5py

    path = makers.record(tmp_path / "episode_0.hdf5")
    with h5py.File(path, "a") as file:
        for name in ("/observations/qpos", "/action", "/task", "/observations/images/cam_high",
                     "/observations/images/cam_left_wrist"):  # fmt: skip
            short = file[name][:20]
            del file[name]
            file[name] = short
    with pytest.raises(DataError, match="has 20 frames, but values for 40"):
        open_view(scene.out, open_reader(path), path)


def test_one_camera_and_large_pictures(scene: Any, tmp_path: Path) -> None:
    target = tmp_path / "x.png"
    words = ["--cameras", "cam_high", "--scale", "2", "--plot-height", "150"]
    assert view(scene, *words, "--out-png", str(target)) == 0
    shown = opened(scene)
    write_still(shown, tmp_path / "y.png", scale=0.5)
    with Image.open(target) as big, Image.open(tmp_path / "y.png") as small:
        assert big.width == small.width


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "--out-png"),
        (["--out-png", "x.jpg"], "does not end in .png"),
        (["--out-video", "x.avi"], "does not end in .mp4"),
        (["--value-threshold", "1.5", "--no-gui"], "value_threshold is 1.5"),
    ],
)
def test_errors_leave_with_two(
    scene: Any,
    words: list[str],
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert view(scene, *words) == 2
    assert told in capsys.readouterr().err

"""Track files: written whole, read by view, refused when damaged; and samples made of them."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from moving_points import FRAMES, HEIGHT, WIDTH, write_recording

from robovalue_ros.contracts.errors import ContractError, DataError
from robovalue_ros.contracts.progress import SilentProgress
from robovalue_ros.data.tracks.reader import TracksFile, TracksInfo, list_track_files
from robovalue_ros.data.tracks.writer import has_view, writing_tracks
from robovalue_ros.segment.gates import MotionGateOptions
from robovalue_ros.training.tokenizer_samples import SampleOptions, motion_samples, open_recordings

RNG = np.random.default_rng(0)
TRACKS = RNG.uniform(0, 50, (7, 4, 3, 2)).astype(np.float32)
VIS = RNG.uniform(0, 1, (7, 4, 3)).astype(np.float32)


def write(path: Path, view: str = "default", blocks: int = 7) -> None:
    with writing_tracks(path, view, horizon=4, points=3, size=(48, 64), grid="cells") as writer:
        for part in np.array_split(np.arange(7), blocks):
            writer.append(TRACKS[part], VIS[part])


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "a.hdf5"
    write(path)
    write(path, "wrist", blocks=1)
    file = pickle.loads(pickle.dumps(TracksFile(path)))  # noqa: S301 - our own bytes
    assert file.views() == ("default", "wrist")
    for view in file.views():
        assert file.info(view) == TracksInfo(7, 4, 3, 48, 64, "cells")
        tracks, vis = file.read(view, 0, 7)
        assert tracks.tobytes() == TRACKS.tobytes() and vis.tobytes() == VIS.tobytes()
        assert np.array_equal(file.tracks(view, 5), TRACKS[5])
    with h5py.File(path) as plain:  # the layout that people have
        assert plain["root/default/tracks"].shape == (7, 4, 3, 2)
        assert plain["root/default"].attrs["height"] == 48
    assert list_track_files(tmp_path) == (path,)


def test_a_view_is_written_once_and_nothing_is_written_half(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf5"
    write(path)
    before = path.read_bytes()
    with pytest.raises(DataError, match="already"):
        write(path)
    with pytest.raises(ContractError, match="tracks"):
        with writing_tracks(path, "b", horizon=4, points=3, size=(4, 4), grid="cells") as writer:
            writer.append(TRACKS[:, :2], VIS[:, :2])
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    assert has_view(path, "default") and not has_view(path, "b")
    assert not has_view(tmp_path / "none.hdf5", "b")


def old_file(path: Path, **change: object) -> None:
    """Write a file as older tools did: no grid is named."""
    made = {"tracks": TRACKS, "vis": VIS, "height": 48, "width": 64, **change}
    with h5py.File(path, "w") as file:
        view = file.create_group("root/default")
        for name in ("tracks", "vis"):
            if made[name] is not None:
                view.create_dataset(name, data=made[name])
        for name in ("height", "width"):
            if made[name] is not None:
                view.attrs[name] = made[name]


def test_older_files_have_the_older_grid(tmp_path: Path) -> None:
    old_file(tmp_path / "a.hdf5")
    assert TracksFile(tmp_path / "a.hdf5").info("default").grid == "reference"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tracks": TRACKS[0]}, "4 axes"), ({"tracks": TRACKS[..., :1]}, "shape"),
        ({"vis": VIS[:3]}, "vis has shape"), ({"vis": None}, "vis"), ({"height": None}, "height"),
        ({"width": -3}, "width"), ({"tracks": TRACKS.astype(int)}, "floating-point"),
    ],
)  # fmt: skip
def test_odd_files_are_refused(tmp_path: Path, change: dict[str, object], says: str) -> None:
    old_file(tmp_path / "a.hdf5", **change)
    with pytest.raises(DataError, match=says):
        TracksFile(tmp_path / "a.hdf5").info("default")


def test_random_damage_is_an_error_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf5"
    write(path)
    content = path.read_bytes()
    rng = np.random.default_rng(2)
    for _ in range(60):
        broken = bytearray(content)
        for at in rng.integers(0, len(broken), 3):
            broken[at] = int(rng.integers(256))
        path.write_bytes(broken if rng.random() < 0.7 else broken[: rng.integers(len(broken))])
        file = TracksFile(path)
        try:
            file.info("default")
            tracks, _ = file.read("default", 0, 7)
        except DataError as problem:
            assert str(path) in str(problem)
        else:
            assert np.array_equal(tracks, TRACKS)
        finally:
            file.close()


def test_samples_are_normalised_windows_of_moving_points(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    write_recording(tmp_path / "a.hdf5", 9, rng, still=4)
    options = SampleOptions(gate=MotionGateOptions())
    opened = open_recordings([tmp_path / "a.hdf5"], options)
    samples, findings = motion_samples(opened, options, SilentProgress())
    assert len(samples) == 5 and not findings
    stored = TracksFile(tmp_path / "a.hdf5").tracks("default", 2)
    half = np.array([HEIGHT, WIDTH]) / 2
    wanted = np.clip((stored[..., ::-1] - half) / half, -1, 1)
    np.testing.assert_allclose(samples[2].numpy()[0], wanted, atol=1e-6)
    kept, _ = motion_samples(opened, SampleOptions(), SilentProgress())
    assert len(kept) == 9
    shorter = SampleOptions(horizon=8, frames=FRAMES)
    spread, _ = motion_samples(
        open_recordings([tmp_path / "a.hdf5"], shorter), shorter, SilentProgress()
    )
    assert spread[0].shape == (1, FRAMES, 16, 2)
    np.testing.assert_allclose(spread[2].numpy()[0, -1], wanted[7], atol=1e-6)

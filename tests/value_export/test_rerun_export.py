"""The Rerun file, read back with the SDK's own reader."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scored_folder import LENGTH, STEP_NS, damage_frame, record, score, tries

from robovalue_ros.cli.main import main

chunks = pytest.importorskip("rerun.chunk")


def columns(path: Path, entity: str) -> dict[str, list[Any]]:
    """Return the temporal columns of an entity in the order of frames."""
    rows: dict[str, list[Any]] = {}
    for chunk in chunks.RrdReader(str(path)).stream():
        if chunk.entity_path == entity and not chunk.is_static:
            for name, values in chunk.to_record_batch().to_pydict().items():
                rows.setdefault(name, []).extend(values)
    order = np.argsort(rows["frame"]) if rows else []
    return {name: [values[at] for at in order] for name, values in rows.items()}


def entities(path: Path) -> set[str]:
    return {str(chunk.entity_path) for chunk in chunks.RrdReader(str(path)).stream()}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("run")
    told = tries(2)
    data = record(root / "data", told)
    damage_frame(data, "episode_000003", frame=7)
    return score(root / "out", data, told)


@pytest.fixture(scope="module")
def file(out: Path) -> Iterator[Path]:
    target = out.parent / "look.rrd"
    assert main(["value", "export", str(out), "--to", "rerun", "--out", str(target)]) == 0
    yield target


def test_every_frame_has_its_picture_value_and_flags(file: Path) -> None:
    told = tries(2)[0]
    root = f"/{told.id}"
    value = columns(file, f"{root}/value/causal")
    assert np.array_equal(np.ravel(value["Scalars:scalars"]), told.values)
    assert value["frame"] == list(range(LENGTH))
    nanoseconds = np.array(value["time"], "timedelta64[ns]").astype(np.int64)
    assert np.array_equal(nanoseconds, np.arange(LENGTH) * STEP_NS)
    truth = columns(file, f"{root}/value/true\\ progress")
    assert np.array_equal(np.ravel(truth["Scalars:scalars"]), told.true)
    hindsight = columns(file, f"{root}/value/hindsight")
    assert hindsight["frame"] == list(range(2, LENGTH - 2))
    for flag in ("stall", "regression", "unknown", "declared"):
        assert len(columns(file, f"{root}/flags/{flag}")["frame"]) == LENGTH
    stall = np.ravel(columns(file, f"{root}/flags/stall")["Scalars:scalars"])
    assert np.flatnonzero(stall).tolist() == [5, 6, 7, 8, 9]


def test_pictures_are_the_recorded_ones(file: Path) -> None:
    pictures = columns(file, "/episode_000000/cameras/cam_high")
    assert len(pictures["frame"]) == LENGTH
    blob = np.array(np.ravel(pictures["EncodedImage:blob"][20]), np.uint8)
    image = cv2.imdecode(blob, cv2.IMREAD_COLOR)
    assert image.shape == (48, 64, 3)
    assert abs(float(image.mean()) - (20 + 5 * 20)) < 2


def test_a_damaged_camera_ends_where_it_breaks(file: Path) -> None:
    broken = columns(file, "/episode_000003/cameras/cam_high")
    assert len(broken.get("frame", [])) <= 7
    assert len(columns(file, "/episode_000003/cameras/cam_left_wrist")["frame"]) == LENGTH
    assert len(columns(file, "/episode_000003/value/causal")["frame"]) == LENGTH


def test_one_curve_a_limit_and_smaller_pictures(out: Path, tmp_path: Path) -> None:
    target = tmp_path / "small.rrd"
    words = ["value", "export", str(out), "--to", "rerun", "--out", str(target)]
    assert main([*words, "--curve", "hindsight", "--limit", "1", "--picture-px", "32"]) == 0
    names = entities(target)
    assert "/episode_000000/value/hindsight" in names
    assert not any("causal" in name or "flags" in name for name in names)
    assert not any("episode_000001" in name for name in names)
    blob = columns(target, "/episode_000000/cameras/cam_high")["EncodedImage:blob"][0]
    assert cv2.imdecode(np.array(np.ravel(blob), np.uint8), cv2.IMREAD_COLOR).shape == (24, 32, 3)


def test_another_suffix_is_refused(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["value", "export", str(out), "--to", "rerun", "--out", str(tmp_path / "x.mp4")]
    assert main(words) == 2
    assert ".rrd" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_without_the_sdk_the_extra_is_named(out: Path, tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['rerun'] = None\n"
        "from robovalue_ros.cli.main import main\n"
        f"sys.exit(main(['value', 'export', {str(out)!r}, '--to', 'rerun', "
        f"'--out', {str(tmp_path / 'x.rrd')!r}]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )  # fmt: skip
    assert run.returncode == 2
    assert "robovalue_ros[viz]" in run.stderr
    assert not list(tmp_path.iterdir())

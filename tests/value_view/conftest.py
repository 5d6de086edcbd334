"""A recording whose pictures tell their own number, and the scores of a run beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from robovalue_ros.data.value_store.causal import CAUSAL_FOLDER, CausalValues, write_causal
from robovalue_ros.data.value_store.episode import Recording, write_segment_values
from robovalue_ros.data.value_store.naming import VALUES_FOLDER
from robovalue_ros.data.value_store.rows import ROWS_FILE, Row, RowLog
from robovalue_ros.value.config import SegmentConfig
from robovalue_ros.value.segment_method import SegmentCurve

LENGTH, FIRST, LAST = 40, 4, 33
TASK = "把杯子 put the cup away"


def shade(frame: int) -> int:
    """Return the grey of a raw frame; cameras differ by colour."""
    return 40 + 5 * frame


@dataclass(frozen=True)
class Scene:
    """A recording and its results."""

    recording: Path
    out: Path
    values: Any


def record(path: Path) -> Path:
    """Write a recording of LENGTH frames with two cameras."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        moving = np.clip(np.arange(LENGTH) - FIRST + 1, 0, LAST - FIRST + 1)
        state = np.repeat(moving[:, None], 7, axis=1).astype(np.float32)
        file["/observations/qpos"], file["/action"] = state, state
        for camera, channel in (("cam_high", 0), ("cam_left_wrist", 2)):
            frames = np.zeros((LENGTH, 32, 40, 3), np.uint8)
            for t in range(LENGTH):
                frames[t] = shade(t)
                frames[t, :, :, channel] = 250
            file[f"/observations/images/{camera}"] = frames
        file["/task"] = np.array([TASK.encode()] * LENGTH)
    return path


def score(
    out: Path, recording: Path, *, causal: bool = True, hindsight: bool = True, source: str = "s"
) -> Any:
    """Write the results of a recording and return its hindsight values."""
    count = LAST - FIRST + 1
    values = np.linspace(0, 1, count, dtype=np.float32)
    details: dict[str, Any] = {"out_npz": str(out / VALUES_FOLDER / f"{recording.name}.npz")}
    if hindsight:
        ends = np.arange(2, count, 3)
        sparse = [np.ones(len(ends), np.float32)] * 4
        curve = SegmentCurve(
            "e", TASK, True, values, values, ends.astype(np.int32), ends.astype(np.int32), *sparse
        )
        write_segment_values(
            out / VALUES_FOLDER / f"{recording.name}.npz", curve, Recording(source, FIRST, LAST),
            SegmentConfig(), segment_centers_path="", segment_centers_cfg_id="",
        )  # fmt: skip
    if causal:
        flags = np.zeros((4, LENGTH), bool)
        flags[0, 10:15] = True
        flags[3, -3:] = True
        write_causal(
            out / CAUSAL_FOLDER / f"{recording.name}.npz",
            CausalValues(
                np.linspace(0, 0.9, LENGTH), np.arange(LENGTH) * 50_000_000, *flags, TASK, source,
                True, "m", "c",
            ),
        )  # fmt: skip
    with RowLog(out / ROWS_FILE) as log:
        log.append(Row(str(recording.resolve()), "segmatch_score", "written", details))
    return values


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("scene")
    recording = record(folder / "success" / "episode_0.hdf5")
    return Scene(recording, folder / "out", score(folder / "out", recording))


@pytest.fixture(scope="session")
def makers() -> Any:
    """Return the functions that write recordings and scores."""

    class Makers:
        record = staticmethod(record)
        score = staticmethod(score)
        shade = staticmethod(shade)

    return Makers

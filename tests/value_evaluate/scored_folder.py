"""A results folder as `robovalue value estimate` leaves it, with recordings, made in a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from robovalue_ros.contracts.fakes import FakeReader
from robovalue_ros.contracts.frames import ArrayFrames
from robovalue_ros.contracts.tools import WriteOptions
from robovalue_ros.contracts.types import Episode
from robovalue_ros.data.value_store.causal import CausalValues, write_causal
from robovalue_ros.data.value_store.episode import Recording, write_segment_values
from robovalue_ros.data.value_store.rows import ROWS_FILE, Row, RowLog
from robovalue_ros.pipelines.convert import convert
from robovalue_ros.value.config import SegmentConfig
from robovalue_ros.value.segment_method import SegmentCurve
from robovalue_ros.wiring import make_writer

STEP_NS = 100_000_000
LENGTH = 40
SEGMENTS = 10
TASK = "cross the table"


@dataclass(frozen=True)
class Told:
    """One try of the toy task. true: (T,) progress. values: (T,) what the causal curve says."""

    id: str
    success: bool | None
    true: np.ndarray
    values: np.ndarray
    source: str = "rollouts"


def tries(count: int = 4, *, noise: float = 0.01, seed: int = 0) -> list[Told]:
    """Return as many successes as failures (which fall from .7 to .1), by turns."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(2 * count):
        success = number % 2 == 0
        true = np.linspace(0, 1, LENGTH)
        if not success:
            true[24:] = 0.1
            true[:24] = np.linspace(0, 0.7, 24)
        values = np.clip(true + rng.normal(0, noise, LENGTH), 0, 1)
        made.append(Told(f"episode_{number:06d}", success, true, values))
    return made


def pictures(told: Told) -> dict[str, np.ndarray]:
    """Draw one camera whose brightness counts frames and one that shows true progress."""
    count = len(told.true)
    front = np.zeros((count, 48, 64, 3), np.uint8)
    front += (20 + 5 * np.arange(count, dtype=np.uint8))[:, None, None, None]
    side = np.full((count, 48, 48, 3), 200, np.uint8)
    for frame, share in enumerate(told.true):
        side[frame, 20:28, int(40 * share) : int(40 * share) + 8] = (200, 30, 30)
    return {"cam_high": front, "cam_left_wrist": side}


def episode_of(told: Told) -> Episode:
    count = len(told.true)
    rng = np.random.default_rng(5)
    return Episode(
        told.id, TASK, np.arange(count, dtype=np.int64) * STEP_NS,
        {name: ArrayFrames(part) for name, part in pictures(told).items()},
        rng.random((count, 2)), rng.random((count, 2)), told.success,
        {"progress": told.true.astype(np.float64), "lost": np.arange(count) >= _lost_at(told)},
    )  # fmt: skip


def _lost_at(told: Told) -> int:
    return 24 if told.success is False else len(told.true)


def record(folder: Path, told: Sequence[Told], kind: str = "hdf5") -> Path:
    """Write the recordings as a data set."""
    reader = FakeReader({item.id: episode_of(item) for item in told})
    convert(reader, make_writer(WriteOptions(kind, "lossless")), folder, fingerprint="toy")
    return folder


def score(
    out: Path, data: Path, told: Sequence[Told], *, causal: bool = True, hindsight: bool = True,
    model_id: str = "toy",
) -> Path:  # fmt: skip
    """Write curves and rows of every try; `data` is the data set that holds them."""
    with RowLog(out / ROWS_FILE) as log:
        for item in told:
            files = list(data.rglob(f"{item.id}.hdf5"))
            path = files[0] if files else data / item.id
            where = {} if files else {"data": str(data), "episode": item.id}
            if hindsight:
                file = out / "episode_values" / f"{item.id}.npz"
                _write_hindsight(file, item)
                details = {"out_npz": str(file), **where}
                log.append(Row(str(path), "segmatch_score", "written", details))
            if causal:
                file = out / "causal_values" / f"{item.id}.npz"
                write_causal(file, causal_of(item, model_id))
                log.append(Row(str(path), "causal", "written", {"out_npz": str(file), **where}))
    return out


def causal_of(item: Told, model_id: str) -> CausalValues:
    count = len(item.values)
    frames = np.arange(count)
    fallen = (frames >= 25) & (frames < 30) & (item.success is False)
    return CausalValues(
        item.values, np.arange(count, dtype=np.int64) * STEP_NS,
        stall=(frames >= 5) & (frames < 10), regression=fallen, unknown=frames == 12,
        declared=(item.values > 0.95), task=TASK, source=item.source, success=item.success,
        model_id=model_id, content="c",
    )  # fmt: skip


def _write_hindsight(file: Path, item: Told) -> None:
    """The trimmed curve leaves out two frames on either side and ends where the outcome says."""
    first, last = 2, len(item.true) - 3
    count = last - first + 1
    value = np.linspace(0, 1.0 if item.success else 0.5, count).astype(np.float32)
    ends = np.arange(3, count, 4, dtype=np.int32)
    index = np.minimum(np.arange(len(ends)), SEGMENTS - 1).astype(np.int32)
    floats = [np.linspace(0, 1, len(ends)).astype(np.float32) for _ in range(4)]
    curve = SegmentCurve(item.id, TASK, bool(item.success), value, value, ends, index, *floats)
    write_segment_values(
        file, curve, Recording(item.source, first, last),
        SegmentConfig(segment_match_num_segments=SEGMENTS),
        segment_centers_path="x", segment_centers_cfg_id="y",
    )  # fmt: skip


def damage_frame(data: Path, name: str, camera: str = "cam_high", frame: int = 7) -> None:
    """Flip bytes inside one stored frame of one recording."""
    (file,) = data.rglob(f"{name}.hdf5")
    with h5py.File(file) as opened:
        stored = opened[f"observations/images/{camera}"]
        chunk = stored.id.get_chunk_info(min(frame, stored.id.get_num_chunks() - 1))
    content = bytearray(file.read_bytes())
    at = chunk.byte_offset + chunk.size // 2
    content[at : at + 8] = bytes(255 - b for b in content[at : at + 8])
    file.write_bytes(bytes(content))

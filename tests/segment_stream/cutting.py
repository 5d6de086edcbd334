"""What the tests of `robovalue segment stream` share: small videos, options, and what lies on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from films import film, write_film
from numpy.typing import NDArray

from robovalue_ros.backends.imaging import fast_imaging
from robovalue_ros.backends.trackers.lucas_kanade import LucasKanade
from robovalue_ros.contracts.ports import EpisodeReader
from robovalue_ros.pipelines.segment.stream_config import (
    CutOptions,
    OutputOptions,
    SegmentStreamConfig,
)
from robovalue_ros.pipelines.segment.stream_cut import Parts
from robovalue_ros.pipelines.segment.stream_run import StreamResult, segment_stream
from robovalue_ros.wiring import open_reader

REST, MOVE = 24, 36
THRESHOLD = 0.0012


@dataclass(frozen=True)
class Tokens:
    prequant: NDArray[np.float32]
    quantized: NDArray[np.float32]
    codes: NDArray[np.int64]


class SumEncoder:
    """A tokenizer whose tokens name the window: sums of velocities, and codes made of them."""

    def encode(self, velocity: NDArray[np.float32]) -> Tokens:
        sums = np.abs(velocity).sum(axis=1)
        return Tokens(sums, np.round(sums, 1), np.rint(sums[:, 0] * 100).astype(np.int64))


def parts(_: SegmentStreamConfig) -> Parts:
    return Parts(LucasKanade(), None, fast_imaging())


def parts_with_codes(_: SegmentStreamConfig) -> Parts:
    return Parts(LucasKanade(), SumEncoder(), fast_imaging(), 7)


def two_moves(seed: int = 0) -> list[float]:
    """Return speeds: rest, move, rest, move, rest; the seed changes how fast."""
    fast = 2.0 + 0.2 * (seed % 5)
    return [0.0] * REST + [fast] * MOVE + [0.0] * REST + [fast] * MOVE + [0.0] * REST


def make_videos(folder: Path, names: list[str]) -> None:
    for seed, name in enumerate(names):
        write_film(folder / name, film(two_moves(seed), seed=seed).frames)


def config_for(source: Path | str, out: Path, **changes: Any) -> SegmentStreamConfig:
    """Return options for a source; changes: `cut_NAME`, `output_NAME` and other groups' fields."""
    config = SegmentStreamConfig(
        source=str(source),
        cut=CutOptions(threshold=THRESHOLD, resize_shorter=0),
        output=OutputOptions(output_dir=out),
    )
    for key, value in changes.items():
        group, _, name = key.partition("_")
        config = replace(config, **{group: replace(getattr(config, group), **{name: value})})
    return config


def cut(
    config: SegmentStreamConfig, *, codes: bool = False, opener: Any = open_reader, **more: Any
) -> StreamResult:
    made = parts_with_codes if codes else parts
    return segment_stream(config, opener, made, **more)


def files_of(root: Path) -> dict[str, Any]:
    """Return every result below a folder; what tells the time of the run is left out."""
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if not path.is_file() or "perf" in name or path.name == "segment_run.json":
            continue
        if name.endswith("_segments.json"):
            content = json.loads(path.read_text())
            del content["processed_at"]
            found[name] = content
        elif name.endswith(".codes.json"):
            content = json.loads(path.read_text())
            content["video_segment_path"] = Path(content["video_segment_path"]).name
            found[name] = content
        else:
            found[name] = path.read_bytes()
    return found


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def opener_of(reader: EpisodeReader) -> Any:
    return lambda _: reader
